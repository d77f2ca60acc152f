"""What a credential may do, as the cloud's own answers tell. Its 403 is the last word, until it takes the same call."""

from datetime import datetime

from django.db.models import QuerySet

from drdash.tenants.models import Credential


def note_refused(credential: Credential, call: str, lacks: str, *, now: datetime) -> None:
    """The cloud answered 403 to ``call``; ``lacks`` says what the credential is short of."""
    _of(credential).update(refused_at=now, refused_what=f"{call}: {lacks}")


def note_taken(credential: Credential, call: str) -> None:
    """The cloud took ``call``: an earlier refusal of it is over."""
    _of(credential).filter(refused_what__startswith=f"{call}:").update(refused_at=None, refused_what="")


def _of(credential: Credential) -> QuerySet[Credential]:
    # Not by save: changed_at would tell every process to begin with new tokens.
    return Credential.objects.filter(pk=credential.pk)
