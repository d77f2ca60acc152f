"""What a membership allows."""

from enum import StrEnum


class Role(StrEnum):
    """A person's role in one tenant: a viewer sees, an operator starts and stops tests, an admin production too."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def runs_tests(self) -> bool:
        """Whether the role may start and stop test failovers."""
        return self is not Role.VIEWER

    @property
    def runs_production(self) -> bool:
        """Whether the role may start and stop production failovers."""
        return self is Role.ADMIN
