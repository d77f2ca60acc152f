"""One HTTP exchange, bounded in time and in size, that knows whether anything of the request can have left.

urllib3's timeouts are for one read each, so an answer that drips lasts for ever: a Deadline shuts the socket down
instead. Whether a POST was sent is not guessed from the kind of exception: the connection notes its first byte.
"""

import queue
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPException
from types import TracebackType
from typing import Any, Self

import msgspec
import requests
from requests.adapters import HTTPAdapter
from requests_oauthlib import OAuth2Session
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError

from drdash.cloud.breakage import LATE, reason_of
from drdash.cloud.errors import Broken, NotSent
from drdash.english import english

CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0
# How long the last word before the first byte may take and hold, together.
WORD_SECONDS = 5.0
_CHUNK = 64 * 1024


class Reply(msgspec.Struct, frozen=True):
    """An answer as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Deadline:
    """The most that a call may take, with everything in it. When it is over, the socket in use is shut down, which
    wakes whoever reads from it. A context manager; for the one thread that makes the call.
    """

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self.seconds = seconds
        self._monotonic = monotonic
        self._ends = monotonic() + seconds
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._over = False
        self._timer = threading.Timer(max(0.0, seconds), self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._timer.cancel()

    @property
    def over(self) -> bool:
        return self._over or self._monotonic() >= self._ends

    @property
    def left(self) -> float:
        """Seconds left; a hair more than 0 when it is over, since a timeout must not be 0."""
        return 0.001 if self._over else max(0.001, self._ends - self._monotonic())

    def watch(self, sock: socket.socket | None) -> None:
        """Shut this socket down when the time is over. Raises TimeoutError when it is over already."""
        with self._lock:
            self._socket = sock
            if sock is not None and self.over:
                raise TimeoutError("the deadline is over")

    def _end(self) -> None:
        with self._lock:
            self._over = True
            if self._socket is not None:
                try:
                    # Not SSLSocket's own shutdown: it takes the TLS object from under the thread that reads from it.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
                except OSError:
                    pass  # it is closed already


# Asked on the connection that was made, just before the first byte leaves: False, and nothing does.
Go = Callable[[], bool]


def at_once() -> bool:
    """Nothing is asked before it is sent."""
    return True


class _Attempt:
    """What is known of the exchange under way in this thread."""

    def __init__(self, deadline: Deadline, limit: int, go: Go) -> None:
        self.deadline = deadline
        self.limit = limit
        self.go = go
        self.connecting = False
        self.begun = False  # whether a byte of the request may have left
        self.why: BaseException | None = None  # why there is no connection


_attempt: ContextVar[_Attempt] = ContextVar("attempt")


class _Withheld(Exception):
    """The connection was made, and the word was not to send. No OSError: urllib3 would make something else of it."""


class _TooLarge(requests.RequestException):
    """The body is larger than it may be."""


class _Watched(HTTPConnection):
    """A connection that hands its socket to the deadline, and notes its first byte."""

    def _new_conn(self) -> socket.socket:
        attempt = _attempt.get()
        failure: OSError = OSError(english("its name has no address"))
        for family, kind, protocol, _, address in _addresses(self._dns_host, self.port, attempt.deadline):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(min(CONNECT_SECONDS, attempt.deadline.left))
                attempt.deadline.watch(sock)
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                sock.connect(address)
            except OSError as error:
                failure = error
                sock.close()
            else:
                return sock
        raise failure

    def connect(self) -> None:
        attempt = _attempt.get()
        attempt.connecting = True
        try:
            super().connect()
        except (OSError, HTTPError, HTTPException, ValueError) as error:
            attempt.why = error
            # urllib3 goes on after some OSErrors, as if an answer could come of them.
            raise NewConnectionError(self, "no connection") from error
        finally:
            attempt.connecting = False

    def send(self, data: Any) -> None:
        attempt = _attempt.get()
        if not attempt.connecting:  # else it is the CONNECT to a proxy
            if self.sock is None:
                self.connect()
            # Over TLS inside TLS (an https proxy) the socket is the inner one.
            attempt.deadline.watch(getattr(self.sock, "socket", self.sock))
            if not attempt.begun:
                asked = attempt.deadline.left
                if not attempt.go():
                    raise _Withheld(english("The last word was not to send it."))
                # Whoever was paused since has the word, and not the moment for which it was given.
                if asked - attempt.deadline.left > WORD_SECONDS:
                    raise _Withheld(english("The last word to send it was too long ago."))
            # Whoever was paused at any point until here sends nothing late, not even the rest of what was begun.
            if attempt.deadline.over:
                raise TimeoutError("the deadline is over")
            attempt.begun = True
        super().send(data)


class _WatchedTls(_Watched, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


class Transport(HTTPAdapter):
    """requests' adapter over watched connections, which reads bodies itself, up to the limit of the exchange."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        limit = _attempt.get().limit
        response = super().send(request, *args, **kwargs)
        body = bytearray()
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > limit:
                response.close()
                raise _TooLarge
        response._content = bytes(body)  # what .content gives from now on
        return response


