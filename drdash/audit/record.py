"""The only way to write into the audit."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.contrib.auth.models import User
from django.db import connection, transaction

from drdash.audit.chain import BEGINNING, Link
from drdash.audit.mirror import mirror
from drdash.audit.models import Entry

# One writer at a time: the next entry holds the hash of this one. Any number that nobody else locks.
_LOCK = 0x6472_6461_7368


@contextmanager
def writing(*, durable: bool = False) -> Iterator[None]:
    """A transaction that will write into the audit. Its turn to do so is taken first, before any row is locked, so that
    two of them never wait for each other. SQLite has but one writer anyway.
    """
    with transaction.atomic(durable=durable):
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        yield


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

    ``by`` None: drdash itself did it. ``verb`` says what, in words; ``detail`` the rest, and nothing secret. A database
    has no NUL in a text: it is left out.
    """
    with writing():
        number, previous = Entry.objects.values_list("number", "hash").first() or (0, BEGINNING)
        link = Link(
            number=number + 1,
            at=at,
            tenant=tenant,
            user=by.pk if by else None,
            username=by.get_username() if by else "drdash",
            verb=verb,
            action=action,
            server_uuid=server_uuid,
            detail=detail.replace("\0", ""),
            previous=previous,
        ).sealed()
        Entry.objects.create(
            number=link.number,
            at=link.at,
            tenant=link.tenant,
            user_id=link.user,
            username=link.username,
            verb=link.verb,
            action=link.action,
            server_uuid=link.server_uuid,
            detail=link.detail,
            previous=link.previous,
            hash=link.hash,
        )
        transaction.on_commit(mirror().wake)
