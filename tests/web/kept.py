"""People in front of the pages for admins: what they open, and the forms that they send."""

from typing import Any

from django.contrib.auth.models import User
from django.test import Client


class Person:
    """Someone signed in. What they typed that is secret must never come back to them."""

    def __init__(self, user: User) -> None:
        self.client = Client()
        self.client.force_login(user)

    def open(self, path: str, *, status: int = 200) -> str:
        """A page's HTML."""
        answer = self.client.get(path)
        assert answer.status_code == status, (path, answer.status_code)
        return answer.content.decode()

    def send(self, path: str, **fields: Any) -> tuple[int, str, str]:
        """A form's answer: status, where it leads, HTML."""
        answer = self.client.post(path, fields)
        html = answer.content.decode()
        for name in ("client_secret", "password", "assertion"):
            assert not fields.get(name) or fields[name] not in html
        return answer.status_code, answer.headers.get("Location", ""), html

    def follow(self, path: str, **fields: Any) -> str:
        """The page that a form leads to."""
        status, to, html = self.send(path, **fields)
        assert status == 302, (path, status, html)
        return self.open(to)
