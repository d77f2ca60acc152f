"""The fresh read that an action is decided on: one server and its site, or many, in parallel, one try each."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import msgspec

from drdash.cloud.client import Client, Listing
from drdash.cloud.errors import CloudError, NotFound
from drdash.cloud.records import Server, Site
from drdash.english import english
from drdash.estate.polling import Now
from drdash.estate.snapshot import Read

SECONDS = 8.0
MANY_SECONDS = 30.0
# More than so many are found sooner in the whole list than by their ids.
FEW = 50

_FILTERABLE = re.compile(r"[a-zA-Z0-9-]+\Z")


class Fresh(msgspec.Struct, frozen=True):
    """What the read brought. ``problem``: why the server could not be read, in a sentence; else ``server`` None means
    that the cloud does not list it. ``site`` None: not found, or with ``site_unread``, not answered."""

    started: datetime
    server: Server | None = None
    site: Site | None = None
    site_unread: bool = False
    problem: str = ""

    @property
    def read(self) -> Read:
        """The same as evidence, like that of a pass."""
        return Read(
            started=self.started,
            servers=(self.server,) if self.server else (),
            sites=(self.site,) if self.site else (),
        )


def read_fresh(client: Client, known: Server, *, now: Now) -> Fresh:
    """Read ``known`` and its site anew: GET /servers by its ``resource_id`` (all of them when it has none, or when the
    cloud ignores the filter), and GET /sites/{uuid}. Raises nothing for a cloud that fails; obeys a 429's wait."""
    started = now()
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="fresh") as both:
        server_read = both.submit(_server, client, known)
        site_read = both.submit(_site, client, known)
    server, site = server_read.result(), site_read.result()
    if isinstance(server, CloudError):
        return Fresh(started, problem=english("The cloud could not be asked: %(error)s", error=server))
    # The site that was read may not be the one that the server names by now.
    moved = server is not None and server.site_key != known.site_key
    if isinstance(site, CloudError) or moved:
        return Fresh(started, server=server, site_unread=True)
    return Fresh(started, server=server, site=site)


def read_many(client: Client, known: Sequence[Server], *, now: Now) -> dict[str, Fresh]:
    """The same for many servers of one tenant, by key: one listing of servers and one of sites."""
    started = now()
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="fresh") as both:
        servers_read = both.submit(_servers, client, known)
        sites_read = both.submit(_sites, client)
    servers, sites = servers_read.result(), sites_read.result()
    if isinstance(servers, CloudError):
        return {
            one.key: Fresh(started, problem=english("The cloud could not be asked: %(error)s", error=servers))
            for one in known
        }
    by_key = {server.key: server for server in servers.items}
    return {one.key: _of_many(started, by_key.get(one.key), sites) for one in known}


def _of_many(started: datetime, server: Server | None, sites: Listing[Site] | CloudError) -> Fresh:
    if isinstance(sites, CloudError):
        return Fresh(started, server=server, site_unread=True)
    site = next((one for one in sites.items if server and one.key == server.site_key), None)
    return Fresh(started, server=server, site=site, site_unread=site is None and not sites.whole)


def _servers(client: Client, known: Sequence[Server]) -> Listing[Server] | CloudError:
    ids = [one.resource_id for one in known if _FILTERABLE.match(one.resource_id)]
    filtered = ids if len(ids) == len(known) <= FEW else ()
    try:
        return client.servers(resource_ids=filtered, deadline=MANY_SECONDS)
    except CloudError as error:
        return error


def _sites(client: Client) -> Listing[Site] | CloudError:
    try:
        return client.sites(deadline=MANY_SECONDS)
    except CloudError as error:
        return error


def _server(client: Client, known: Server) -> Server | CloudError | None:
    filtered = (known.resource_id,) if _FILTERABLE.match(known.resource_id) else ()
    try:
        listing = client.servers(resource_ids=filtered, deadline=SECONDS)
    except CloudError as error:
        return error
    return next((server for server in listing.items if server.key == known.key), None)


def _site(client: Client, known: Server) -> Site | CloudError | None:
    if not known.site_uuid:
        return None
    try:
        return client.site(known.site_uuid, deadline=SECONDS)
    except NotFound:
        return None
    except CloudError as error:
        return error
