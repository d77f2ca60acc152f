"""`manage.py up`: a whole drdash on this machine, for a real cloud."""

import asyncio
import os
import signal
import socket
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from drdash import startup
from drdash.supervisor import Supervisor
from drdash.tenants.models import Tenant

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Command(BaseCommand):
    help = "Migrate, then run Redis (unless REDIS_URL names one), the worker, its clock and the web server."
    requires_system_checks: list[str] = []
    name = "up"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: this machine only)")

    def handle(self, *, port: int, host: str = "127.0.0.1", **_: Any) -> None:
        self.begun = time.monotonic()
        self.port = port
        try:
            # Both stay open, and so in force, for as long as this process lives.
            listener = startup.listen(host, port, instead=self.another_port())
            lock = startup.lock(settings.DATA_DIR)
            self.check_folder()
            asyncio.run(self.live(listener))
        except (startup.CannotStart, ImproperlyConfigured) as problem:
            raise CommandError(str(problem)) from None
        os.close(lock)

    def another_port(self) -> str:
        return f"manage.py up --port {self.port + 1}"

    def check_folder(self) -> None:
        if (settings.DATA_DIR / ".demo").exists():
            raise startup.CannotStart(
                f"{settings.DATA_DIR} holds the demo's data, with passwords that everyone knows. "
                "Set DRDASH_DATA_DIR to another folder."
            )

    def say(self, sentence: str) -> None:
        self.stdout.write(sentence)
        self.stdout.flush()

    async def live(self, listener: socket.socket) -> None:
        """Start everything, wait for a signal or a failure to start, and end everything."""
        logs = settings.DATA_DIR / "logs"
        logs.mkdir(exist_ok=True)
        supervisor = Supervisor(logs=logs, say=self.say)
        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self.asked_to_end, supervisor)
        starting = asyncio.create_task(self.start(supervisor, listener))
        ending = asyncio.create_task(supervisor.stopping.wait())
        try:
            await asyncio.wait([starting, ending], return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await ending
        finally:
            starting.cancel()
            listener.close()
            await supervisor.stop()
            self.say("Everything has ended.")

    def asked_to_end(self, supervisor: Supervisor) -> None:
        if supervisor.stopping.is_set():
            supervisor.kill()
        else:
            self.say("Ending. Ctrl-C once more ends it at once.")
            supervisor.stopping.set()

    async def start(self, supervisor: Supervisor, listener: socket.socket) -> None:
        await self.start_redis(supervisor)
        await self.prepare_cloud(supervisor)
        static = asyncio.create_task(asyncio.to_thread(call_command, "collectstatic", interactive=False, verbosity=0))
        self.say("Preparing the database")
        await asyncio.to_thread(call_command, "migrate", interactive=False, verbosity=0)
        await self.prepare_data()
        self.say("Starting the worker and the web server")
        supervisor.start(*startup.worker(settings.DATA_DIR))
        await static
        supervisor.start(startup.web(listener))
        if not await startup.wait_for(self.web_answers, 60):
            raise startup.CannotStart(
                f"The web server does not answer: {settings.DATA_DIR / 'logs' / 'web.log'} tells."
            )
        await self.announce()

    async def start_redis(self, supervisor: Supervisor) -> None:
        if os.environ.get("REDIS_URL", "").strip():
            return
        redis, url, port = startup.embedded_redis(settings.DATA_DIR / "redis")
        self.say("Starting Redis")
        supervisor.start(redis)
        os.environ["REDIS_URL"] = url  # for the worker and the web server; this process does not use it
        if not await startup.wait_for(lambda: startup.answers(port), 60):
            raise startup.CannotStart(self.silent("Redis", "redis"))

    async def prepare_cloud(self, supervisor: Supervisor) -> None:
        """Whatever must run before there is data."""

    async def prepare_data(self) -> None:
        """Whatever must be in the database before anything polls."""

    def silent(self, who: str, name: str) -> str:
        return f"{who} does not answer: {settings.DATA_DIR / 'logs' / name}.log tells why."

    async def web_answers(self) -> bool:
        return await startup.get(self.port, "/healthz") == 200

    async def has_data(self) -> bool:
        return await startup.get(self.port, "/readyz") == 200

    def address(self) -> str:
        return settings.PUBLIC_URL or f"http://127.0.0.1:{self.port}/"

    async def announce(self) -> None:
        self.say(f"drdash is up at {self.address()} (after {time.monotonic() - self.begun:.0f} s). Ctrl-C ends it.")
        if not await Tenant.objects.aexists():
            self.say(
                "It watches nothing yet: `manage.py createsuperuser` makes a login, whose first page connects a cloud."
            )
