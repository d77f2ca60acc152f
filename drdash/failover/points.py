"""The newest recovery point of a server before a given time: for when the latest ones are poisoned."""

from datetime import datetime

from drdash.clock import boot_seconds
from drdash.cloud.client import Client
from drdash.cloud.errors import CloudError
from drdash.cloud.neighbours import links
from drdash.cloud.neighbours.points import MALWARE, Point, Points, read
from drdash.cloud.records import Server
from drdash.cloud.words import Rel
from drdash.english import english

LIMIT = 8 * 1024 * 1024


class NoPoint(Exception):
    """No point before that time is known; the message says why. It never means "the latest"."""


def newest(client: Client, server: Server, *, before: datetime, cloud: str, now: datetime, seconds: float) -> Point:
    """Ask the cloud for the server's points. ``cloud``: the root whose links are followed. Raises NoPoint."""
    href = next((link.href for link in server.links or () if link.rel == Rel.RECOVERY_POINTS), None)
    if href is None:
        raise NoPoint(english("The cloud names no list of recovery points for it."))
    path = links.own_path(href, cloud, api=links.BACKUPS)
    if path is None:
        raise NoPoint(english("Its list of recovery points is not on the cloud's own host, so it was not asked for."))
    ends = boot_seconds() + seconds

    try:
        listed = read(
            path,
            lambda page: client.beside(page, deadline=max(0.0, ends - boot_seconds()), limit=LIMIT),
            now=now.timestamp(),
        )
    except CloudError as error:
        raise NoPoint(english("Its recovery points could not be read: %(error)s", error=error)) from error
    return chosen(listed, before)


def chosen(listed: Points, before: datetime) -> Point:
    """The newest that was made before that time, and that neither malware nor its check speaks against. Pure. Raises
    NoPoint, also when the list has a gap in which a newer one may be.
    """
    early = [one for one in listed.items if one.created is not None and one.created < before]
    sound = next((one for one in early if not one.broken and one.malware != MALWARE), None)
    if sound is None and early:
        raise NoPoint(english("All its recovery points before that time have malware, or failed their check."))
    if sound is None:
        raise NoPoint(
            english("None of its recovery points was made before that time. %(rest)s", rest=listed.rest).strip()
        )
    if listed.rest and not listed.newest:
        raise NoPoint(english("Which one is the newest before that time is not known. %(rest)s", rest=listed.rest))
    return sound
