"""Word to every open page that what it has to announce to a whole tenant may have changed."""

from drdash.estate.aside import aside
from drdash.estate.store import store

NOTICE = "notice"


def changed(tenant: int, *keys: str) -> None:
    """Have the banners of everyone in the tenant drawn anew, some time soon, and what is shown of ``keys``. Best
    effort; call it once the change is committed."""
    aside(lambda: store().announce(tenant, (NOTICE, *keys)))
