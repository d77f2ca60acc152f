"""From one encryption key to the next: every stored secret, resealed with the first of DRDASH_ENCRYPTION_KEYS."""

from django.db import transaction

from drdash.tenants.models import Credential
from drdash.tenants.secrets import Unopenable


class Stuck(Exception):
    """These credentials have a secret that none of the keys opens, so nothing was changed."""

    def __init__(self, credentials: tuple[str, ...]) -> None:
        super().__init__(", ".join(credentials))
        self.credentials = credentials


def rotate() -> int:
    """Reseal every stored secret, or none; how many there are. Raises Stuck when one cannot be opened."""
    resealed, stuck = 0, []
    with transaction.atomic():
        for credential in Credential.objects.select_for_update().order_by("pk"):
            try:
                resealed += credential.reseal()
            except Unopenable:
                stuck.append(f'"{credential.name}" at {credential.cloud}')
                continue
            # Not changed_at: whoever holds a token of the credential may keep it.
            credential.save(update_fields=Credential.SEALED)
        if stuck:
            raise Stuck(tuple(stuck))
    return resealed
