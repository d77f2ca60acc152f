"""Each code that the cloud is known to use has plain words: what it means, what clears it, who can."""

import pytest
from django.contrib.auth.models import User

from drdash.cloud.records import Server
from drdash.failover.reasons import OWN_REASONS, Remedy, remedy_of
from drdash.simulator import issues
from drdash.simulator.simulation import Simulator
from drdash.web.help import UNKNOWN, help_of
from tests.stack import Poll
from tests.web.kept import Person

# As the cloud's documentation lists them.
LISTED = [
    "SiteNotReady",
    "ServerNotReady",
    "ResourceBusy",
    "NotAllowed",
    "VPNGatewayUnreachable",
    "ServerNotLicensed",
    "QuotaExceededBaseDR",
    "QuotaExceededCloudServers",
    "QuotaExceededComputePoints",
    "QuotaExceededDrStorage",
    "BaseDrTestFailoverLimitReached",
    "SubscriptionNotFoundAzureDR",
    "SubscriptionNotFoundDrStorage",
    "SubscriptionNotFoundComputePoints",
    "SubscriptionNotFoundCloudServers",
    "CloudConnectionIssue",
    "CloudConnectionWorkerIssue",
    "VPNS2SApplianceNotRegistered",
    "VPNS2SApplianceUnreachable",
    "VPNS2SConnectionFailure",
    "VPNIPSecNotConfigured",
    "VPNIPSecConnectionError",
    "QuotaReachedDrStorage",
    "QuotaReachedCloudServers",
    "QuotaReachedComputePoints",
    "BadRequest",
    "Unauthorized",
    "MethodNotAllowed",
    "EntityNotFound",
    "TooManyRequests",
    "InternalError",
]
SIMULATED = [*issues._DISASTER_RECOVERY, *issues._LICENSING]


@pytest.mark.parametrize("code", sorted({*LISTED, *SIMULATED}))
def test_each_known_code_has_words_of_its_own(code: str) -> None:
    told = help_of(code)
    assert told is not None
    assert told is not UNKNOWN
    others = [help_of(other) for other in {*LISTED, *SIMULATED} - {code}]
    assert told.means not in [other.means for other in others if other]
    for sentence in (told.means, told.clears):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
    assert not told.who.endswith(".")


def test_a_code_of_a_known_family_is_told_what_the_family_has_in_common() -> None:
    told = help_of("QuotaExceededSomethingNew")
    assert told not in (None, UNKNOWN)


@pytest.mark.parametrize("code", ["BrandNew", "", "Unnamed", "resourcebusy"])
def test_an_unknown_code_is_said_to_be_unknown(code: str) -> None:
    assert help_of(code) is UNKNOWN


def test_reasons_of_our_own_say_it_themselves() -> None:
    assert [help_of(code) for code in OWN_REASONS] == [None] * len(OWN_REASONS)


def test_what_is_waited_for_asks_for_nobody() -> None:
    for code in LISTED:
        if remedy_of(code) is Remedy.WAIT:
            told = help_of(code)
            assert told is not None
            assert told.who.startswith("Nobody has to do anything")


def test_the_server_s_page_explains_what_blocks_it(
    simulator: Simulator, server: Server, alice: User, polled: Poll
) -> None:
    codes = [["QuotaExceededComputePoints", "ERROR"], ["BrandNew", "ERROR"]]
    simulator.force_server(server.uuid, issues=codes)
    polled()
    page = Person(alice).open(f"/servers/{server.uuid}/")
    quota = help_of("QuotaExceededComputePoints")
    assert quota is not None
    buttons, listed = page.split('aria-labelledby="issues-')
    for part in (buttons, listed):
        assert quota.clears in part
        assert "not among those that are known here" in part
    ids = [one.split('"')[0] for one in page.split('<details class="help" id="')[1:]]
    assert len(ids) == len(set(ids)) > 2
