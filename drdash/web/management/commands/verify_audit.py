"""``manage.py verify_audit``: whether the audit, and its mirror, are as they were written."""

from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from drdash.audit.chain import first_difference, first_flaw, lines
from drdash.audit.models import Entry


class Command(BaseCommand):
    help = "Check the chain of the audit, and that its mirror says the same. Names the first bad entry, and exits 1."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-mirror", action="store_true", help="check the database alone")

    def handle(self, *args: Any, **options: Any) -> None:
        if flaw := first_flaw(entry.link() for entry in Entry.objects.order_by("number").iterator()):
            raise CommandError(flaw.why)
        count = Entry.objects.count()
        self.stdout.write(f"The audit is whole: {count} entries, each follows the one before it.")
        if not options["no_mirror"]:
            self._check_mirror(count)

    def _check_mirror(self, count: int) -> None:
        mirrored = 0
        try:
            with settings.AUDIT_FILE.open("rb") as file:

                def counted() -> Any:
                    nonlocal mirrored
                    for line in lines(file):
                        mirrored += 1
                        yield line

                links = (entry.link() for entry in Entry.objects.order_by("number").iterator())
                if flaw := first_difference(links, counted()):
                    raise CommandError(f"{flaw.why} ({settings.AUDIT_FILE})")
        except FileNotFoundError:
            if count:
                raise CommandError(f"There is no mirror at {settings.AUDIT_FILE}: see DRDASH_AUDIT_FILE.") from None
        except OSError as error:
            raise CommandError(f"The mirror cannot be read: {error.strerror} ({settings.AUDIT_FILE}).") from None
        except msgspec.MsgspecError:
            raise CommandError(f"Line {mirrored + 1} of {settings.AUDIT_FILE} is no entry of the audit.") from None
        behind = count - mirrored
        self.stdout.write(
            f"Its mirror says the same{f', and is {behind} entries behind' if behind else ''}: {settings.AUDIT_FILE}"
        )
