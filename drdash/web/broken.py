"""What is said when something fails that nobody caught: a page, the body of a dialog, or JSON. Of a database that
cannot be used it says what that means, as a 503.
"""

import logging
import sys

import msgspec
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views import defaults

from drdash.failover.actions import Unwritable
from drdash.web.api_shapes import Problem
from drdash.web.phrases import Phrase, phrase
from drdash.web.said import stored

log = logging.getLogger(__name__)

SECONDS = 5
OURS = phrase("The program made a mistake, and wrote it down in its log.")
AWAY = phrase(
    "The database cannot be used just now: it does not answer, or its disk is full. This was not done; only what had "
    "been sent to the cloud already goes on there."
)


def broken(request: HttpRequest) -> HttpResponse:
    """Django's handler500."""
    error = sys.exception()
    words: Phrase = OURS
    away = isinstance(error, DatabaseError)
    if isinstance(error, DatabaseError):
        log.error("The database cannot be used: %s", type(error.__cause__ or error).__name__)
        words = stored(str(error)) if isinstance(error, Unwritable) else AWAY
    if request.path.startswith("/api/"):
        answer = HttpResponse(msgspec.json.encode(Problem(str(words))), content_type="application/json")
    elif not away:
        return defaults.server_error(request)
    elif request.headers.get("HX-Target") == "dialog-body":
        answer = HttpResponse(render_to_string("dialogs/_broken.html", {"words": words}), headers={"X-Dialog": "1"})
    else:
        answer = HttpResponse(render_to_string("503.html", {"words": words}))
    answer.status_code = 503 if away else 500
    if away:
        answer.headers["Retry-After"] = str(SECONDS)
    return answer
