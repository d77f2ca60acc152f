"""Whatever someone does to the audit's table or to its mirror, ``verify_audit`` finds it, and names where it begins."""

import random
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import msgspec
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from drdash.audit.chain import BEGINNING, Link
from drdash.audit.mirror import mirror
from drdash.audit.models import Entry
from drdash.audit.record import write
from tests.sizes import cases

BEGUN = datetime(2026, 11, 1, 12, tzinfo=UTC)
LENGTH = 24
FIELDS: dict[str, list[Any]] = {
    "at": ["2026-11-01 11:00:00", "", "yesterday", None, 7, b"\0"],
    "tenant": [77, None, "x"],
    "username": ["mallory", ""],
    "verb": ["signed in", "start_failover_prod accepted"],
    "action": [77, None],
    "server_uuid": ["s-2", ""],
    "detail": ["Nothing happened.", "", b"\xff"],
    "previous": ["0" * 64, ""],
    "hash": ["0" * 64, ""],
}
# How to tamper, from the rows on: what they are then, and the number of the first that is not as it was written.
Way = Callable[[random.Random, list[Link]], tuple[list[Link], int]]


@pytest.fixture
def written(fresh_process: None) -> list[Link]:
    """An audit of some length, and its mirror level with it."""
    for number in range(1, LENGTH + 1):
        at = BEGUN + timedelta(seconds=number)
        write(
            by=None, verb=f"verb {number}", at=at, tenant=1 + number % 2, action=number, server_uuid="s-1", detail="d"
        )
    assert mirror().settle()
    verified()
    return [entry.link() for entry in Entry.objects.order_by("number")]


def verified() -> None:
    call_command("verify_audit", stdout=StringIO())


def named() -> int:
    """The number of the first bad entry, as it is told; 0 when all seems well."""
    try:
        verified()
    except CommandError as error:
        told = str(error)
    else:
        return 0
    number = re.match(r"Entry (\d+) ", told)
    assert number is not None, told
    return int(number[1])


def columns() -> list[str]:
    return [str(field.column) for field in Entry._meta.fields if field.column != "id"]


def rewrite(links: Iterable[Link]) -> None:
    """Put these in the table's place, past Django."""
    rows = [[getattr(link, column.removesuffix("_id")) for column in columns()] for link in links]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit_entry")
        marks = ", ".join(["%s"] * len(columns()))
        cursor.executemany(f"INSERT INTO audit_entry ({', '.join(columns())}) VALUES ({marks})", rows)


def chained(links: list[Link]) -> list[Link]:
    """The same, numbered and sealed anew by someone who knows the rule."""
    done: list[Link] = []
    for number, link in enumerate(links, 1):
        previous = done[-1].hash if done else BEGINNING
        done.append(msgspec.structs.replace(link, number=number, previous=previous).sealed())
    return done


def changed(link: Link) -> Link:
    return msgspec.structs.replace(link, username="mallory")


def one_sealed_anew(chance: random.Random, links: list[Link]) -> tuple[list[Link], int]:
    at = chance.randrange(len(links))
    links[at] = changed(links[at]).sealed()
    return links, at + 1 if at == len(links) - 1 else at + 2  # the next one holds what it was


def sealed_anew_from_there_on(chance: random.Random, links: list[Link]) -> tuple[list[Link], int]:
    at = chance.randrange(len(links))
    links[at] = changed(links[at])
    return chained(links), at + 1


def sealed_anew_for_a_while(chance: random.Random, links: list[Link]) -> tuple[list[Link], int]:
    at = chance.randrange(len(links) - 2)
    end = chance.randrange(at + 1, len(links) - 1)
    untouched = links[end + 1 :]
    links[at] = changed(links[at])
    return chained(links)[: end + 1] + untouched, end + 2


def deleted(chance: random.Random, links: list[Link]) -> tuple[list[Link], int]:
    at = chance.randrange(len(links))
    end = chance.randrange(at + 1, len(links) + 1)
    return links[:at] + links[end:], at + 1


def deleted_and_chained(chance: random.Random, links: list[Link]) -> tuple[list[Link], int]:
    rest, number = deleted(chance, links)
    return chained(rest), number


def swapped(chance: random.Random, links: list[Link]) -> tuple[list[Link], int]:
    one, other = sorted(chance.sample(range(len(links)), 2))
    links[one], links[other] = (
        msgspec.structs.replace(links[other], number=one + 1),
        msgspec.structs.replace(links[one], number=other + 1),
    )
    return links, one + 1


def inserted(chance: random.Random, links: list[Link]) -> tuple[list[Link], int]:
    at = chance.randrange(len(links))
    return chained([*links[:at], changed(links[at]), *links[at:]]), at + 1


def added(_: random.Random, links: list[Link]) -> tuple[list[Link], int]:
    return chained([*links, changed(links[-1])]), len(links) + 1


