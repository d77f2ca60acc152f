"""`manage.py demo`: a whole drdash on this machine, watching a simulated cloud."""

import asyncio
import os
import secrets
import shlex
import signal
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils import timezone

from drdash import environment, startup
from drdash.failover.models import LIVE, Action, State
from drdash.failover.record import move
from drdash.supervisor import Program, Supervisor, end_with_parent
from drdash.tenants.connect import Refusal, connect
from drdash.tenants.models import Membership, Tenant
from drdash.web.management.commands import up

CLIENT_ID = "drdash-demo"
TENANT = "Demo customer"
PEOPLE = ("viewer", "operator", "admin")


class Command(up.Command):
    help = "Run everything, with a simulated cloud and three logins. It keeps to a data folder of its own."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        told = (
            "how the simulated cloud is run, such as '--scenario quiet --servers 1000' (python -m drdash.simulator -h)"
        )
        parser.add_argument("--simulator", default="", metavar="OPTIONS", help=told)

    def handle(self, **options: Any) -> None:
        self.simulator = shlex.split(options["simulator"])
        parent = os.getppid()
        if Path(f"/proc/{parent}/comm").read_text().strip() == "make":
            # A killed `make demo` takes the demo along; a shell that ends does not.
            end_with_parent(signal.SIGTERM, parent=parent)
        super().handle(**options)

    def another_port(self) -> str:
        return f"make demo PORT={self.port + 1}"

    def check_folder(self) -> None:
        (settings.DATA_DIR / ".demo").touch()

    async def prepare_cloud(self, supervisor: Supervisor) -> None:
        self.secret = environment.keep_once(settings.DATA_DIR / "keys" / "simulator_secret", secrets.token_urlsafe(24))
        self.cloud_port = startup.kept_port(settings.DATA_DIR / "simulator.port")
        self.say("Starting the simulated cloud")
        supervisor.start(
            Program(
                name="simulator",
                command=[
                    *(*startup.PYTHON, "drdash.simulator", "--port", str(self.cloud_port), "--client-id", CLIENT_ID),
                    *self.simulator,
                ],
                environment={"DRDASH_SIMULATOR_SECRET": self.secret},
            )
        )
        if not await startup.wait_for(lambda: startup.answers(self.cloud_port), 60):
            raise startup.CannotStart(self.silent("The simulated cloud", "simulator"))

    async def prepare_data(self) -> None:
        await asyncio.to_thread(self.make_data)

    def make_data(self) -> None:
        """The three people, and the simulated customer whom they watch. What is there already stays."""
        users = get_user_model().objects
        for name in PEOPLE:
            if not users.filter(username=name).exists():
                make = users.create_superuser if name == "admin" else users.create_user
                make(name, password=name)
        cloud = f"http://127.0.0.1:{self.cloud_port}"
        ours = Tenant.objects.filter(credential__is_simulator=True, credential__client_id=CLIENT_ID, removed_at=None)
        tenant = ours.select_related("credential").order_by("pk").first()
        if tenant is None:
            try:
                found = connect(
                    by=None, name=TENANT, cloud=cloud, client_id=CLIENT_ID, client_secret=self.secret, admin="admin"
                )
            except Refusal as problem:
                raise startup.CannotStart(str(problem)) from None
            tenant = found.tenant
            self.say(f"Connected the {TENANT.lower()}: {found.sites} sites, {found.servers} servers")
        elif tenant.credential.cloud != cloud:  # the earlier port was taken in the meantime
            tenant.credential.cloud = cloud
            tenant.credential.save()
        for name in PEOPLE:
            Membership.objects.get_or_create(user=users.get(username=name), tenant=tenant, defaults={"role": name})
        # The simulated world begins anew with each demo: what was under way in the last one is over with it.
        for action in Action.objects.filter(tenant=tenant, state__in=LIVE):
            now, why = timezone.now(), "The simulated cloud began anew."
            move(action, LIVE, State.CLOSED, now=now, finished_at=now, detail=why, error=why)

    async def announce(self) -> None:
        self.say("Waiting for the first data")
        complete = await startup.wait_for(self.has_data, 60)
        self.say("")
        self.say(f"  The demo is ready at {self.address()} (after {time.monotonic() - self.begun:.0f} s)")
        self.say(f"  Sign in as {', '.join(PEOPLE[:-1])} or {PEOPLE[-1]}; the password is the name.")
        if not complete:
            self.say(f"  Its first data is late: {settings.DATA_DIR / 'logs' / 'worker.log'} may tell why.")
        self.say("  Ctrl-C ends it.")
        self.say("")
