"""What the tests of this room have in common: a person's sign-in at the cloud, and a partner connected."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.contrib.auth.models import User

from drdash.clock import boot_seconds
from drdash.cloud import consent
from drdash.cloud.account import Grant
from drdash.cloud.oauth import Token
from drdash.simulator.server import running
from drdash.simulator.simulation import Simulator
from drdash.tenants.accounts import typed
from drdash.tenants.connect import Connected, connect
from drdash.tenants.models import Tenant

BACK = "http://127.0.0.1:8000/connect/back/"


def signed_in(simulator: Simulator) -> Token:
    """What the cloud gives for a person who signs in there and agrees."""
    account = typed(
        cloud=simulator.url,
        grant=Grant.AUTHORIZATION_CODE,
        client_id=simulator.client_id,
        client_secret=simulator.client_secret,
    )
    verifier = consent.verifier()
    url = consent.authorize_url(account, redirect_uri=BACK, state="s", verifier=verifier)
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', requests.get(url, timeout=10).text))
    decided = requests.post(url, data=fields | {"decision": "allow"}, allow_redirects=False, timeout=10)
    (code,) = parse_qs(urlsplit(decided.headers["Location"]).query)["code"]
    return consent.redeem(
        account,
        code=code,
        verifier=verifier,
        redirect_uri=BACK,
        now=simulator.wall,
        monotonic=boot_seconds,
        deadline=10,
    )


@pytest.fixture
def partner() -> Iterator[Simulator]:
    """A partner with three customers."""
    with running("partner", customers=3) as simulator:
        yield simulator


def customers(simulator: Simulator) -> list[str]:
    """The uuids of a partner's customers."""
    return list(simulator.worlds)


def name_of(simulator: Simulator, uuid: str) -> str:
    tenant = simulator.issuer.directory.tenant(uuid)
    assert tenant is not None
    return tenant.name


def connected(simulator: Simulator, **changed: Any) -> Connected:
    """The partner, connected."""
    usual: dict[str, Any] = {
        "by": None,
        "name": "Quayside",
        "cloud": simulator.url,
        "grant": Grant.JWT_BEARER,
        "client_id": simulator.partner_id,
    }
    if "client_secret" not in changed:
        usual["client_secret"] = simulator.partner_secret
    return connect(**{**usual, **changed})


@pytest.fixture
def root(fresh_process: None) -> User:
    return User.objects.create_superuser("root", password="root")


def names() -> list[str]:
    """The tenants that are watched."""
    return list(Tenant.objects.filter(removed_at=None).values_list("name", flat=True))
