"""The clock: a tick each second, which hands out what is due (``tasks``). A message that is late is worthless, so it
expires.
"""

import os

from celery import Celery

from drdash import environment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "drdash.settings")
environment.demand_keys()

app = Celery("drdash")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["drdash"])
app.conf.beat_schedule = {
    "tick": {"task": "drdash.tick", "schedule": 1.0, "options": {"expires": 1.0}},
    "prune": {"task": "drdash.prune", "schedule": 3600.0, "options": {"expires": 600.0}},
}
