"""Filters and parts of the lists of the JSON API."""

import pytest
from django.contrib.auth.models import User

from drdash.cloud.records import Server
from drdash.simulator.server import running
from drdash.tasks import poll
from drdash.tenants.models import Tenant
from tests.stack import Poll, connected
from tests.web.asking import Program


def test_filters_choose_servers(polled: Poll, tenant: Tenant, server: Server, alice: User) -> None:
    def found(**filters: object) -> list[str]:
        return [one["uuid"] for one in Program(alice).read("servers/", limit=200, **filters)["results"]]

    everything = Program(alice).read("servers/", limit=200)["results"]
    assert found(type="recovery") == [one["uuid"] for one in everything if one["type"] == "RECOVERY"]
    assert found(status="stand_by") == [one["uuid"] for one in everything if one["status"] == "STAND_BY"]
    assert found(status="NO_SUCH_STATUS") == []
    site = [one["uuid"] for one in everything if one["site_uuid"] == server.site_uuid]
    assert found(site=server.site_uuid.upper()) == site
    assert found(tenant=tenant.pk) == [one["uuid"] for one in everything]
    assert found(tenant=f"00{tenant.pk}", q=server.name) == found(q=server.name.upper())
    assert server.uuid in found(q=server.name)
    assert found(q=server.uuid[:13]) == [server.uuid]
    assert found(tenant=999_999) == []
    assert Program(alice).read("servers/", tenant=999_999)["estate"] == []
    assert found(type="PRIMARY", blocked="true") == []
    by_issues = [one for value in ("error", "warning", "none", "unsaid") for one in found(issues=value)]
    assert sorted(by_issues) == sorted(one["uuid"] for one in everything)
    assert found(vm="stopped") == [one["uuid"] for one in everything if one["vm"]["status"] == "STOPPED"]
    assert server.uuid in found(issues="NONE", readiness="ok")
    assert sorted(found(tested="never") + found(tested="once")) == sorted(found(type="RECOVERY"))
    assert found(missing="true") == []
    assert set(found(backup="late")) < set(found(type="RECOVERY"))


@pytest.mark.parametrize(
    ("path", "query"),
    [
        *((path, query) for path in ("servers/", "sites/", "actions/") for query in (
            "limit=0", "limit=201", "limit=-1", "limit=x", "limit=1.5", "limit=", "limit=%EF%BC%91", "limit=1e1",
            "offset=-1", "offset=x", "offset=", "offset=9999999999999999999999", "limit=%00", "limit=+1",
        )),
        *(("servers/", query) for query in (
            "type=ALL", "type=", "type=%ff", "blocked=yes", "blocked=", "blocked=1", "tenant=x", "tenant=-1", "tenant=",
            "tenant=%D9%A1", "issues=ERRORS", "issues=", "backup=ok", "tested=x", "missing=false",
        )),
    ],
)  # fmt: skip
def test_nonsense_in_a_query_is_refused_with_a_sentence(alice: User, path: str, query: str) -> None:
    answer = Program(alice).get(f"{path}?{query}")
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(f"'{query.partition('=')[0]}' is ")


@pytest.mark.parametrize(
    "query", ["q=%00", "q=%ff", "site=%00", "status=%ed%a0%80", f"q={4000 * chr(120)}", "%ff=%ff", "&&="]
)
def test_odd_queries_find_nothing_or_everything(polled: Poll, alice: User, query: str) -> None:
    assert Program(alice).get(f"servers/?{query}").status_code == 200


def test_pages_follow_each_other_through_the_whole_list(polled: Poll, alice: User) -> None:
    program = Program(alice)
    whole = [one["uuid"] for one in program.read("servers/", limit=200)["results"]]
    page = program.read("servers/", limit=7, q="", status="")
    found = [page]
    while page["next"]:
        page = program.read(page["next"].partition("/api/v1/")[2])
        found.append(page)
    assert [one["uuid"] for page in found for one in page["results"]] == whole
    assert [len(page["results"]) for page in found] == [7, 7, 7, 7, 7, 5]
    back = program.read(found[1]["previous"].partition("/api/v1/")[2])
    assert back["results"] == found[0]["results"]
    assert program.read("servers/", offset=40)["results"] == []
    assert program.read("servers/", offset=3, limit=5)["previous"].endswith("offset=0&limit=5")


def test_a_part_has_fifty_by_default(alice: User, fresh_process: None) -> None:
    with running("quiet", servers=61) as large:
        poll(connected(large, "Large", admin="alice").pk)
    page = Program(alice).read("servers/")
    assert (page["count"], len(page["results"])) == (61, 50)
    assert "limit=50" in page["next"]
    assert "offset=50" in page["next"]
