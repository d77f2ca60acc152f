"""Entries are only ever added, one after the other, and each is in the mirror soon after."""

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from drdash.audit.chain import Link, first_flaw
from drdash.audit.mirror import Mirror, mirror
from drdash.audit.models import AppendOnly, Entry
from drdash.audit.record import write


@pytest.fixture(autouse=True)
def fresh(fresh_process: None) -> None:
    """An empty audit, and no mirror yet."""


def wrote(*verbs: str) -> None:
    for verb in verbs:
        write(by=None, verb=verb, at=timezone.now(), tenant=1, detail="a\0b")


def verified() -> str:
    told = StringIO()
    call_command("verify_audit", stdout=told)
    return told.getvalue()


def tampered(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def test_entries_follow_each_other_also_from_many_threads() -> None:
    def one(number: int) -> None:
        wrote(f"verb {number}")
        connection.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(one, range(12)))
    entries = list(Entry.objects.order_by("number"))
    assert [entry.number for entry in entries] == list(range(1, 13))
    assert first_flaw(entry.link() for entry in entries) is None
    assert {entry.detail for entry in entries} == {"ab"}


def test_what_is_rolled_back_leaves_no_gap() -> None:
    wrote("first")
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        wrote("second")
        raise ZeroDivisionError
    wrote("third")
    assert [(entry.number, entry.verb) for entry in Entry.objects.order_by("number")] == [(1, "first"), (2, "third")]


def test_no_way_through_django_changes_or_deletes_an_entry() -> None:
    wrote("armed")
    entry = Entry.objects.get()
    entry.verb = "paused"
    for change in (
        entry.save,
        entry.delete,
        Entry.objects.all().delete,
        lambda: Entry.objects.update(verb="paused"),
        lambda: Entry.objects.bulk_update([entry], ["verb"]),
        lambda: Entry.objects.filter(pk=entry.pk).update(verb="paused"),
    ):
        with pytest.raises(AppendOnly):
            change()
    assert Entry.objects.get().verb == "armed"


def test_the_mirror_has_each_entry_soon_and_says_the_same() -> None:
    wrote("one", "two", "three")
    assert mirror().settle()
    lines = [msgspec.json.decode(line, type=Link) for line in mirror().path.read_bytes().splitlines()]
    assert [line.verb for line in lines] == ["one", "two", "three"]
    assert mirror().path.stat().st_mode & 0o777 == 0o600
    assert "3 entries" in verified()
    assert "says the same" in verified()


def test_a_line_that_a_crash_cut_off_is_written_anew() -> None:
    wrote("one", "two")
    assert mirror().settle()
    whole = mirror().path.read_bytes()
    mirror().path.write_bytes(whole[:-20])
    wrote("three")
    assert mirror().settle()
    assert mirror().path.read_bytes().startswith(whole)
    assert "3 entries" in verified()


def test_very_long_lines_are_found_again() -> None:
    for text in ("x" * 200_000, "y" * 70_000):
        write(by=None, verb="v", at=timezone.now(), detail=text)
        assert mirror().settle()
    again = Mirror(mirror().path)
    again.level()
    assert mirror().path.read_bytes().count(b"\n") == 2


def test_the_command_names_the_first_bad_entry() -> None:
    wrote("one", "two", "three")
    assert mirror().settle()
    for sql, said in (
        ("UPDATE audit_entry SET verb = 'nothing' WHERE number = 2", "Entry 2 was changed"),
        ("UPDATE audit_entry SET verb = 'two' WHERE number = 2", ""),
        ("DELETE FROM audit_entry WHERE number = 3", "Entry 3 is in the mirror alone"),
        ("DELETE FROM audit_entry WHERE number = 1", "Entry 1 is missing"),
    ):
        tampered(sql)
        if said:
            with pytest.raises(CommandError, match=said):
                verified()
        else:
            verified()


def test_a_mirror_that_someone_wrote_into_is_named() -> None:
    wrote("one", "two")
    assert mirror().settle()
    first, second = mirror().path.read_bytes().splitlines(keepends=True)
    mirror().path.write_bytes(first.replace(b'"one"', b'"eno"') + second)
    with pytest.raises(CommandError, match="Entry 1 is not what the mirror says"):
        verified()
    mirror().path.write_bytes(first + b"not a line\n")
    with pytest.raises(CommandError, match="Entry 2 is not what the mirror says"):
        verified()
    mirror().path.unlink()
    with pytest.raises(CommandError, match="There is no mirror"):
        verified()


def test_a_mirror_that_cannot_be_written_is_an_alarm_and_no_obstacle(tmp_path: Path) -> None:
    wrote("one")
    assert mirror().settle()
    (tmp_path / "file").touch()
    broken = Mirror(tmp_path / "file" / "audit.jsonl")
    broken.wake()
    with broken._changed:
        assert broken._changed.wait_for(lambda: broken._problem != "", 10)
    assert "cannot be written" in broken.alarm()
    assert not broken.settle(0)
    broken.close()


def test_a_mirror_that_hangs_is_an_alarm_after_two_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.jsonl"
    held = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_EX)  # whoever wants to write waits for the test
    now = [0.0]
    monkeypatch.setattr("drdash.audit.mirror.boot_seconds", lambda: now[0])
    hanging = Mirror(path)
    hanging.wake()
    now[0] = 1.9
    assert hanging.alarm() == ""
    now[0] = 2.1
    assert "does not answer" in hanging.alarm()
    hanging.close()
    os.close(held)


def test_the_mirror_of_another_audit_is_not_gone_on_with(tmp_path: Path) -> None:
    wrote("one")
    assert mirror().settle()
    link = Entry.objects.get().link()
    foreign = Mirror(tmp_path / "audit.jsonl")
    other = msgspec.structs.replace(link, verb="other").sealed()
    foreign.path.write_bytes(msgspec.json.encode(other) + b"\n")
    foreign.wake()
    with foreign._changed:
        assert foreign._changed.wait_for(lambda: foreign._problem != "", 10)
    assert "is not of this audit" in foreign.alarm()
    foreign.close()
    assert foreign.path.read_bytes().count(b"\n") == 1


def test_who_did_it_is_named(django_user_model: type[User]) -> None:
    alice = django_user_model.objects.create_user("alice", password="simulated-secret-of-alice")
    write(by=alice, verb="armed", at=timezone.now())
    entry = Entry.objects.get()
    assert (entry.user_id, entry.username) == (alice.pk, "alice")
