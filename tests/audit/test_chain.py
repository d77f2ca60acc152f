"""The chain: whatever is changed, dropped, added or moved is found, at the first entry that it touches."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from drdash.audit.chain import BEGINNING, Link, first_difference, first_flaw
from tests.sizes import cases

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


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
    found, beside = first_flaw(tampered), first_difference(tampered, mirrored(chain), now=LATER)
    cut_off = how == "drop" and at == length - 1
    forged_end = at == length - 1 and how in CHANGES and tampered[at].sealed() == tampered[at]
    # No entry after the last holds its hash: what happens there is seen beside the mirror.
    told = beside if cut_off or forged_end else found
    assert told is not None
    assert told.number in {at + 1, at + 2} or how == "number"


def test_a_mirror_that_lags_says_the_same_as_far_as_it_goes() -> None:
    chain = a_chain(5)
    soon = NOON + timedelta(seconds=59)
    assert first_difference(chain, mirrored(chain[:3]), now=soon) is None
    assert first_difference(chain, [], now=soon) is None


def test_a_mirror_that_does_not_go_on_was_cut_off() -> None:
    chain = a_chain(5)
    for now in (LATER, NOON - timedelta(minutes=2)):  # or what it lacks was written tomorrow
        flaw = first_difference(chain, mirrored(chain[:3]), now=now)
        assert flaw is not None
        assert (flaw.number, "Entry 4 is not in the mirror" in flaw.why) == (4, True)


def test_a_line_that_is_being_written_is_none() -> None:
    chain = a_chain(2)
    whole, begun = mirrored(chain)[0], mirrored(chain)[1][:-9]
    assert first_difference(chain, [whole, begun], now=NOON) is None
    for late_or_other in (
        first_difference(chain, [whole, begun], now=LATER),
        first_difference(chain, [begun], now=NOON),
    ):
        assert late_or_other is not None


def test_a_line_is_compared_to_the_byte() -> None:
    chain = a_chain(2)
    first, second = mirrored(chain)
    for spoiled in (second.replace(b":", b": ", 1), second.replace(b"{", b'{"more":1,', 1), b"not a line\n", b"\n"):
        flaw = first_difference(chain, [first, spoiled], now=NOON)
        assert flaw is not None
        assert flaw.number == 2


def mirrored(chain: list[Link]) -> list[bytes]:
    return [link.line() for link in chain]
