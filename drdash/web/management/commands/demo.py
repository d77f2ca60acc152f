"""`manage.py demo`: a whole drdash on this machine, watching a simulated cloud."""

import asyncio
import os
import secrets
import signal
import time
from pathlib import Path
from typing import Any

from django.conf import settings

from drdash import environment, startup
from drdash.supervisor import Program, Supervisor, end_with_parent
from drdash.web.management.commands import up

CLIENT_ID = "drdash-demo"
PEOPLE = ("viewer", "operator", "admin")


class Command(up.Command):
    help = "Run everything, with a simulated cloud and three logins. It keeps to a data folder of its own."

    def handle(self, **options: Any) -> None:
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
        self.cloud_port = startup.free_port()
        self.say("Starting the simulated cloud")
        supervisor.start(
            Program(
                name="simulator",
                command=[*startup.PYTHON, "drdash.simulator", "--port", str(self.cloud_port), "--client-id", CLIENT_ID],
                environment={"DRDASH_SIMULATOR_SECRET": self.secret},
            )
        )
        if not await startup.wait_for(lambda: startup.answers(self.cloud_port), 15):
            raise startup.CannotStart(self.silent("The simulated cloud", "simulator"))

    async def prepare_data(self) -> None:
        await asyncio.to_thread(self.make_data)

    async def announce(self) -> None:
        self.say("Waiting for the first data")
        complete = await startup.wait_for(self.has_data, 30)
        self.say("")
        self.say(f"  The demo is ready at {self.address()} (after {time.monotonic() - self.begun:.0f} s)")
        self.say(f"  Sign in as {', '.join(PEOPLE[:-1])} or {PEOPLE[-1]}; the password is the name.")
        if not complete:
            self.say(f"  Its first data is late: {settings.DATA_DIR / 'logs' / 'worker.log'} may tell why.")
        self.say("  Ctrl-C ends it.")
        self.say("")
