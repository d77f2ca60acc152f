"""The cloud's words, as the references list them, with room for those that it may add."""

from enum import StrEnum
from typing import Any, Self


class OpenEnum(StrEnum):
    """Known words of the cloud, with room for words that it may add: those survive, and are not ``known``."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = value
        member._value_ = value
        return member

    @property
    def known(self) -> bool:
        """Whether the references list this word."""
        return self._value_ in type(self)._value2member_map_

    def __reduce_ex__(self, proto: object) -> tuple[Any, ...]:
        # Some releases of Python restore members by name, and an unknown word is none.
        return type(self), (self._value_,)

    # Equal to the plain string of its value, so it must hash like it: links and issues are looked up by either.
    __hash__ = str.__hash__


class ServerType(OpenEnum):
    """``type`` of a cloud server; only RECOVERY servers fail over."""

    PRIMARY = "PRIMARY"
    RECOVERY = "RECOVERY"


class ServerStatus(OpenEnum):
    """``status`` of a cloud server, as listed beside the reference."""

    CREATING = "CREATING"
    DELETING = "DELETING"
    RECONFIGURING = "RECONFIGURING"
    STAND_BY = "STAND_BY"
    POWERING_ON = "POWERING_ON"
    POWERING_OFF = "POWERING_OFF"
    STARTING_FAILOVER_TEST = "STARTING_FAILOVER_TEST"
    FAILOVER_TEST = "FAILOVER_TEST"
    STARTING_FAILOVER_TEST_AUTO = "STARTING_FAILOVER_TEST_AUTO"
    FAILOVER_TEST_AUTO = "FAILOVER_TEST_AUTO"
    STARTING_FAILOVER_PROD = "STARTING_FAILOVER_PROD"
    FINALIZATION = "FINALIZATION"
    FAILOVER_PROD = "FAILOVER_PROD"
    FINALIZATION_FAILED = "FINALIZATION_FAILED"
    STOPPING_FAILOVER = "STOPPING_FAILOVER"
    RESTORING_FROM_BACKUP = "RESTORING_FROM_BACKUP"
    STOPPING_RESTORE_FROM_BACKUP = "STOPPING_RESTORE_FROM_BACKUP"
    FAILING_BACK = "FAILING_BACK"
    FAILBACK_DATA_TRANSFER = "FAILBACK_DATA_TRANSFER"
    FAILBACK_SWITCHOVER = "FAILBACK_SWITCHOVER"
    FAILBACK_VALIDATION = "FAILBACK_VALIDATION"
    STARTING_FAILBACK = "STARTING_FAILBACK"
    STARTING_FAILBACK_DATA_TRANSFER_RESUME = "STARTING_FAILBACK_DATA_TRANSFER_RESUME"
    STARTING_FAILBACK_DATA_TRANSFER_STOP = "STARTING_FAILBACK_DATA_TRANSFER_STOP"
    STARTING_FAILBACK_SWITCHOVER_BEGIN = "STARTING_FAILBACK_SWITCHOVER_BEGIN"
    STARTING_FAILBACK_SWITCHOVER_COMPLETE = "STARTING_FAILBACK_SWITCHOVER_COMPLETE"
    STARTING_FAILBACK_COMMIT = "STARTING_FAILBACK_COMMIT"
    STARTING_FAILBACK_ROLLBACK = "STARTING_FAILBACK_ROLLBACK"


class VmStatus(OpenEnum):
    """``vm.status`` of a cloud server."""

    NOT_READY = "NOT_READY"
    STARTED = "STARTED"
    STOPPED = "STOPPED"
    SUSPENDED = "SUSPENDED"


class SiteStatus(OpenEnum):
    """``status`` of a site."""

    PROVISIONING = "PROVISIONING"
    PROVISIONED = "PROVISIONED"
    DEPROVISIONING = "DEPROVISIONING"


class Readiness(OpenEnum):
    """``failover_readiness`` of a site."""

    OK = "OK"
    WARNING = "WARNING"
    ERROR = "ERROR"


class Severity(OpenEnum):
    """``severity`` of an issue, in upper case whatever case it came in."""

    WARNING = "WARNING"
    ERROR = "ERROR"


class Rel(OpenEnum):
    """``rel`` of a link, and what the ``link`` of an issue names."""

    SERVER_PAGE = "DR_CLOUD_SERVER_PAGE"
    RECOVERY_POINTS = "DR_CLOUD_SERVER_RECOVERY_POINTS"
    REMOTE_CONSOLE = "DR_CLOUD_SERVER_REMOTE_CONSOLE_PAGE"
    START_PROD = "DR_CLOUD_SERVER_START_FAILOVER_PROD"
    START_TEST = "DR_CLOUD_SERVER_START_FAILOVER_TEST"
    STOP = "DR_CLOUD_SERVER_STOP_FAILOVER"
    SITE_CONNECTIVITY = "DR_SITE_CONNECTIVITY_PAGE"
