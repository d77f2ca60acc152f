"""A web process that goes on with a batch, for tests that kill it: `python -m tests.failover.another_runner BATCH`."""

import sys

import django

django.setup()

from django.utils import timezone  # noqa: E402

from drdash.failover import running  # noqa: E402
from drdash.failover.models import Batch  # noqa: E402

if __name__ == "__main__":
    batch = Batch.objects.get(pk=int(sys.argv[1]))
    running.start(batch, by=batch.user, now=timezone.now()).join()
