"""The clock of deadlines."""

import time


def boot_seconds() -> float:
    """Seconds that also pass while the host is suspended: whoever slept must not act late."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
