"""``manage.py verify_audit``: whether the audit, and its mirror, are as they were written."""

import os
from collections.abc import Iterator
from itertools import count
from typing import Any, BinaryIO

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from drdash.audit.chain import Link, first_difference, first_flaw
from drdash.audit.models import Entry


class Command(BaseCommand):
    help = "Check the chain of the audit, and that its mirror says the same. Names the first bad entry, and exits 1."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-mirror", action="store_true", help="check the database alone")

    def handle(self, *args: Any, **options: Any) -> None:
        if flaw := first_flaw(_links()):
            raise CommandError(flaw.why)
        entries = Entry.objects.count()
        told = "1 entry" if entries == 1 else f"{entries} entries, each follows the one before it"
        self.stdout.write(f"The audit is whole: {told}.")
        if not options["no_mirror"]:
            self._check_mirror(entries)

    def _check_mirror(self, entries: int) -> None:
        path = settings.AUDIT_FILE
        try:
            with path.open("rb") as file:
                # What is written from now on may be in the file and not among the entries that are read.
                size = os.fstat(file.fileno()).st_size
                mirrored = sum(1 for _ in _lines(file, size))
                file.seek(0)
                if flaw := first_difference(_links(), _lines(file, size), now=timezone.now()):
                    raise CommandError(f"{flaw.why} ({path})")
        except FileNotFoundError:
            if entries:
                raise CommandError(f"There is no mirror at {path}: see DRDASH_AUDIT_FILE.") from None
            return
        except OSError as error:
            raise CommandError(f"The mirror cannot be read: {error.strerror} ({path}).") from None
        behind = max(0, entries - mirrored)
        self.stdout.write(f"Its mirror says the same{f', and is {behind} entries behind' if behind else ''}: {path}")


def _links() -> Iterator[Link]:
    """The entries as links. One that a database took, and that no entry can hold, was not written here."""
    entries = Entry.objects.order_by("number").iterator()
    for number in count(1):
        try:
            entry = next(entries, None)
            if entry is None:
                return
            link = entry.link()
            link.at.utcoffset()  # of a time; whatever else is there raises
        except (ValueError, TypeError, AttributeError):
            raise CommandError(f"Entry {number} was changed after it was written: it cannot be read.") from None
        yield link


def _lines(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The lines of the first ``size`` bytes."""
    while size > 0 and (line := file.readline(size)):
        size -= len(line)
        yield line
