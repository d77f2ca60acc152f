"""``manage.py connect``: check a cloud's credentials, and watch the tenant behind them."""

import getpass
import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from drdash.cloud.account import Grant
from drdash.tenants.connect import Refusal, connect, grant_called


class Command(BaseCommand):
    help = (
        "Connect a DR cloud: gets a token and reads the sites and servers before it stores anything. The client's "
        "secret comes from DRDASH_CLIENT_SECRET or a prompt, the user's password from DRDASH_PASSWORD or a prompt, "
        "never from an argument."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True, help="what to call the tenant on the pages")
        parser.add_argument("--cloud", required=True, help="the cloud's root, such as https://eu2-cloud.example.com")
        parser.add_argument("--grant", required=True, help=f"how to get a token: {' or '.join(Grant)}")
        parser.add_argument("--client-id", default="", metavar="ID", help="the API client's id")
        parser.add_argument("--username", default="", metavar="U", help="whose password it is; for the grant password")
        parser.add_argument("--tenant", default="", metavar="UUID", help="the tenant's uuid, to tell it from others")
        parser.add_argument("--admin", metavar="USER", help="who becomes its admin; otherwise every superuser does")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            grant = grant_called(options["grant"])
            found = connect(
                name=options["name"],
                cloud=options["cloud"],
                grant=grant,
                client_id=options["client_id"],
                client_secret=_secret("DRDASH_CLIENT_SECRET", "client secret") if options["client_id"] else "",
                username=options["username"],
                password=_secret("DRDASH_PASSWORD", "password") if grant is Grant.PASSWORD else "",
                tenant_uuid=options["tenant"],
                admin=options["admin"],
            )
        except Refusal as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f'Connected "{found.tenant}": {found.sites} sites, {found.servers} servers.')
        if found.admins:
            self.stdout.write(f"Admin of it: {', '.join(found.admins)}.")
        else:
            self.stdout.write("Nobody can see it yet: run manage.py createsuperuser, then give memberships in /admin/.")


def _secret(variable: str, what: str) -> str:
    if secret := os.environ.get(variable, ""):
        return secret
    if not sys.stdin.isatty():
        raise CommandError(f"Set {variable}, or run this in a terminal to be asked for the {what}.")
    secret = getpass.getpass(f"{what.capitalize()}: ")
    if not secret:
        raise CommandError(f"The {what} is empty.")
    return secret
