"""The only way to write into the audit."""

from datetime import datetime

from django.contrib.auth.models import User

from drdash.audit.models import Entry


def write(
    *,
    by: User | None,
    verb: str,
    at: datetime,
    tenant: int | None = None,
    action: int | None = None,
    server_uuid: str = "",
    detail: str = "",
) -> None:
    """One entry, in the caller's transaction: it is committed with what it tells of, or not at all.

    ``by`` None: drdash itself did it. ``verb`` says what, in words; ``detail`` the rest, and nothing secret.
    """
    Entry.objects.create(
        at=at,
        tenant=tenant,
        user=by,
        username=by.get_username() if by else "drdash",
        verb=verb,
        action=action,
        server_uuid=server_uuid,
        detail=detail,
    )
