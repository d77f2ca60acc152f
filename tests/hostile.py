"""Links as a cloud that is wrong, old or taken over may give them: none of them leads to the credential's own host.

``own`` and ``evil`` are origins (``http://127.0.0.1:8000``); whoever connects to ``evil`` was led astray.
"""

import socket
import threading
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest

SCHEMES = (
    "", "//", "/", "http:", "http:/", "http:///", "http:////", "https://", "ftp://", "file://", "ws://", "gopher://",
    "javascript:", "data:text/html,", "blob:http://", "view-source:http://", "HTTP:\\\\", "http:\\\\", "http:/\\",
    "http://\t", "http://\n", "\nhttp://", " http://", "\u200bhttp://", "hxxp://", "http+unix://", "jar:http://",
    "url:http://", "http%3A//", "http://%00", "\ufeffhttp://", "http//", "://", "http:;//", "dict://", "ldap://",
)  # fmt: skip
# What stands where a host belongs; {own} and {evil} are host:port, {name} is the own host alone.
HOSTS = (
    "{evil}", "{own}@{evil}", "{own}:80@{evil}", "{own}%40{evil}", "{own}\\@{evil}", "{evil}\\@{own}", "{evil}#@{own}",
    "{evil}?@{own}", "{evil}/@{own}", "{evil};@{own}", "{evil}%23@{own}", "{evil}%2f@{own}", "{evil}\t@{own}",
    "{evil} @{own}", "{evil}\r\n@{own}", "{evil}%00{own}", "{evil}\x00{own}", "user@{own}", "user:pass@{own}",
    ":@{own}",
    "@{own}", "{own}.evil.example", "{own}evil.example", "{own}.", "evil.{own}", "{name}", "{name}:1", "{name}:00080",
    "{name}:", "{name}:x", "{name}:99999", "{name}:-1", "{name}:８０", "{own}:80", "{own}%3A80", "%31{own}", "{own}%2e",
    "{own}%20", "{own} ", "{own}\u200b", "{own}\u3002evil.example", "{own}／evil.example", "127.1", "2130706433",
    "0x7f000001", "017700000001", "[::1]", "[::ffff:127.0.0.1]", "[{name}]", "[", "]", "[::1", "localhost.evil.example",
    "169.254.169.254", "metadata.google.internal", "0", "0.0.0.0", "①②⑦.⓪.⓪.①", "ⓔxample.com", "xn--", "a" * 300,
    "{own},{evil}", "{own};{evil}", "{own}|{evil}", "{own}&{evil}", "{own}${{evil}}", "{evil}.{own}", "-", ".", "..",
    "*", "%", "%zz", "\U0001f600", "{own}\\.evil.example", "{own}\\{evil}",
)  # fmt: skip
# What stands behind the right host: other APIs, ways out of a folder, a second request.
TAILS = (
    "", "/", "/api/2/idp/token", "/api/2/idp/authorize?x=/api/vault_manager/v1/backups", "{api}/../../../2/idp/token",
    "{api}/%2e%2e/%2e%2e/2/idp/token", "{api}/..%2f..%2f2/idp/token", "{api}/..", "{api}/.", "{api}//{evil}/",
    "//{evil}{api}",
    "/\\{evil}{api}", "/x{api}", "{api}\\..\\x", "{api} HTTP/1.1", "{api}\r\nHost: {evil}", "{api}\nX: y", "{api}#x",
    "{api}?x=\x00", "{api}?x=\r\n", "{api}?x=é", "{api}?x= y", "{api}?x=\\", "{api};x", "{api}/é", "{api}@{evil}",
    "/@{evil}{api}", "/..{api}", "/.{api}", "/%2f{evil}{api}", "/http://{evil}{api}", "{api}?x=<y>",
    '{api}?x="', "{api}?x={{}}",
    "{api}?x=^", "{api}?x=`", "{api}?x=|", "?{api}", "#{api}", ":80{api}", "*", "{api}\u2028", "{api}\ud800",
)  # fmt: skip


def hrefs(own: str, evil: str, api: str = "/bc/api/vault_manager/v1/backups") -> list[str]:
    """Each of them once."""
    host, other, name = urlsplit(own).netloc, urlsplit(evil).netloc, urlsplit(own).hostname
    spelled = {"own": host, "evil": other, "name": name}
    made = [f"{scheme}{netloc}{api}" for scheme in SCHEMES for netloc in (host, other)]
    made += [f"http://{pattern.format(**spelled)}{api}" for pattern in HOSTS]
    made += [own + tail.format(api=api, evil=other) for tail in TAILS]
    made += [
        evil + api,
        f"{evil}{api}?own={quote(own)}",
        f"{evil}/{own}{api}",
        quote(own + api),
        quote(own + api, safe="/:")[4:],
    ]
    return list(dict.fromkeys(made))


class Elsewhere:
    """Another host: it counts who calls, and says nothing."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._calls = threading.Semaphore(0)
        self.calls = 0
        self._thread = threading.Thread(target=self._count, daemon=True)
        self._thread.start()

    def called(self) -> bool:
        """Wait for a call that nobody waited for yet."""
        return self._calls.acquire(timeout=60)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(60)

    def _count(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.close()
            self.calls += 1
            self._calls.release()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    host = Elsewhere()
    yield host
    host.close()
