"""What the JSON API takes and gives, to the field; the schema is made of the same types."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from drdash.failover.guard import Kind
from drdash.failover.models import State
from drdash.failover.reasons import Remedy
from drdash.web.api_cloud import CloudServer, CloudSite, Moment

# PostgreSQL takes no NUL in a text.
Code = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]
StateName = Annotated[str, Meta(extra_json_schema={"enum": [state.value for state in State]})]
Password = Annotated[str, Meta(min_length=1, max_length=4096, extra_json_schema={"format": "password"})]
PointId = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[a-zA-Z0-9@-]+$")]


class Problem(msgspec.Struct, frozen=True):
    """Why a request was not carried out, and what to do, in a sentence."""

    detail: str


class Why(msgspec.Struct, frozen=True):
    """One reason that stands against an action, and whether to wait, to fix something or to ask someone."""

    code: str
    message: str
    remedy: Remedy
    task_uuids: tuple[str, ...]


class Offer(msgspec.Struct, frozen=True):
    """Whether an action is open to you, judged from what was last seen; a click is judged anew, on a fresh read.

    `acknowledge`: the codes that have to be sent along. `break_glass`: whether an admin can go over the reasons.
    """

    allowed: bool
    break_glass: bool
    reasons: tuple[Why, ...]
    acknowledge: tuple[str, ...]


class Offers(msgspec.Struct, frozen=True):
    """The three actions on a server."""

    start_failover_test: Offer
    start_failover_prod: Offer
    stop_failover: Offer


class EstateState(msgspec.Struct, frozen=True):
    """How fresh a tenant's data is. `as_of` null: never polled. `error`: what is wrong with the polling, or null."""

    tenant: int
    version: int
    as_of: Moment | None
    age_seconds: float | None
    stale: bool
    error: str | None


class Server(CloudServer, kw_only=True):
    """A server: the cloud's fields as it sent them (there may be more of them), and ours.

    `missing_since`: the cloud no longer lists it since then.
    """

    tenant: int
    missing_since: Moment | None
    actions: Offers


class Site(CloudSite, kw_only=True):
    """A site: the cloud's fields as it sent them (there may be more of them), and ours.

    `missing_since`: the cloud no longer lists it since then.
    """

    tenant: int
    missing_since: Moment | None


class OneServer(Server, kw_only=True):
    """A server by itself, with how fresh it is."""

    estate: EstateState


class OneSite(Site, kw_only=True):
    """A site by itself, with how fresh it is."""

    estate: EstateState


class Action(msgspec.Struct, frozen=True):
    """One person's wish to start or stop one failover. `accepted` is the cloud's word that it will; only what is seen
    later makes it `succeeded`. `unknown`: nobody can say whether the cloud took it; a person has to look."""

    id: int
    action: Kind
    server: str
    state: StateName
    requested_by: str
    requested_at: Moment
    sent_at: Moment | None
    finished_at: Moment | None
    task_uuid: str | None
    error: str | None


class Page(msgspec.Struct, kw_only=True):
    count: int
    next: str | None
    previous: str | None
    estate: list[EstateState]


class ServerPage(Page, kw_only=True):
    """A part of the list of servers, and how fresh the estates are that it is taken from."""

    results: list[Server]


class SitePage(Page, kw_only=True):
    """A part of the list of sites, and how fresh the estates are that it is taken from."""

    results: list[Site]


class ActionPage(Page, kw_only=True):
    """A part of the list of actions, newest first, and how fresh the estates are that they work on."""

    results: list[Action]


class Refusal(msgspec.Struct, frozen=True):
    """An action that was not sent. `action`: its record, if there is one; `reasons`: all that stands against it."""

    detail: str
    reasons: tuple[Why, ...] = ()
    action: Action | None = None


class PointWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A recovery point: all three ids."""

    backup_id: PointId
    archive_id: PointId
    vault_id: PointId


class BreakGlass(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Going over what is not known, or stands against a start of production: where the offer says `break_glass`. The
    reason is told to everyone of the tenant, and stays in the audit.
    """

    reason: Annotated[str, Meta(min_length=20, max_length=2000, pattern=r"^[^\x00]*$")]
    password: Password


class NewAction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An action to carry out now.

    `recovery_point`: left out, the latest is used; a stop takes none. `acknowledge`: every code that the offer asks
    for. `confirm`: the server's name, where it counts as production. `idempotency_key`: the same key with the same
    content is the same action, however often it is sent. `seen`: the estate's version that you decided on; what has
    changed for the worse since then stops the action. `password`: yours, for production from a session whose sign-in is
    older than 5 minutes; a token needs the right to production instead, which an admin gives to it. `break_glass`: for
    a start of production alone, and always with your password. `approval`: the number of a second admin's approval,
    where the tenant takes two persons for production (else 409 with `NeedsApproval`). It is asked for and given on the
    pages, and holds for you, the server, the action and the recovery point, once, as long as nothing changes.
    """

    action: Kind
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[!-~]+$")]
    recovery_point: PointWanted | UnsetType = UNSET
    acknowledge: Annotated[list[Code], Meta(max_length=100)] = []
    confirm: Annotated[str, Meta(max_length=1000)] = ""
    seen: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    password: Password | UnsetType = UNSET
    break_glass: BreakGlass | UnsetType = UNSET
    approval: Annotated[int, Meta(ge=1, le=2**31 - 1)] | UnsetType = UNSET
