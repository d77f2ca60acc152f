"""What every view of the JSON API stands on: JSON out whatever goes wrong, and nothing kept by caches."""

from typing import Any, TypeVar

import msgspec
from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError
from rest_framework import exceptions
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, exception_handler

from drdash.web.api_shapes import Problem
from drdash.web.phrases import Phrase

Body = TypeVar("Body", bound=msgspec.Struct)

WHAT_TO_DO = {
    401: "Sign in, or send the header 'Authorization: Token …' with a token that is yours.",
    405: "The schema at /api/v1/schema/ tells what can be done here.",
    415: "Send JSON, with the header 'Content-Type: application/json'.",
}


class TooLarge(exceptions.APIException):
    status_code = 413
    default_detail = "The body is too large: an action takes a few hundred bytes."


class Away(exceptions.APIException):
    """What was last seen is not at hand; nothing can be said of what was asked for."""

    status_code = 503
    default_detail = "What was last seen of the clouds is not at hand, as Redis does not answer. Try again in a moment."


class Json(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None
    render_style = "binary"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return msgspec.json.encode(data, enc_hook=_english)


def _english(told: Any) -> str:
    """What programs read is English, also where a page would say it in its reader's language."""
    if isinstance(told, Phrase):
        return str(told)
    raise NotImplementedError(type(told))


class AlwaysJson(DefaultContentNegotiation):
    """There is one kind of answer, whatever the client says that it accepts."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class ApiView(APIView):
    """A view whose every answer is JSON, a problem a sentence that says what to do."""

    renderer_classes = [Json]
    content_negotiation_class = AlwaysJson
    metadata_class = None

    def get_exception_handler(self) -> Any:
        return _problem


def body_of(request: Request, kind: type[Body]) -> Body:
    """The body as a ``kind``. Raises what becomes a 400, 413 or 415, with a sentence."""
    raw = request._request
    if raw.content_type != "application/json":
        raise exceptions.UnsupportedMediaType(raw.content_type or "")
    try:
        return msgspec.json.decode(raw.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise exceptions.ParseError(
            f"The body is not what can be taken here: {str(error)[:300]}. The schema at /api/v1/schema/ tells what is."
        ) from error


def _problem(error: Exception, context: dict[str, Any]) -> Response | None:
    if isinstance(error, RequestDataTooBig):
        error = TooLarge()
    elif isinstance(error, SuspiciousOperation | MultiPartParserError | BadRequest | UnreadablePostError):
        error = exceptions.ParseError("This request cannot be read: send it again, whole, as JSON.")
    response = exception_handler(error, context)
    if response is not None:
        said = [_sentence(response.data), WHAT_TO_DO.get(response.status_code, "")]
        response.data = Problem(" ".join(one for one in said if one))
    return response


def _sentence(data: Any) -> str:
    said = str(data.get("detail", "")) if isinstance(data, dict) else ""
    return said or "This cannot be done."
