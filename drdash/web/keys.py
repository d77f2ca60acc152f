"""What can be done with a single key; each does no more than a link or a field of the page. Who speaks to the computer
or rests on its keys switches them off: a cookie of the browser keeps that.
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from drdash.web import choices
from drdash.web.frame import frame_of, page, wants_part
from drdash.web.phrases import phrase

COOKIE = "drdash_keys"
OFF = "off"
KEYS = (
    ("/", phrase("To the search for a server")),
    ("j", phrase("To the next row")),
    ("k", phrase("To the row before")),
    ("Enter", phrase("Open what has the focus")),
    ("Esc", phrase("Close the dialog or the menu; nothing is sent")),
    ("g o", phrase("Overview")),
    ("g i", phrase("Sites")),
    ("g s", phrase("Servers")),
    ("g a", phrase("Actions")),
    ("g p", phrase("Approvals, where there are any")),
    ("g u", phrase("Audit")),
    ("g t", phrase("Tenants, for those who keep them")),
    ("?", phrase("This list")),
)


def on(request: HttpRequest) -> bool:
    """Whether single keys do something for whoever asks."""
    return request.COOKIES.get(COOKIE) != OFF


def keys(request: HttpRequest) -> dict[str, object]:
    """For every template: whether the keys are on."""
    return {"keys_on": on(request)}


@require_http_methods(["GET", "HEAD", "POST"])
def shown(request: HttpRequest) -> HttpResponse:
    """The list of keys, as a page or as a dialog, and the switch."""
    if request.method == "POST":
        answer = redirect("keys")
        choices.keep(answer, COOKIE, OFF if request.POST.get("keys") == OFF else "")
        return answer
    listed = [(keys.split(), words) for keys, words in KEYS]
    if wants_part(request, "dialog-body"):
        return render(request, "keys/_keys.html", {"listed": listed, "part": True})
    return page(request, "keys/page.html", {"listed": listed}, frame=frame_of(request))
