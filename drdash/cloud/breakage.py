"""Why there is no connection, or no more: from what requests and urllib3 wrap around the system's own error."""

import socket
import ssl
from collections.abc import Iterator

import requests

from drdash.cloud.errors import CloudError
from drdash.english import english

LATE = english("it did not answer in time")


def reason_of(error: BaseException) -> str:
    """Why an exchange failed, in words that follow a colon."""
    for cause in _chain(error):
        match cause:
            case socket.gaierror(errno=socket.EAI_AGAIN):
                return english("the name server does not answer")
            case socket.gaierror() | UnicodeError():
                return english("its name is not known")
            case ssl.SSLCertVerificationError():
                return english("its certificate is not trusted (%(why)s)", why=cause.verify_message.rstrip("."))
            case ssl.SSLError():
                return english(
                    "TLS failed (%(why)s)", why=(cause.reason or "no reason given").replace("_", " ").lower()
                )
            case ConnectionRefusedError():
                return english("it refuses connections")
            case ConnectionResetError() | BrokenPipeError():
                return english("it was reset")
            case TimeoutError():
                return LATE
            case requests.exceptions.InvalidSchema() | requests.exceptions.InvalidURL():
                return english("the address is not on the account's own host")
            case OSError(args=(str() as words,)) if words.startswith("Tunnel"):
                return english("the proxy refuses it")
            case OSError(strerror=str() as words) if words:
                return words[:1].lower() + words[1:]
    return english("it does not speak HTTP as it should")


def _chain(error: BaseException | None, depth: int = 0) -> Iterator[BaseException]:
    """The innermost first."""
    if error is None or depth > 10:
        return
    inner = [error.__cause__, error.__context__, getattr(error, "reason", None), *error.args]
    for cause in inner:
        if isinstance(cause, BaseException) and not isinstance(error, CloudError):
            yield from _chain(cause, depth + 1)
    yield error
