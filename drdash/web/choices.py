"""What a person chose of how pages look and behave: their browser keeps it, in cookies that no script reads."""

from django.conf import settings
from django.http.response import HttpResponseBase

YEAR = 365 * 24 * 3600


def keep(answer: HttpResponseBase, name: str, value: str, *, seconds: int | None = YEAR) -> None:
    """Have the browser keep a choice; with ``seconds`` None until it is closed. An empty one takes it back."""
    if value:
        secure = settings.SESSION_COOKIE_SECURE
        answer.set_cookie(name, value, max_age=seconds, httponly=True, samesite="Lax", secure=secure)
    else:
        answer.delete_cookie(name, samesite="Lax")
