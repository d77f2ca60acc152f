from django.apps import AppConfig
from django.utils.formats import localize
from django.utils.translation import gettext, ngettext

from drdash.web import phrases


class Django:
    """Django's catalogs, in the language that is active in this thread."""

    def one(self, sentence: str) -> str:
        return gettext(sentence)

    def counted(self, sentence: str, many: str, number: int) -> str:
        return ngettext(sentence, many, number)

    def fraction(self, number: float) -> str:
        return str(localize(number))


class WebConfig(AppConfig):
    name = "drdash.web"

    def ready(self) -> None:
        phrases.translated_by(Django())
