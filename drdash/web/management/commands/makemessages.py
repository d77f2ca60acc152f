"""``manage.py makemessages``: what there is to translate, into the catalog of each language. It needs GNU gettext."""

from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandParser
from django.core.management.commands import makemessages

IGNORED = ("tests/*", "benchmarks/*", "var/*", "templates/styleguide/*", "drdash/simulator/*")


class Command(makemessages.Command):
    help = "Gather what there is to translate, phrases too, into the catalog of each language."

    xgettext_options = [
        *makemessages.Command.xgettext_options,
        "--keyword=phrase",
        "--keyword=phrases:1,2",
        "--keyword=english",
    ]
    # What was written for another sentence is no translation.
    msgmerge_options = [*makemessages.Command.msgmerge_options, "--no-fuzzy-matching"]

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        others = [code for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
        parser.set_defaults(
            locale=others, ignore_patterns=list(IGNORED), no_location=True, no_wrap=True, no_obsolete=True
        )

    def write_po_file(self, potfile: str, locale: str) -> None:
        super().write_po_file(potfile, locale)
        for catalog in Path(potfile).parent.glob(f"{locale}/LC_MESSAGES/*.po"):
            # When it was gathered is no news to anybody, and in the way of whoever merges.
            lines = [line for line in catalog.read_text().splitlines(True) if "POT-Creation-Date" not in line]
            catalog.write_text("".join(lines))