class PlainHttp(Transport):
    """For the one origin that an account may reach without TLS. oauthlib refuses http unless that is allowed to the
    whole process, so its session is given https, and the s is taken off here.
    """

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = "http" + str(request.url).removeprefix("https")
        return super().send(request, *args, **kwargs)


def exchange(
    session: OAuth2Session, method: str, url: str, *, deadline: Deadline, limit: int, go: Go = at_once, **request: Any
) -> Reply:
    """Send one request and read its whole answer: one try, no redirect followed. What ``go`` raises passes through.

    Raises NotSent when certainly nothing of the request left this machine, else Broken when the answer is not whole.
    """
    attempt = _Attempt(deadline, limit, go)
    host = url.split("/")[2] + (" through the proxy" if session.proxies else "")
    with _as_current(attempt):
        try:
            timeout = (min(CONNECT_SECONDS, deadline.left), min(READ_SECONDS, deadline.left))
            response = session.request(method, url, allow_redirects=False, timeout=timeout, **request)
        except _Withheld as error:
            raise NotSent(str(error)) from error
        except (requests.RequestException, HTTPError, HTTPException, OSError, ValueError) as error:
            if not attempt.begun:
                why = LATE if deadline.over else reason_of(attempt.why or error)
                raise NotSent(english("There is no connection to %(host)s: %(told)s.", host=host, told=why)) from None
            raise Broken(_breakage(host, error, attempt)) from None
        # A body that is read until the connection ends looks whole when the deadline has ended the connection.
        if deadline.over:
            raise Broken(_breakage(host, None, attempt))
        return Reply(status=response.status_code, headers=dict(response.headers), body=response.content)


@contextmanager
def _as_current(attempt: _Attempt) -> Iterator[None]:
    token = _attempt.set(attempt)
    try:
        yield
    finally:
        attempt.deadline.watch(None)
        _attempt.reset(token)


def _addresses(host: str, port: int, deadline: Deadline) -> list[Any]:
    """Look a name up, in a thread, since a resolver cannot be interrupted."""
    found: queue.SimpleQueue[list[Any] | OSError | UnicodeError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.put(error)

    threading.Thread(target=look_up, daemon=True).start()
    try:
        answer = found.get(timeout=min(CONNECT_SECONDS, deadline.left))
    except queue.Empty:
        raise TimeoutError(english("the name server does not answer")) from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _breakage(host: str, error: BaseException | None, attempt: _Attempt) -> str:
    if attempt.deadline.over:
        return english(
            "The answer of %(host)s was not there after %(seconds)s s.",
            host=host,
            seconds=f"{attempt.deadline.seconds:.3g}",
        )
    if isinstance(error, _TooLarge):
        return english("The answer of %(host)s is larger than %(size)s KiB.", host=host, size=attempt.limit // 1024)
    told = reason_of(error) if error else english("it ended")
    return english("The connection to %(host)s broke before the answer was whole: %(told)s.", host=host, told=told)
