"""The web server process: `python -m drdash.serve --host H --port P`, or `--fd N` for a socket that already listens."""

import argparse
import socket
from collections.abc import Iterable
from typing import Any

import uvicorn
from django.conf import settings

from drdash.asgi import application
from drdash.failover import running
from drdash.web.live import hub


class Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams first: uvicorn waits for open responses, and a stream would go on for minutes."""
        running.end()
        await hub.stop()
        cut_off(self.server_state.connections)
        await super().shutdown(sockets)


def cut_off(connections: Iterable[Any]) -> None:
    """Drop those that were closed and whose readers, asleep perhaps, never take what is left: uvicorn would wait."""
    for connection in list(connections):
        if connection.transport.is_closing():
            connection.transport.abort()


def configured(app: Any, proxies: list[str], **listening: Any) -> uvicorn.Config:
    """How the application is served. ``proxies``: who is believed where a request came from."""
    return uvicorn.Config(
        app,
        forwarded_allow_ips=proxies,
        lifespan="on",
        ws="none",
        log_config=None,  # Django's
        access_log=False,
        server_header=False,
        # Longer than a POST to the cloud may take: its outcome is written down before the process ends.
        timeout_graceful_shutdown=75,
        **listening,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--fd", type=int)
    options = parser.parse_args()
    config = configured(application, settings.TRUSTED_PROXIES, host=options.host, port=options.port)
    sockets = None if options.fd is None else [socket.socket(fileno=options.fd)]
    Server(config).run(sockets=sockets)


if __name__ == "__main__":
    main()
