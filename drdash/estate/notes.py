"""What people leave for the next shift to read about a server."""

from datetime import datetime

from django.contrib.auth.models import User

from drdash.audit import record
from drdash.english import english
from drdash.estate.aside import aside
from drdash.estate.models import LONGEST_UUID, Note
from drdash.estate.store import store
from drdash.tenants.access import Denied, reach
from drdash.tenants.models import Tenant

LONGEST = 500


class Overtaken(Exception):
    """Somebody else wrote one meanwhile: theirs has to be read first."""


def note_of(tenant: int, server: str) -> Note | None:
    """The note on the server (its key), with its author."""
    return Note.objects.filter(tenant_id=tenant, server_uuid=server).select_related("by").first()


def stamp(note: Note | None) -> str:
    """What tells one note from the next; a form brings back that of the note that it stood beside."""
    return note.at.isoformat() if note else ""


def leave(tenant: Tenant, server: str, text: str, *, by: User, at: datetime, instead_of: str) -> None:
    """Put the text in the place of the note with that ``stamp``; an empty one takes it off. All are in the audit.

    Raises Denied for who may only look, and Overtaken when another note is there by now.
    """
    role = reach(by).role(tenant.pk)
    if role is None or not role.runs_tests:
        raise Denied(english("Your role may look, not leave notes."))
    text = text.replace("\0", "").strip()[:LONGEST]
    with record.writing():
        known = note_of(tenant.pk, server)
        if stamp(known) != instead_of:
            raise Overtaken(english("Somebody wrote another note meanwhile: read it, then write yours."))
        if text == (known.text if known else "") or len(server) > LONGEST_UUID:
            return
        verb = "left a note" if text else "took a note off"
        record.write(by=by, verb=verb, at=at, tenant=tenant.pk, server_uuid=server, detail=text)
        if not text:
            Note.objects.filter(tenant=tenant, server_uuid=server).delete()
        else:
            Note.objects.update_or_create(
                tenant=tenant, server_uuid=server, defaults={"text": text, "by": by, "at": at}
            )
    aside(lambda: store().announce(tenant.pk, ["estate"]))
