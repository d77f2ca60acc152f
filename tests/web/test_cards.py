import json
from typing import Any

import pytest

from drdash.cloud.words import ServerStatus
from drdash.estate.snapshot import Seen
from drdash.web import cards, facts, wording
from drdash.web.cards import ServerCard
from drdash.web.templatetags.drdash import link_out, outward
from drdash.web.wording import look_of, sentence
from tests.web.seen import estate, issue, server, site


def card(**fields: Any) -> ServerCard:
    return cards.server_card(Seen(server(**fields), 1), site())


def test_every_status_of_the_references_has_words() -> None:
    assert set(wording.SERVER_STATUS) == set(ServerStatus)


@pytest.mark.parametrize("value", ["NEBULOUS", "ok", "", None])
def test_a_word_that_is_not_listed_is_never_green(value: str | None) -> None:
    for looks in (wording.SERVER_STATUS, wording.READINESS, wording.RPO, wording.AUTOMATED_TEST, wording.SITE_STATUS):
        look = look_of(looks, value)
        assert (look.tone, look.icon) == ("still", "unknown")
        assert look.word == (value or "Not said")


def test_no_status_of_a_server_is_green() -> None:
    assert not [status for status, look in wording.SERVER_STATUS.items() if look.tone == "good"]


def test_missing_issues_are_not_no_issues() -> None:
    assert card(_issues=[]).worst.tone == "good"
    assert card(_issues=None).worst == cards.ISSUES_UNSAID
    assert card(_issues=["nonsense"]).worst == cards.ISSUES_UNSAID


def test_an_issue_of_unknown_severity_is_not_harmless() -> None:
    assert card(_issues=[issue("Odd", "catastrophe")]).worst.tone == "warn"


def test_the_worst_issue_gives_the_tone() -> None:
    assert card(_issues=[issue("A", "warning"), issue("B", "error")]).worst.tone == "bad"


def test_a_server_that_is_only_busy_is_called_busy() -> None:
    assert (
        card(_issues=[issue("ResourceBusy", rel=rel) for rel in ("STOP_FAILOVER", "START_FAILOVER_PROD")]).worst.word
        == "Busy"
    )


def test_an_automated_test_is_green_only_when_it_succeeded() -> None:
    def test(**fields: Any) -> str:
        return card(recovery={"automated_test_failover": fields}).automated.tone

    assert test(schedule="DAILY", last_status="SUCCESS") == "good"
    assert test(schedule="DAILY", last_status="FAILURE") == "bad"
    assert test(schedule="DAILY", last_status=None) == "warn"
    assert test(schedule="NEVER") == "still"
    assert test(schedule="DAILY", last_status="PERHAPS") == "still"
    assert card().automated.tone == "still"


def test_a_server_without_a_name_is_called_by_its_id() -> None:
    assert card(name=None).name == "s-1"


def test_a_site_is_called_by_the_beginning_of_its_uuid_or_by_its_whole_odd_id() -> None:
    assert cards.site_name("06bad843-569b-4f7a-bc6b-741aab5be247", None).short == "06bad843"
    assert cards.site_name("my site", None).short == "my site"
    assert cards.site_name("", None).short == "no site"


def test_a_site_without_readiness_says_so() -> None:
    one = site(failover_readiness=None)
    assert cards.site_card(Seen(one, 1), estate(sites=(one,))).readiness.word == "Readiness not said"


def test_links_that_start_and_stop_are_not_for_following() -> None:
    assert card().links == ()


def test_every_field_is_shown_even_unknown_ones() -> None:
    one = server(zeta={"deep": [{"down": True}]}, _links=[], archive_credentials_id="a@archive")
    told = {fact.label: (group.title, fact.text) for group in facts.groups(one.json, "Server") for fact in group.facts}
    assert told["Down"] == ("Server · Zeta · Deep 1", "yes")
    assert told["RAM"] == ("Server · VM", "4096 MiB")
    assert told["Archive credentials ID"][1] == "a@archive"


def test_fields_that_hold_secrets_and_backup_uris_are_not_shown() -> None:
    one = server(
        access_token="hush", recovery={"active_failover": {"backup_uri": "avfs:/hush", "admin_password": "hush"}}
    )
    assert "hush" not in str(facts.groups(one.json, "Server"))


@pytest.mark.parametrize("odd", [None, 3, [], {}, [[1], {}], "x", {"a": {}}, [{}]])
def test_facts_survive_any_shape(odd: Any) -> None:
    facts.groups(json.dumps({"uuid": "u", "odd": odd}).encode(), "Server")


@pytest.mark.parametrize("label", ["", "_", "__a__", "x"])
def test_a_label_of_any_shape_reads(label: str) -> None:
    assert sentence(label) in {"", "_", "A", "X"}


@pytest.mark.parametrize(
    "href", ["javascript:alert(1)", "//evil.example", "ftp://x/y", "data:text/html,x", "", "http://["]
)
def test_what_is_no_web_address_is_not_linked(href: str) -> None:
    assert outward(href) == ""
    assert "<a" not in link_out(href, "Console")


def test_a_link_out_opens_apart_and_tells_nothing_of_here() -> None:
    assert 'target="_blank" rel="noopener noreferrer"' in link_out("https://cloud.example/?a=1&b=<x>")
    assert "<x>" not in link_out("https://cloud.example/?a=1&b=<x>")
