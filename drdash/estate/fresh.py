"""The fresh read that an action is decided on: one server and its site, in parallel, one try each."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import msgspec

from drdash.cloud.client import Client
from drdash.cloud.errors import CloudError, NotFound
from drdash.cloud.records import Server, Site
from drdash.estate.polling import Now
from drdash.estate.snapshot import Read

SECONDS = 8.0

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
        return Fresh(started, problem=f"The cloud could not be asked: {server}")
    # The site that was read may not be the one that the server names by now.
    moved = server is not None and server.site_key != known.site_key
    if isinstance(site, CloudError) or moved:
        return Fresh(started, server=server, site_unread=True)
    return Fresh(started, server=server, site=site)


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
