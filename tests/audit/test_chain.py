"""The chain: whatever is changed, dropped, added or moved is found, at the first entry that it touches."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drdash.audit.chain import BEGINNING, Link, first_difference, first_flaw, lines
from tests.sizes import cases

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def a_chain(length: int) -> list[Link]:
    chain: list[Link] = []
    for number in range(1, length + 1):
        link = Link(
            number=number,
            at=NOON + timedelta(microseconds=number),
            tenant=number % 3 or None,
            user=number % 2 or None,
            username="alice",
            verb="start_failover_test Requested",
            action=number,
            server_uuid="s-1",
            detail="",
            previous=chain[-1].hash if chain else BEGINNING,
        )
        chain.append(link.sealed())
    return chain


def test_what_was_written_is_whole() -> None:
    assert first_flaw(a_chain(20)) is None
    assert first_flaw([]) is None


def test_the_hash_is_of_the_moment_whatever_the_zone_it_is_told_in() -> None:
    link = a_chain(1)[0]
    elsewhere = msgspec.structs.replace(link, at=link.at.astimezone(timezone(timedelta(hours=9))))
    assert elsewhere.sealed() == link


CHANGES: dict[str, Any] = {
    "number": 900,
    "at": NOON - timedelta(days=1),
    "tenant": 77,
    "user": 77,
    "username": "mallory",
    "verb": "connected",
    "action": 77,
    "server_uuid": "s-2",
    "detail": "nothing happened",
    "previous": "0" * 64,
    "hash": "0" * 64,
}


@given(st.integers(2, 12), st.data())
@settings(max_examples=cases(60, full=1000), deadline=None)
def test_any_tampering_is_found_where_it_begins(length: int, data: st.DataObject) -> None:
    chain = a_chain(length)
    at = data.draw(st.integers(0, length - 1))
    how = data.draw(st.sampled_from(["drop", "double", "swap", *CHANGES]))
    tampered = list(chain)
    if how == "drop":
        del tampered[at]
    elif how == "double":
        tampered.insert(at, chain[at])
        at += 1
    elif how == "swap":
        at = min(at, length - 2)
        tampered[at], tampered[at + 1] = chain[at + 1], chain[at]
    else:
        tampered[at] = msgspec.structs.replace(chain[at], **{how: CHANGES[how]})
        if data.draw(st.booleans()) and how not in {"hash", "previous", "number"}:
            tampered[at] = tampered[at].sealed()  # the forger knows the rule
    found, beside = first_flaw(tampered), first_difference(tampered, chain)
    cut_off = how == "drop" and at == length - 1
    forged_end = at == length - 1 and how in CHANGES and tampered[at].sealed() == tampered[at]
    # No entry after the last holds its hash: what happens there is seen beside the mirror.
    told = beside if cut_off or forged_end else found
    assert told is not None
    assert told.number in {at + 1, at + 2} or how == "number"


def test_a_mirror_that_lags_says_the_same_as_far_as_it_goes() -> None:
    chain = a_chain(5)
    assert first_difference(chain, chain[:3]) is None


def test_a_line_that_a_crash_cut_off_is_no_line() -> None:
    chain = a_chain(2)
    raw = [msgspec.json.encode(link) + b"\n" for link in chain]
    assert list(lines(raw)) == chain
    assert list(lines([raw[0], raw[1][:-9]])) == chain[:1]
    with pytest.raises(msgspec.MsgspecError):
        list(lines([b"{}\n"]))
