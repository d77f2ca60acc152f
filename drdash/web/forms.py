"""The form of an action's dialog: from what was typed and ticked to a wish."""

from enum import StrEnum
from typing import Any

import msgspec
from django import forms
from django.utils.translation import gettext

from drdash.cloud.neighbours.points import ID
from drdash.cloud.records import RecoveryPoint, Server
from drdash.failover.actions import Wish
from drdash.failover.guard import Kind
from drdash.failover.sighting import Sighting
from drdash.failover.wish import SHORTEST_GLASS
from drdash.web.phrases import phrase

LATEST, BY_IDS = "latest", "ids"
IDS = ("backup_id", "archive_id", "vault_id")


class Original(StrEnum):
    """What the person says of the original machine; on record among what was acknowledged."""

    OFF = "OriginalOff"
    UNCHECKED = "OriginalUnchecked"

    @property
    def words(self) -> str:
        """What the dialog says."""
        return _ORIGINAL[self]


_ORIGINAL = {
    Original.OFF: phrase("Yes: I checked that it is off, and stays off."),
    Original.UNCHECKED: phrase("It cannot be reached to check. I accept that both may run at once."),
}


class Codes(forms.Field):
    """Any number of codes, as the ticked boxes send them."""

    widget = forms.MultipleHiddenInput

    def to_python(self, value: Any) -> frozenset[str]:
        return frozenset(one[:200] for one in map(str, value or ()) if one.isprintable())


class PointForm(forms.Form):
    """The choice of a recovery point. ``point`` has no default: a form that lost it must not mean "latest"."""

    point = forms.CharField(max_length=2000, required=False)
    backup_id = forms.CharField(max_length=200, required=False)
    archive_id = forms.CharField(max_length=200, required=False)
    vault_id = forms.CharField(max_length=200, required=False)

    def __init__(self, data: Any, *, kind: Kind) -> None:
        super().__init__(data)
        self._kind = kind

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self._kind is Kind.STOP:
            return cleaned
        point = cleaned.get("point", "")
        if point == BY_IDS:
            typed = {name: cleaned.get(name, "") for name in IDS}
            cleaned["recovery_point"] = RecoveryPoint(**typed)
            if missing := [name for name in IDS if not typed[name]]:
                self.add_error(missing[0], gettext("A recovery point needs all three ids: backup, archive and vault."))
            elif strange := [name for name in IDS if not ID.fullmatch(typed[name])]:
                self.add_error(strange[0], gettext("The ids of a recovery point have letters, digits, - and @ only."))
        elif point != LATEST:
            cleaned["recovery_point"] = recovery_point(point)
            if cleaned["recovery_point"] is None:
                self.add_error("point", gettext("Choose a recovery point."))
        return cleaned

    def problems(self) -> str:
        """What is wrong with it, in sentences; empty when nothing is."""
        return " ".join(str(one) for errors in self.errors.values() for one in errors)


class AskForm(PointForm):
    """What a dialog sends that asks for a second admin's word."""

    why = forms.CharField(max_length=2000, required=False)


class WishForm(PointForm):
    """What a dialog sends."""

    acknowledge = Codes(required=False)
    confirm = forms.CharField(max_length=1000, required=False)
    original = forms.CharField(max_length=100, required=False)
    password = forms.CharField(max_length=4096, required=False, strip=False)
    breaks = forms.BooleanField(required=False)
    why = forms.CharField(max_length=2000, required=False)
    approval = forms.IntegerField(required=False, min_value=1, max_value=2**31 - 1)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if self._kind is Kind.START_PROD and cleaned.get("original") not in set(Original):
            self.add_error("original", gettext("Say whether the original machine is off."))
        if cleaned.get("breaks") and len(" ".join(cleaned.get("why", "").split())) < SHORTEST_GLASS:
            words = gettext("Write why the glass is broken, in %(shortest)s characters at least.")
            self.add_error("why", words % {"shortest": SHORTEST_GLASS})
        return cleaned

    def wish(self, seen: Sighting, *, unproven: str) -> Wish:
        """The wish that a valid form holds. The dialog's nonce is its key: a repeat of the form is the same wish."""
        given = self.cleaned_data
        said = {given["original"]} if self._kind is Kind.START_PROD else set()
        return Wish(
            kind=self._kind,
            key=seen.nonce,
            recovery_point=given.get("recovery_point"),
            acknowledge=given["acknowledge"] | said,
            confirm=given["confirm"],
            seen=seen,
            glass=given["why"] if given["breaks"] else "",
            approval=given["approval"],
            unproven=unproven,
        )


def recovery_point(value: str) -> RecoveryPoint | None:
    """The recovery point that a radio of the dialog sends; None when it is none, or its ids are no such ids."""
    try:
        point = msgspec.json.decode(value, type=RecoveryPoint)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return point if all(map(ID.fullmatch, msgspec.structs.astuple(point))) else None


def known_points(server: Server) -> list[tuple[str, str, RecoveryPoint]]:
    """The recovery points that the cloud names on the server itself: form value, words, ids."""
    found = []
    if server.test_failover and (point := server.test_failover.recovery_point):
        found.append((phrase("The one of the last test"), point))
    if server.automated_test and (point := server.automated_test.recovery_point):
        found.append((phrase("The one of the last automated test"), point))
    offered: dict[str, tuple[str, str, RecoveryPoint]] = {}
    for words, point in found:
        value = msgspec.json.encode(point).decode()
        if recovery_point(value) and value not in offered:
            offered[value] = (value, words, point)
    return list(offered.values())
