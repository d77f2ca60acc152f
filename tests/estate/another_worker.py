"""A worker's process, for tests: pass after pass over the tenants that it is given, until its standard input ends.

Nothing spreads its tries: the waits alone keep it from asking.
"""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import django

django.setup()

from django.conf import settings  # noqa: E402

from drdash.estate import polling  # noqa: E402
from drdash.tasks import one_pass  # noqa: E402


def main(tenants: list[int]) -> None:
    settings.POLL_SECONDS = 0.001
    polling.LONGEST_BACK_OFF = 0.001
    ended = threading.Event()

    def again_and_again(tenant: int) -> None:
        while not ended.wait(0.05):
            one_pass(tenant, pause=time.sleep)

    with ThreadPoolExecutor(len(tenants)) as threads:
        passes = [threads.submit(again_and_again, tenant) for tenant in tenants]
        print("ready", flush=True)
        sys.stdin.read()
        ended.set()
    for one in passes:
        one.result()


if __name__ == "__main__":
    main([int(tenant) for tenant in sys.argv[1:]])
