"""The dialog of an action as a person has it before them, with a script or without."""

import re
from html import unescape

from django.contrib.auth.models import User
from django.test import Client

from drdash.cloud.records import Server
from drdash.simulator.simulation import Simulator

HTMX = {"HX-Request": "true", "HX-Target": "dialog-body"}


class Shown:
    """A dialog as a person of the tenant has it before them."""

    def __init__(self, user: User, server: Server, kind: str, path: str = "", **headers: str) -> None:
        self.client = Client()
        self.client.force_login(user)
        self._headers = headers
        self.path = path or f"/servers/{server.uuid}/actions/{kind}/"
        self.look()

    def look(self) -> None:
        """Open it anew."""
        answer = self.client.get(self.path, headers=self._headers)
        assert answer.status_code == 200
        self._take(answer.content.decode())

    def send(self, **typed: object) -> tuple[int, str, dict[str, str]]:
        """Send the form as it is filled in, but for what is ``typed``; None leaves a field out."""
        fields = {name: value for name, value in {**self.fields, **typed}.items() if value is not None}
        answer = self.client.post(self.path, fields, headers=self._headers)
        return answer.status_code, answer.content.decode(), dict(answer.headers)

    def go_on(self, **typed: object) -> tuple[int, str, dict[str, str]]:
        """Send it, and have before one what came back."""
        told = self.send(**typed)
        self._take(told[1])
        return told

    def grow_old(self) -> None:
        """The person signed in an hour ago, and did not type the password since."""
        session = self.client.session
        session["proven_at"] -= 3600
        session["proven_by"] = {**session["proven_by"], "seconds": session["proven_by"]["seconds"] - 3600}
        session.save()

    def _take(self, html: str) -> None:
        self.html = html
        self.fields = {
            name: unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', html)
        }
        self.fields["point"] = "latest"
        if 'name="original"' in html:
            self.fields["original"] = "OriginalOff"


def opened(user: User, server: Server, kind: str = "start_failover_test", **headers: str) -> Shown:
    return Shown(user, server, kind, **HTMX, **headers)


def posts(simulator: Simulator) -> list[str]:
    return [one.path for one in simulator.posts]
