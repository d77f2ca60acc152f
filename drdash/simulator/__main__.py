"""Run the simulated DR cloud: `python -m drdash.simulator --port N`."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable

from drdash.simulator import building, directory, partner, server, simulation, tokens
from drdash.simulator.clock import RunningClock
from drdash.simulator.scenarios import GENERATED, PARTNER, SCENARIOS

SECRET = "DRDASH_SIMULATOR_SECRET"  # noqa: S105  the variable's name
PASSWORD = "DRDASH_SIMULATOR_PASSWORD"  # noqa: S105
SECRETS = {
    simulation.CLIENT_ID: SECRET,
    simulation.READER_ID: "DRDASH_SIMULATOR_READER_SECRET",
    simulation.PARTNER_ID: "DRDASH_SIMULATOR_PARTNER_SECRET",
    simulation.PARTNER_READER_ID: "DRDASH_SIMULATOR_PARTNER_READER_SECRET",
}
ABOUT = """
The API clients, and where their secrets come from:
  drdash-demo            may do all, or what --scopes says, in the first customer; --client-id names it anew.
                         $DRDASH_SIMULATOR_SECRET, or else simulated-secret
  drdash-reader          may only read there.
                         $DRDASH_SIMULATOR_READER_SECRET, or else simulated-secret-reader
  drdash-partner         of the scenario partner: its token is good for one token of each customer.
                         $DRDASH_SIMULATOR_PARTNER_SECRET, or else simulated-secret-partner
  drdash-partner-reader  the same, and may only read.
                         $DRDASH_SIMULATOR_PARTNER_READER_SECRET, or else simulated-secret-partner-reader

Browsers agree at /api/2/idp/authorize. Clients on this machine give orders under /_control/: faults, clock, world,
customers, clients, issuer, assertion; they read requests and customers. drdash/simulator/control.py says how.
"""


def main() -> int:
    """Serve until SIGTERM or SIGINT. Returns 1 when the port cannot be had."""
    given = _arguments()
    simulator = building.build(
        given.scenario,
        clock=RunningClock(given.speed),
        client_id=given.client_id,
        client_secret=given.client_secret or os.environ.get(SECRET) or simulation.CLIENT_SECRET,
        secrets={client: os.environ[name] for client, name in SECRETS.items() if os.environ.get(name)},
        username=given.username,
        password=os.environ.get(PASSWORD) or tokens.USERS_PASSWORD,
        second_factor=given.second_factor,
        scopes=frozenset(given.scopes.split()),
        token_life=given.token_life,
        seed=given.seed,
        servers=given.servers,
        sites=given.sites,
        customers=partner.CUSTOMERS if given.customers is None else given.customers,
    )
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        with server.serving(simulator, host=given.host, port=given.port, public_url=given.public_url):
            print(f"The simulated DR cloud ({given.scenario}) listens on {simulator.url}", flush=True)
            ended.wait()
    except OSError as problem:
        print(f"Cannot listen on {given.host}, port {given.port}: {problem.strerror}.", file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m drdash.simulator",
        description=__doc__,
        epilog=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    scenarios = "; ".join(f"{name}: {what}" for name, what in SCENARIOS.items())
    parser.add_argument("--port", type=_between(0, 65535), required=True, help="0: any free port")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--public-url", metavar="URL", help="where links point to, if not to host and port")
    parser.add_argument("--scenario", choices=SCENARIOS, default="customer", help=scenarios)
    parser.add_argument("--servers", type=_between(0, 100_000), metavar="N")
    parser.add_argument("--sites", type=_between(0, 10_000), metavar="N")
    parser.add_argument("--customers", type=_between(0, 2_000), metavar="N", help="of the scenario partner")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--client-id", default=simulation.CLIENT_ID, metavar="ID")
    parser.add_argument("--client-secret", metavar="S", help=f"default: ${SECRET}")
    parser.add_argument("--username", default=tokens.USERNAME, metavar="U", help=f"its password: ${PASSWORD}")
    parser.add_argument("--second-factor", action="store_true", help="a password alone gives the user no token")
    parser.add_argument("--scopes", default=directory.ADMIN, metavar="S", help="what is granted, between blanks")
    parser.add_argument("--token-life", type=_positive, default=7200.0, metavar="SECONDS")
    parser.add_argument("--speed", type=_positive, default=1.0, metavar="FACTOR", help="of the world's clock")
    given = parser.parse_args()
    if given.scenario not in GENERATED and (given.servers, given.sites) != (None, None):
        parser.error(f"--servers and --sites are for the scenarios {' and '.join(GENERATED)}")
    if given.scenario != PARTNER and given.customers is not None:
        parser.error("--customers is for the scenario partner")
    return given


def _between(low: int, high: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low} to {high}")
        return int(text)

    return number


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


if __name__ == "__main__":
    sys.exit(main())
