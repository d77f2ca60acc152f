"""``manage.py rotate_keys``: seal every stored secret with the first of DRDASH_ENCRYPTION_KEYS."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from drdash.tenants.rotation import Stuck, rotate


class Command(BaseCommand):
    help = (
        "Seal every stored secret with the first of DRDASH_ENCRYPTION_KEYS. Put a new key first and restart drdash, "
        "run this, then drop the old key."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            resealed = rotate()
        except Stuck as stuck:
            raise CommandError(
                "Nothing was changed: none of DRDASH_ENCRYPTION_KEYS opens the secret of "
                f"{', '.join(stuck.credentials)}. Bring the key back that it was sealed with."
            ) from None
        except ImproperlyConfigured as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(f"Resealed with the first key: {resealed} {'secret' if resealed == 1 else 'secrets'}.")
