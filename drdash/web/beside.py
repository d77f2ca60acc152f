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
from drdash.web.phrases import Phrase, phrase
from drdash.web.said import stored

SECONDS = 5.0
# So many threads at once may wait for them: the others are for pages and actions.
AT_ONCE = 8

Get = Callable[[str], Reply]
_Value = TypeVar("_Value")
_slots = threading.BoundedSemaphore(AT_ONCE)


class Neighbour(msgspec.Struct, frozen=True):
    """One of those APIs: what is said when it is not allowed, or hidden, or cannot be read."""

    forbidden: str
    hidden: str
    unread: str
    limit: int


class Trouble(msgspec.Struct, frozen=True):
    """Why there is nothing to show, in a sentence. ``passing``: whether to ask again soon may help."""

    sentence: str
    passing: bool


BACKUPS = Neighbour(
    phrase(
        "The cloud does not show recovery points to this credential. "
        "The right to read backups would add them (vault_manager::read or protection::readonly)."
    ),
    phrase(
        "The cloud has nothing there, or hides recovery points from this credential. "
        "The right to read backups would add them (vault_manager::read or protection::readonly)."
    ),
    phrase("Recovery points could not be read. %(error)s"),
    8 * 1024 * 1024,
)
TASKS = Neighbour(
    phrase(
        "The cloud does not show the progress of tasks to this credential. "
        "The right to see tasks would add it (urn:acronis.com::task_manager::viewer)."
    ),
    phrase(
        "The cloud has nothing there, or hides the progress of tasks from this credential. "
        "The right to see tasks would add it (urn:acronis.com::task_manager::viewer)."
    ),
    phrase("The progress of tasks could not be read. %(error)s"),
    1024 * 1024,
)
SCREENSHOTS = Neighbour(
    phrase(
        "The cloud does not show screenshots to this credential. The right to read disaster recovery would add them "
        "(dr_service::admin, dr::support_operator or protection::readonly)."
    ),
    phrase(
        "The cloud has nothing there, or hides screenshots from this credential. The right to read disaster recovery "
        "would add them (dr_service::admin, dr::support_operator or protection::readonly)."
    ),
    phrase("Screenshots could not be read. %(error)s"),
    LARGEST,
)


def ask(tenant: Tenant, beside: Neighbour, read: Callable[[Get], _Value]) -> _Value | Trouble:
    """What ``read`` makes of the answers, all of them within SECONDS; nothing is sent while the cloud wants to wait."""
    if tenant.paused:
        return Trouble(phrase("This tenant is paused: the cloud is not asked."), passing=False)
    if not _slots.acquire(blocking=False):
        return Trouble(phrase("Too much is being asked of the cloud just now: try again in a moment."), passing=True)
    try:
        client, ends = reader(tenant), boot_seconds() + SECONDS
        return read(lambda path: client.beside(path, deadline=ends - boot_seconds(), limit=beside.limit))
    except TooManyRequests as error:
        return Trouble(stored(str(error)), passing=True)
    except Forbidden:
        return Trouble(beside.forbidden, passing=False)
    except NotFound:
        return Trouble(beside.hidden, passing=False)
    except Unopenable:
        return Trouble(phrase("The cloud's credential cannot be used: connect it again."), passing=False)
    except CloudError as error:
        return Trouble(Phrase(beside.unread, {"error": stored(str(error))}), passing=True)
    finally:
        _slots.release()
