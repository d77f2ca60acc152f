"""What a membership allows in a tenant, and what the tenant allows anyone."""

from enum import StrEnum

from drdash.english import english


class Role(StrEnum):
    """A person's role in one tenant: a viewer sees, an operator starts and stops tests, an admin production too."""

    VIEWER = english("viewer")
    OPERATOR = english("operator")
    ADMIN = english("admin")

    @property
    def runs_tests(self) -> bool:
        """Whether the role may start and stop test failovers."""
        return self is not Role.VIEWER

    @property
    def runs_production(self) -> bool:
        """Whether the role may start and stop production failovers."""
        return self is Role.ADMIN

    def runs(self, *, production: bool) -> bool:
        """Whether the role may start and stop failovers of production, or tests."""
        return self.runs_production if production else self.runs_tests


class Posture(StrEnum):
    """What may be done in a tenant at all, whoever asks: all that the role allows, or only to look."""

    ARMED = "armed"
    WATCH_ONLY = "watch only"
    PAUSED = "paused"
