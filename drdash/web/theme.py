"""Light or dark: the system's choice, or a person's own, which a cookie of their browser keeps."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from drdash.web import choices
from drdash.web.back import way_back
from drdash.web.phrases import phrase

COOKIE = "drdash_theme"
WORDS = {"": phrase("As the system"), "light": phrase("Light"), "dark": phrase("Dark")}


def chosen(request: HttpRequest) -> str:
    """What the browser's cookie says, if that is a theme; empty: as the system has it."""
    kept = request.COOKIES.get(COOKIE, "")
    return kept if kept in WORDS else ""


def theme(request: HttpRequest) -> dict[str, object]:
    """For every template: the theme, and those there are."""
    return {"theme": chosen(request), "themes": WORDS.items()}


@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Keep a choice, and go back to the page that it was made on."""
    wanted = request.POST.get("theme", "")
    answer = redirect(way_back(request))
    choices.keep(answer, COOKIE, wanted if wanted in WORDS else "")
    return answer
