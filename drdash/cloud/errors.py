"""The ways in which the cloud fails us. Each error's ``str()`` is one sentence that an operator can read; each class
says who is to blame and what to do.
"""

import re

from drdash.english import english

_TOKEN = re.compile(r"(?i)(?:bearer|basic)\s+\S+|[\w.~+/=-]{41,}")


def shortened(text: str, *, longest: int = 300) -> str:
    """One printable line of what the cloud said, without anything that looks like a token."""
    printable = "".join(character if character.isprintable() else " " for character in text[: 10 * longest])
    line = _TOKEN.sub("[removed]", " ".join(printable.split()))
    return line if len(line) <= longest else line[: longest - 1] + "…"


class CloudError(Exception):
    """Something is wrong between us and the cloud."""


class NotSent(CloudError):
    """No connection was made, so the cloud never saw the request. Blame: its address, the name server, the network, the
    certificate. Remedy: check the address and the way to it; asking again is safe.
    """


class Broken(CloudError):
    """The connection broke, hung or brought too much before the answer was whole. Blame: the network or the cloud.
    Remedy: read again; what a POST did is unknown.
    """


class NotUnderstood(CloudError):
    """The answer is not the DR API's. Blame: a wrong address, a proxy or sign-in page in between, or a cloud that has
    changed. Remedy: check the address; if it is right, report what came.
    """


class WrongCredential(CloudError):
    """The token endpoint gives no token to this client or user. Blame: the client id, the user, their secrets or their
    rights. Remedy: put the right ones in, or have an administrator of the cloud allow them. ``status`` and ``code`` are
    the endpoint's own.
    """

    def __init__(self, sentence: str, *, status: int = 0, code: str = "") -> None:
        super().__init__(sentence)
        self.status, self.code = status, code


class SignInAgain(WrongCredential):
    """A person's sign-in at the cloud is over. Remedy: that person signs in again; until then nothing helps."""


class ErrorAnswer(CloudError):
    """The cloud answered with an error status: ``code`` and ``message`` are its own words, empty when it gave none."""

    said = english("The cloud answered with an error (%(words)s).")

    def __init__(self, status: int, code: str = "", message: str = "", **values: object) -> None:
        self.status, self.code, self.message = status, code, message
        own_words = f"{status} {code}".strip() + (f": {message.rstrip('.')}" if message else "")
        super().__init__(self.said % {"words": own_words, **values})


class BadRequest(ErrorAnswer):
    """400: the cloud finds the request wrong, ``additional`` says where. Blame: drdash. Remedy: report it."""

    said = english("The cloud finds the request wrong (%(words)s).")

    def __init__(self, status: int, code: str = "", message: str = "", *, additional: tuple[str, ...] = ()) -> None:
        super().__init__(status, code, message)
        self.additional = additional


class Unauthorized(ErrorAnswer):
    """401: the access token is not accepted, even a new one. Blame: the credential. Remedy: connect the cloud anew."""

    said = english("The cloud does not accept the access token (%(words)s).")


class Forbidden(ErrorAnswer):
    """403: the credential lacks the privilege. Blame: its role in the cloud. Remedy: give it the role that it needs."""

    said = english("The cloud does not allow this to the credential (%(words)s).")

    def __init__(self, status: int, code: str = "", message: str = "", *, lacks: str = "") -> None:
        if lacks:
            self.said = english("The cloud refused: %(told)s (%(words)s).")
        super().__init__(status, code, message, told=lacks)


class NotFound(ErrorAnswer):
    """404: the cloud does not know it. Blame: deleted, or another tenant's. Remedy: read the list again."""

    said = english("The cloud does not know what was asked for (%(words)s).")


class Conflict(ErrorAnswer):
    """409: the resource is in the way of itself; ``task_uuids`` (lower case) are what keeps it busy. Remedy: wait."""

    said = english("The cloud finds the resource in another state than needed (%(words)s).")

    def __init__(self, status: int, code: str = "", message: str = "", *, task_uuids: tuple[str, ...] = ()) -> None:
        super().__init__(status, code, message)
        self.task_uuids = task_uuids


class TooManyRequests(ErrorAnswer):
    """429: the cloud is overloaded, or was asked too often. Remedy: nothing is sent for ``retry_after`` seconds."""

    said = english("The cloud asks to wait for %(seconds)s s (%(words)s).")

    def __init__(self, status: int, code: str = "", message: str = "", *, retry_after: int) -> None:
        super().__init__(status, code, message, seconds=retry_after)
        self.retry_after = retry_after


class ServerFault(ErrorAnswer):
    """5xx: the cloud failed. Blame: the cloud. Remedy: read again later; what a POST did is unknown."""

    said = english("The cloud failed (%(words)s).")
