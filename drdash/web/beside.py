"""Asking the APIs beside the DR API for a page: never waited for by anything else, and each refusal in words."""

import threading
from collections.abc import Callable
from typing import TypeVar

import msgspec

from drdash.clock import boot_seconds
from drdash.cloud.errors import CloudError, Forbidden, NotFound, TooManyRequests
from drdash.cloud.neighbours.screenshots import LARGEST
from drdash.cloud.transport import Reply
from drdash.estate.clients import reader
from drdash.tenants.models import Tenant
from drdash.tenants.secrets import Unopenable

SECONDS = 5.0
# So many threads at once may wait for them: the others are for pages and actions.
AT_ONCE = 8

Get = Callable[[str], Reply]
_Value = TypeVar("_Value")
_slots = threading.BoundedSemaphore(AT_ONCE)


class Neighbour(msgspec.Struct, frozen=True):
    """One of those APIs: what it shows, and which permission shows it."""

    what: str
    permission: str
    limit: int


class Trouble(msgspec.Struct, frozen=True):
    """Why there is nothing to show, in a sentence. ``passing``: whether to ask again soon may help."""

    sentence: str
    passing: bool


BACKUPS = Neighbour(
    "recovery points",
    "The right to read backups would add them (vault_manager::read or protection::readonly).",
    8 * 1024 * 1024,
)
TASKS = Neighbour(
    "the progress of tasks",
    "The right to see tasks would add it (urn:acronis.com::task_manager::viewer).",
    1024 * 1024,
)
SCREENSHOTS = Neighbour(
    "screenshots",
    "The right to read disaster recovery would add them "
    "(dr_service::admin, dr::support_operator or protection::readonly).",
    LARGEST,
)


def ask(tenant: Tenant, beside: Neighbour, read: Callable[[Get], _Value]) -> _Value | Trouble:
    """What ``read`` makes of the answers, all of them within SECONDS; nothing is sent while the cloud wants to wait."""
    if tenant.paused:
        return Trouble("This tenant is paused: the cloud is not asked.", passing=False)
    if not _slots.acquire(blocking=False):
        return Trouble("Too much is being asked of the cloud just now: try again in a moment.", passing=True)
    try:
        client, ends = reader(tenant), boot_seconds() + SECONDS
        return read(lambda path: client.beside(path, deadline=ends - boot_seconds(), limit=beside.limit))
    except TooManyRequests as error:
        return Trouble(str(error), passing=True)
    except Forbidden:
        return Trouble(f"The cloud does not show {beside.what} to this credential. {beside.permission}", passing=False)
    except NotFound:
        sentence = f"The cloud has nothing there, or hides {beside.what} from this credential. {beside.permission}"
        return Trouble(sentence, passing=False)
    except Unopenable:
        return Trouble("The cloud's credential cannot be used: connect it again.", passing=False)
    except CloudError as error:
        return Trouble(f"{beside.what[:1].upper()}{beside.what[1:]} could not be read. {error}", passing=True)
    finally:
        _slots.release()
