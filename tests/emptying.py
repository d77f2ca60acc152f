"""The database is emptied after each test, as Django's TransactionTestCase does, sooner."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from django.core.management import get_commands
from django.core.management.commands import flush
from django.db import connection, transaction

# What Django keeps there of the models themselves: to make it anew after each test would take longer than most tests.
STAYS = {"django_content_type", "auth_permission"}


class Empty(flush.Command):
    """``flush``, where there is something to delete, and without what follows a migration."""

    def handle(self, **options: Any) -> None:
        tables = sorted({*connection.introspection.django_table_names(include_views=False)} - STAYS)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(f"SELECT '{one}' WHERE EXISTS (SELECT 1 FROM {one})" for one in tables))
            for (table,) in cursor.fetchall():
                cursor.execute(f"DELETE FROM {table}")


@pytest.fixture(scope="session", autouse=True)
def emptied_soon() -> Iterator[None]:
    known = cast("dict[str, Any]", get_commands())
    known["flush"] = Empty()
    yield
    known["flush"] = "django.core"
