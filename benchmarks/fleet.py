"""What the overview of many tenants costs: the first time, when nothing changed, and when a few tenants changed.

    python -m benchmarks.fleet [--tenants 500] [--servers 40] [--changed 33] [--rounds 10] [--serve PORT]

Estates of the simulator's customers, put into a real Redis as passes would. Told are the milliseconds of CPU time, the
queries and the kilobytes of a page.
``--serve`` keeps the pages on that port afterwards, for eyes: sign in as admin, admin.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.live import environment, set_up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenants", type=int, default=500)
    parser.add_argument("--servers", type=int, default=40)
    parser.add_argument("--changed", type=int, default=33, help="tenants that change between two looks")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--troubled", type=int, default=30, help="tenants in trouble")
    parser.add_argument("--serve", type=int, metavar="PORT")
    given = parser.parse_args()
    with environment():
        from django.conf import settings

        set_up()
        settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
        fleet = Fleet(given.tenants, given.servers, given.troubled)
        fleet.measure(given.changed, given.rounds)
        if given.serve:
            from django.core.management import call_command

            fleet.keep_fresh()
            call_command("runserver", f"127.0.0.1:{given.serve}", "--noreload", "--insecure", stdout=sys.stderr)


class Fleet:
    """Customers of the simulator, most of them well."""

    def __init__(self, tenants: int, servers: int, troubled: int) -> None:
        from django.contrib.auth.models import User
        from django.core.management import call_command
        from django.test import Client

        from drdash.tenants.models import Credential, Membership, Tenant
        from drdash.tenants.roles import Role

        call_command("migrate", verbosity=0)
        user = User.objects.create_superuser("admin", password="admin")
        Membership.objects.create(user=user, tenant=None, role=Role.ADMIN)
        credential = Credential.objects.create(name="c", cloud="http://localhost", client_id="c", is_simulator=True)
        made = [Tenant(name=f"Customer {number:03}", credential=credential) for number in range(1, tenants + 1)]
        self.tenants = Tenant.objects.bulk_create(made)
        self.troubled = {tenant.pk for tenant in self.tenants[:: max(1, tenants // max(1, troubled))]}
        self.client = Client()
        self.client.force_login(user)
        self.records = {tenant.pk: self.made(tenant.pk, servers) for tenant in self.tenants}
        self.passes = 0
        for tenant in self.tenants:
            self.publish(tenant.pk)

    def made(self, tenant: int, servers: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """A customer's servers and sites; one that is in trouble is as the simulator has it, the others were calmed."""
        import msgspec

        from drdash.cloud import reading
        from drdash.simulator import scenarios

        world = scenarios.build("customer", now=time.time(), servers=servers, seed=tenant)

        def own(item: dict[str, Any]) -> bytes:
            if tenant not in self.troubled:
                item |= {"_issues": [], "status": "PROVISIONED" if "failover_readiness" in item else "STAND_BY"}
                item |= {"failover_readiness": "OK"} if "failover_readiness" in item else {"rpo": {"status": "OK"}}
                for name in ("automated_test_failover", "active_failover"):
                    item.get("recovery", {}).pop(name, None)
                item.pop("task_uuid", None)
            return msgspec.json.encode(item | {"uuid": f"{item['uuid']}-{tenant}"})

        held = [msgspec.json.decode(msgspec.json.encode(world.document(one))) for one in world.servers.values()]
        places = [msgspec.json.decode(msgspec.json.encode(world.document(one))) for one in world.sites.values()]
        for one in held:
            one["site_uuid"] = f"{one['site_uuid']}-{tenant}"
        return tuple(reading.server(own(one)) for one in held), tuple(reading.site(own(one)) for one in places)

    def publish(self, tenant: int) -> None:
        """A pass."""
        from django.utils import timezone

        from drdash.estate.snapshot import Read, merge_pass, next_version
        from drdash.estate.store import store

        servers, sites = self.records[tenant]
        old, now = store().load(tenant), timezone.now()
        read = Read(started=now, servers=servers, sites=sites, whole_servers=True, whole_sites=True)
        merged = merge_pass(old, read, finished=now, version=next_version(old.version, now))
        assert merged is not None
        assert store().publish(old, *merged)

    def change(self, tenant: int) -> None:
        """A pass in which a server looks different."""
        import msgspec

        self.passes += 1
        servers, sites = self.records[tenant]
        item = msgspec.json.decode(servers[0].json) | {"description": f"As of pass {self.passes}"}
        from drdash.cloud import reading

        self.records[tenant] = ((reading.server(msgspec.json.encode(item)), *servers[1:]), sites)
        self.publish(tenant)

    def measure(self, changed: int, rounds: int) -> None:
        """Tell what a look costs."""
        many = [tenant.pk for tenant in self.tenants[:changed]]
        whole = lambda: self.client.get("/")  # noqa: E731
        headers = {"HX-Request": "true", "HX-Target": "overview"}
        part = lambda: self.client.get("/", headers=headers)  # noqa: E731
        self.tell("the first look of a process", whole, 1)
        self.tell("a page", whole, rounds)
        self.tell("its living part, nothing changed", part, rounds)
        self.tell(
            f"its living part, {len(many)} tenants changed", part, rounds, lambda: [self.change(one) for one in many]
        )
        self.tell("how fresh they are", lambda: self.client.get("/freshness/"), rounds)
        self.tell("a list of servers", lambda: self.client.get("/servers/"), rounds)
        self.tell("one tenant's overview", lambda: self.client.get(f"/?tenant={self.tenants[0].pk}"), rounds)

    def tell(
        self, what: str, look: Callable[[], Any], rounds: int, before: Callable[[], object] = lambda: None
    ) -> None:
        """Time it."""
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        took, sizes, queries = [], [], []
        for _ in range(rounds):
            before()
            with CaptureQueriesContext(connection) as asked:
                begun = time.process_time()
                answer = look()
                took.append(time.process_time() - begun)
            assert answer.status_code == 200, answer.status_code
            sizes.append(len(answer.content))
            queries.append(len(asked))
        middle = statistics.median(took) * 1000
        print(f"{what:45} {middle:7.0f} ms CPU  {max(queries):3} queries  {max(sizes) / 1000:6.0f} kB", flush=True)

    def keep_fresh(self) -> None:
        """Read every tenant again and again, but for the last few, which fail."""
        import threading

        import msgspec
        from django.utils import timezone

        from drdash.estate.snapshot import Change, failed
        from drdash.estate.store import store

        failing = [tenant.pk for tenant in self.tenants[-12:-1]] if len(self.tenants) > 20 else []

        def go_on() -> None:
            while True:
                for tenant in self.tenants:
                    if tenant.pk not in failing:
                        self.publish(tenant.pk)
                        time.sleep(10 / len(self.tenants))
                        continue
                    known = store().load(tenant.pk)
                    health = failed(known.health, "The cloud does not answer.", now=timezone.now())
                    store().publish(known, msgspec.structs.replace(known, health=health), Change())

        threading.Thread(target=go_on, daemon=True).start()


if __name__ == "__main__":
    main()
