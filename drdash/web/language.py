"""The reader's language: the browser's first choice, or a person's own, which a cookie of their browser keeps.

What programs read is English always.
"""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.shortcuts import redirect
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_POST

from drdash.web import choices
from drdash.web.back import way_back

WORDS = dict(settings.LANGUAGES)
_PROGRAMS = ("/api/", "/healthz", "/readyz")


class Speaking(LocaleMiddleware):
    """Django's own, but for programs. A part of a page comes in the language that the page is in, whatever was chosen
    elsewhere since; and caches know that a cookie decides too.
    """

    def process_request(self, request: HttpRequest) -> None:
        page = request.headers.get("X-Language", "")
        if request.path_info.startswith(_PROGRAMS):
            translation.activate(settings.LANGUAGE_CODE)
        elif page in WORDS:
            translation.activate(page)
        else:
            super().process_request(request)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if request.path_info.startswith(_PROGRAMS):
            return response
        patch_vary_headers(response, ["Cookie"])
        return super().process_response(request, response)


def language(request: HttpRequest) -> dict[str, object]:
    """For every template: the language, and those there are, each in its own words."""
    return {"language": translation.get_language() or settings.LANGUAGE_CODE, "languages": settings.LANGUAGES}


@login_not_required
@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Keep a choice, and go back to the page that it was made on."""
    wanted = request.POST.get("language", "")
    answer = redirect(way_back(request))
    if wanted in WORDS:
        choices.keep(answer, settings.LANGUAGE_COOKIE_NAME, wanted)
    return answer
