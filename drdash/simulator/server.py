"""The simulator on a port: the DR API over HTTP, and the wire that can break on order.

with running("quiet") as simulator:
    ...  # simulator.url, .client_id, .client_secret, .world, .requests, .fail("504"), .advance(20)
"""

import socket
import struct
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import unquote

from drdash.simulator import control
from drdash.simulator.answers import Request, Response, error
from drdash.simulator.building import build
from drdash.simulator.faults import SPOILING, Fault, huge, instead, spoiled
from drdash.simulator.paging import WRONG
from drdash.simulator.simulation import Simulator
from drdash.simulator.world import World

NAME = "drdash-simulator"
MAX_BODY = 1 << 20


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 75
    server: "_Server"

    def setup(self) -> None:
        super().setup()
        self.number = next(self.server.connections)

    def serve(self) -> None:
        request = self._read()
        if request is None:
            return
        if request.path.startswith(control.PREFIX):
            self._send(control.respond(request, self.server.simulator, self.client_address[0]))
            return
        fault, release = self.server.simulator.receive(request, self.number)
        try:
            if fault is None:
                self._send(self.server.simulator.respond(request))
            else:
                self._fail(fault, request, release)
        except OSError:
            self.close_connection = True  # the client went away

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = serve  # noqa: N815

    def _read(self) -> Request | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal() or int(length) > MAX_BODY:
            self.close_connection = True
            self._send(error(413, "BadRequest", "The body needs a Content-Length of at most a mebibyte."))
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return None
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(method=self.command, path=unquote(path), query=query, headers=headers, body=body)

    def _fail(self, fault: Fault, request: Request, release: threading.Event) -> None:
        simulator = self.server.simulator
        if fault.kind in WRONG:
            request = replace(request, wrong=fault.kind)
        response = simulator.respond(request) if fault.takes_effect else None
        if fault.kind == "hang":
            release.wait(fault.seconds)
            if simulator.stopped.is_set():
                self._reset()
            else:
                self._send(response or simulator.respond(request))
        elif fault.kind == "reset":
            self._reset()
        elif fault.kind == "half_body" and response is not None:
            self.close_connection = True
            self.wfile.write(self._head(response) + response.body[: len(response.body) // 2])
        elif fault.kind == "drip" and response is not None:
            self.wfile.write(self._head(response))
            for number in range(len(response.body)):
                if simulator.stopped.wait(0.05 if fault.seconds is None else fault.seconds):
                    return self._reset()
                self.wfile.write(response.body[number : number + 1])
        elif fault.kind == "huge":
            self._stream(fault)
        elif fault.kind in SPOILING and response is not None:
            self._send(spoiled(fault.kind, response))
        elif fault.kind in WRONG and response is not None:
            self._send(response)
        else:
            self._send(instead(fault))
        return None

    def _stream(self, fault: Fault) -> None:
        """A valid document that is mostly padding, never whole in memory."""
        how = {"chunked": ("Transfer-Encoding", "chunked"), "gzip": ("Content-Encoding", "gzip")}
        response = Response(fault.status or 200, b"", (("Content-Type", fault.content_type),))
        self.close_connection = True
        length = how.get(fault.encoding, ("Content-Length", str(fault.size)))
        self.wfile.write(self._head(response, length))
        squeeze = zlib.compressobj(1, wbits=31)
        left = fault.size
        for part in huge(fault.size):
            if self.server.simulator.stopped.is_set():
                break
            left -= len(part)
            if fault.encoding == "gzip":
                part = squeeze.compress(part) + (b"" if left else squeeze.flush())
            elif fault.encoding == "chunked":
                part = b"%x\r\n%b\r\n" % (len(part), part) + (b"" if left else b"0\r\n\r\n")
            self.wfile.write(part)

    def _send(self, response: Response) -> None:
        body = b"" if self.command == "HEAD" else response.body
        self.wfile.write(self._head(response) + body)

    def _head(self, response: Response, length: tuple[str, str] | None = None) -> bytes:
        lines = [
            f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
            f"Server: {NAME}",
            f"Date: {self.date_time_string(self.server.simulator.wall())}",
            *(f"{name}: {value}" for name, value in response.headers),
            ": ".join(length or ("Content-Length", str(len(response.body)))),
        ]
        if self.close_connection:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _reset(self) -> None:
        """End the connection with RST, so that the client sees neither an answer nor an orderly end."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.close(self.connection.detach())

    def version_string(self) -> str:
        return NAME

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: `GET /_control/requests` tells what arrived."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], simulator: Simulator) -> None:
        self.simulator = simulator
        self.connections = count(1)
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@contextmanager
def serving(
    simulator: Simulator, *, host: str = "127.0.0.1", port: int = 0, public_url: str | None = None
) -> Iterator[Simulator]:
    """Serve in the background until the block ends; links point to `public_url`. OSError: the port is taken."""
    server = _Server((host, port), simulator)
    simulator.url = f"http://{host}:{server.server_port}"
    with simulator.lock:
        simulator.public_url = public_url or simulator.url
        for world in (simulator.world, *simulator.worlds.values()):
            world.move_to(simulator.public_url)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield simulator
    finally:
        simulator.stop()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def running(world: World | str = "quiet", *, port: int = 0, **options: Any) -> Iterator[Simulator]:
    """A simulator on a free port; the options are those of `build`."""
    with serving(build(world, **options), port=port) as simulator:
        yield simulator
