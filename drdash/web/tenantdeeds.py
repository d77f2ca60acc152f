"""What an admin can do with a tenant: who does it, and its words."""

from collections.abc import Callable

import msgspec

from drdash.tenants import keeping
from drdash.web.phrases import Phrase, phrase


class Deed(msgspec.Struct, frozen=True):
    """``act`` does it, to a tenant and ``by`` a person. ``button`` offers it, and ``means`` says what follows;
    ``done`` tells of it within a sentence, ``done_to`` at the begin of one."""

    act: Callable[..., object]
    button: Phrase
    means: Phrase
    done: Phrase
    done_to: Phrase


DEEDS = {
    "pause": Deed(
        keeping.pause,
        phrase("Pause"),
        phrase(
            "Nothing is read any more, and nothing can be started or stopped from here. The last data stays, and ages."
        ),
        phrase("paused"),
        phrase("Paused"),
    ),
    "resume": Deed(
        keeping.resume,
        phrase("Resume"),
        phrase("It is read again, and what its armed state allows can be started and stopped again."),
        phrase("resumed"),
        phrase("Resumed"),
    ),
    "arm": Deed(
        keeping.arm,
        phrase("Arm"),
        phrase("Its operators and admins may then start and stop failovers from here."),
        phrase("armed"),
        phrase("Armed"),
    ),
    "disarm": Deed(
        keeping.disarm,
        phrase("Watch only"),
        phrase("It is read as before, but nothing can be started or stopped until an admin arms it."),
        phrase("only watched from now on"),
        phrase("Only watched from now on"),
    ),
    "two-persons": Deed(
        keeping.ask_two_persons,
        phrase("Ask for two persons"),
        phrase(
            "Production is then started and stopped only when a second admin approves just that. A superuser ends this."
        ),
        phrase("production takes two persons from now on"),
        phrase("Production takes two persons from now on"),
    ),
    "one-person": Deed(
        keeping.ask_one_person,
        phrase("Ask for one person"),
        phrase("An admin then starts and stops production alone."),
        phrase("production takes one person from now on"),
        phrase("Production takes one person from now on"),
    ),
}
# What can be done with many at once.
MANY = ("pause", "resume", "arm", "disarm")
