"""``manage.py connect``: check a cloud's credentials, and watch the tenant behind them, or a partner's customers."""

import getpass
import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from drdash.audit.mirror import mirror
from drdash.cloud.account import Grant
from drdash.cloud.account import root as root_of_cloud
from drdash.cloud.errors import CloudError
from drdash.tenants.checking import SHORT
from drdash.tenants.connect import WHERE, Connected, Refusal, connect, grant_called
from drdash.tenants.keeping import act_through
from drdash.tenants.models import Tenant

SHOWN = 20


class Command(BaseCommand):
    help = (
        "Connect a DR cloud: gets a token and reads the sites and servers before it stores anything. The client's "
        "secret comes from DRDASH_CLIENT_SECRET or a prompt, the user's password from DRDASH_PASSWORD or a prompt, "
        f"a signed assertion from DRDASH_ASSERTION: none of them from an argument. {WHERE}"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", default="", help="what to call the tenant, or the partner, on the pages")
        parser.add_argument("--cloud", required=True, help="the cloud's root, such as https://eu2-cloud.example.com")
        parser.add_argument("--grant", required=True, help=f"how to get a token: {', '.join(SHORT.values())}")
        parser.add_argument("--client-id", default="", metavar="ID", help="the API client's id")
        parser.add_argument("--username", default="", metavar="U", help="whose password it is; for the grant password")
        parser.add_argument(
            "--tenant",
            default="",
            metavar="UUID",
            help="the tenant's uuid, to tell it from others; of a partner's customers, the one to watch",
        )
        parser.add_argument("--admin", metavar="USER", help="who becomes its admin; otherwise every superuser does")
        parser.add_argument(
            "--watch-only", action="store_true", help="nothing can be started or stopped until an admin arms it"
        )
        parser.add_argument(
            "--acting-for",
            default="",
            metavar="TENANT",
            help="start and stop failovers of a tenant that is watched already with this credential",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            grant = grant_called(options["grant"])
            if grant is Grant.AUTHORIZATION_CODE:
                raise Refusal(
                    "For the grant authorization_code somebody signs in at the cloud, in a browser: open the page "
                    f"Connect a cloud at {settings.PUBLIC_URL or 'the address of the web server'}, as a superuser."
                )
            if options["acting_for"]:
                self._act(options, grant)
            else:
                self._connect(options, grant)
        except Refusal as refusal:
            raise CommandError(str(refusal)) from refusal
        mirror().settle()  # what writes the audit's mirror ends with this process

    def _connect(self, options: dict[str, Any], grant: Grant) -> None:
        found = connect(
            by=None,
            name=options["name"],
            cloud=options["cloud"],
            tenant_uuid=options["tenant"],
            admin=options["admin"],
            watch_only=options["watch_only"],
            **_credential(options, grant),
        )
        if found.credential.is_partner:
            self._tell_customers(found)
        else:
            self.stdout.write(f'Connected "{found.tenant}": {found.sites} sites, {found.servers} servers.')
        if options["watch_only"]:
            self.stdout.write("Nothing can be started or stopped there until an admin arms it.")
        if found.admins:
            self.stdout.write(f"Admin of it: {', '.join(found.admins)}.")
        else:
            self.stdout.write("Nobody can see it yet: run manage.py createsuperuser, then give memberships in /admin/.")

    def _tell_customers(self, found: Connected) -> None:
        self.stdout.write(
            f'Connected "{found.credential}": {len(found.tenants)} of {found.customers} customers are watched from now '
            f"on, with {found.sites} sites and {found.servers} servers."
        )
        for name in [f'"{tenant}"' for tenant in found.tenants][:SHOWN]:
            self.stdout.write(f"  {name}")
        if len(found.tenants) > SHOWN:
            self.stdout.write(f"  and {len(found.tenants) - SHOWN} more")
        for name, why in found.left_out:
            self.stdout.write(f'Not "{name}": {why}')

    def _act(self, options: dict[str, Any], grant: Grant) -> None:
        if options["tenant"] or options["admin"] or options["watch_only"]:
            raise Refusal("--acting-for changes nothing but what acts: leave out --tenant, --admin and --watch-only.")
        tenant = Tenant.objects.filter(name=options["acting_for"], removed_at=None).select_related("credential").first()
        if tenant is None:
            raise Refusal(f'There is no tenant called "{options["acting_for"]}" to act for.')
        try:
            cloud = root_of_cloud(options["cloud"], plain_http_hosts=tuple(settings.PLAIN_HTTP_HOSTS))
        except CloudError as error:
            raise Refusal(str(error)) from error
        if cloud != tenant.credential.cloud:
            raise Refusal(f'"{tenant}" is at {tenant.credential.cloud}, and not at {cloud}.')
        warning = act_through(tenant, by=None, **_credential(options, grant))
        self.stdout.write(f'Failovers of "{tenant}" are started and stopped with this credential from now on.')
        if warning:
            self.stdout.write(warning)


def _credential(options: dict[str, Any], grant: Grant) -> dict[str, Any]:
    """What the grant asks for. Without a client id, a partner's grant is for an assertion."""
    assertion = os.environ.get("DRDASH_ASSERTION", "") if grant is Grant.JWT_BEARER else ""
    if grant is Grant.JWT_BEARER and not options["client_id"] and not assertion:
        raise CommandError(
            "Give --client-id for a partner's API client, or set DRDASH_ASSERTION to a signed assertion."
        )
    return {
        "grant": grant,
        "client_id": options["client_id"],
        "client_secret": _secret("DRDASH_CLIENT_SECRET", "client secret") if options["client_id"] else "",
        "username": options["username"],
        "password": _secret("DRDASH_PASSWORD", "password") if grant is Grant.PASSWORD else "",
        "assertion": assertion,
    }


def _secret(variable: str, what: str) -> str:
    if secret := os.environ.get(variable, ""):
        return secret
    if not sys.stdin.isatty():
        raise CommandError(f"Set {variable}, or run this in a terminal to be asked for the {what}.")
    secret = getpass.getpass(f"{what.capitalize()}: ")
    if not secret:
        raise CommandError(f"The {what} is empty.")
    return secret
