"""No token is written at any level: the library that would write it is kept quiet."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FETCH = """
import logging, os, sys
import django
django.setup()
from oauthlib.oauth2 import BackendApplicationClient
from requests_oauthlib import OAuth2Session
logging.getLogger("drdash.probe").debug("this is DEBUG")
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
session = OAuth2Session(client=BackendApplicationClient("client"))
session.trust_env = False
session.fetch_token(sys.argv[1] + "/token", client_secret="canary-secret")
session.get(sys.argv[1] + "/servers")
"""


class Cloud(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.answer({"access_token": "canary-token", "token_type": "bearer", "expires_in": 3600})

    def do_GET(self) -> None:
        self.answer({"authorization": self.headers["Authorization"]})

    def answer(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base class
        """Nothing: its log is not what is looked at."""


@pytest.fixture
def cloud() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Cloud)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_no_token_or_secret_is_logged_at_debug(cloud: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", FETCH, cloud],
        cwd=ROOT,
        env={**os.environ, "DRDASH_LOG_LEVEL": "DEBUG"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert answer.returncode == 0, answer.stderr
    assert "this is DEBUG" in answer.stderr
    assert "canary" not in answer.stdout + answer.stderr
