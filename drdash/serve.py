"""The web server process: `python -m drdash.serve --host H --port P`, or `--fd N` for a socket that already listens."""

import argparse
import socket
from collections.abc import Iterable
from typing import Any

import uvicorn

from drdash.asgi import application
from drdash.web.live import hub


class Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams first: uvicorn waits for open responses, and a stream would go on for minutes."""
        await hub.stop()
        cut_off(self.server_state.connections)
        await super().shutdown(sockets)


def cut_off(connections: Iterable[Any]) -> None:
    """Drop those that were closed and whose readers, asleep perhaps, never take what is left: uvicorn would wait."""
    for connection in list(connections):
        if connection.transport.is_closing():
            connection.transport.abort()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--fd", type=int)
    options = parser.parse_args()
    config = uvicorn.Config(
        application,
        host=options.host,
        port=options.port,
        lifespan="on",
        ws="none",
        log_config=None,  # Django's
        access_log=False,
        server_header=False,
        # Longer than a POST to the cloud may take: its outcome is written down before the process ends.
        timeout_graceful_shutdown=75,
    )
    sockets = None if options.fd is None else [socket.socket(fileno=options.fd)]
    Server(config).run(sockets=sockets)


if __name__ == "__main__":
    main()
