"""Every page that is under an entry of the menu is known by a name that there is."""

from django.urls import URLPattern

from drdash.web import menu
from drdash.web.urls import urlpatterns


def test_a_page_is_under_one_entry_which_is_a_page_itself() -> None:
    listed = [page for pages in menu.PAGES.values() for page in pages]
    assert len(listed) == len(menu.ENTRY)
    assert set(listed) <= {one.name for one in urlpatterns if isinstance(one, URLPattern)}
    assert all(menu.ENTRY[entry] == entry for entry in menu.PAGES)