def renumbered(chance: random.Random, links: list[Link]) -> tuple[list[Link], int]:
    at, by = chance.randrange(len(links)), chance.randrange(1, 9)
    moved = [msgspec.structs.replace(link, number=link.number + by) for link in links[at:]]
    return links[:at] + moved, at + 1


def written_anew(_: random.Random, links: list[Link]) -> tuple[list[Link], int]:
    return chained([changed(link) for link in links]), 1


WAYS: list[Way] = [
    one_sealed_anew,
    sealed_anew_from_there_on,
    sealed_anew_for_a_while,
    deleted,
    deleted_and_chained,
    swapped,
    inserted,
    added,
    renumbered,
    written_anew,
]


def test_every_tampering_of_the_table_is_found_where_it_begins(written: list[Link]) -> None:
    chance = random.Random(4)
    for number in range(cases(60, full=600)):
        way = WAYS[number % len(WAYS)]
        with transaction.atomic():
            links, first = way(chance, list(written))
            rewrite(links)
            assert named() == first, way
            transaction.set_rollback(True)
    verified()


def test_a_field_that_is_changed_to_anything_is_found(written: list[Link]) -> None:
    chance = random.Random(5)
    fields = [(field, value) for field, values in FIELDS.items() for value in values]
    for number in range(cases(len(fields), full=200)):
        field, value = fields[number % len(fields)]
        at = chance.randrange(2, LENGTH + 1)
        with transaction.atomic(), connection.cursor() as cursor:
            try:
                cursor.execute(f"UPDATE audit_entry SET {field} = %s WHERE number = %s", [value, at])
            except IntegrityError:
                pass  # the table itself does not take it
            else:
                assert named() == at, (field, value)
            transaction.set_rollback(True)


def torn(chance: random.Random, lines: list[bytes]) -> tuple[bytes, int]:
    """A byte is another."""
    whole = bytearray(b"".join(lines))
    at = chance.randrange(len(whole))
    whole[at] ^= 1 << chance.randrange(8)
    return bytes(whole), whole.count(b"\n", 0, at) + 1


def lacking(chance: random.Random, lines: list[bytes]) -> tuple[bytes, int]:
    at = chance.randrange(len(lines))
    return b"".join(lines[:at] + lines[at + 1 :]), at + 1


def turned(chance: random.Random, lines: list[bytes]) -> tuple[bytes, int]:
    one, other = sorted(chance.sample(range(len(lines)), 2))
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines), one + 1


def doubled(chance: random.Random, lines: list[bytes]) -> tuple[bytes, int]:
    at = chance.randrange(len(lines))
    return b"".join(lines[: at + 1] + lines[at:]), at + 2


def cut_off(chance: random.Random, lines: list[bytes]) -> tuple[bytes, int]:
    """Anywhere, in the middle of a line too."""
    whole = b"".join(lines)
    kept = whole[: chance.randrange(len(whole))]
    return kept, kept.count(b"\n") + 1


def forged(chance: random.Random, lines: list[bytes]) -> tuple[bytes, int]:
    at = chance.randrange(len(lines))
    links = [msgspec.json.decode(line, type=Link) for line in lines]
    links[at] = changed(links[at])
    return b"".join(link.line() for link in chained(links)), at + 1


def gone_on(chance: random.Random, lines: list[bytes]) -> tuple[bytes, int]:
    more = chance.choice([b"x", b"\n", b"{}\n", lines[-1], lines[-1][:20]])
    return b"".join([*lines, more]), len(lines) + 1


TURNS: list[Callable[[random.Random, list[bytes]], tuple[bytes, int]]] = [
    torn,
    lacking,
    turned,
    doubled,
    cut_off,
    forged,
    gone_on,
]


def test_every_tampering_of_the_mirror_is_found_where_it_begins(written: list[Link]) -> None:
    chance = random.Random(6)
    path = mirror().path
    whole = path.read_bytes()
    for number in range(cases(35, full=300)):
        turn = TURNS[number % len(TURNS)]
        spoiled, first = turn(chance, whole.splitlines(keepends=True))
        path.write_bytes(spoiled)
        assert named() == first, turn
    path.write_bytes(whole)
    verified()


def test_a_mirror_that_is_gone_is_said(written: list[Link]) -> None:
    mirror().path.unlink()
    with pytest.raises(CommandError, match="There is no mirror"):
        verified()


def test_both_cut_off_at_the_same_place_are_found_by_whoever_kept_a_copy_of_the_mirror(written: list[Link]) -> None:
    """The one thing that neither can tell by itself: so the mirror is on a path of its own, and copied from there."""
    copy = mirror().path.read_bytes()
    rewrite(written[:-3])
    mirror().path.write_bytes(b"".join(link.line() for link in written[:-3]))
    verified()
    mirror().path.write_bytes(copy)
    assert named() == LENGTH - 2
