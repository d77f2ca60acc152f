"""From one encryption key to the next: every stored secret, resealed with the first of DRDASH_ENCRYPTION_KEYS."""

from django.db import transaction

from drdash.cloud.account import Grant
from drdash.tenants.models import Credential
from drdash.tenants.secrets import Unopenable, reseal


class Stuck(Exception):
    """These credentials have a secret that none of the keys opens, so nothing was changed."""

    def __init__(self, credentials: tuple[str, ...]) -> None:
        super().__init__(", ".join(credentials))
        self.credentials = credentials


def rotate() -> int:
    """Reseal every stored secret and token, or none; how many there are. Raises Stuck when one cannot be opened.

    A token that cannot be opened is dropped, where another is to be had without a person.
    """
    resealed, stuck = 0, []
    with transaction.atomic():
        for credential in Credential.objects.select_for_update().order_by("pk"):
            try:
                resealed += credential.reseal() + _reseal_tokens(credential)
            except Unopenable:
                stuck.append(f'"{credential.name}" at {credential.cloud}')
                continue
            # Not changed_at: whoever holds a token of the credential may keep it.
            credential.save(update_fields=Credential.SEALED)
        if stuck:
            raise Stuck(tuple(stuck))
    return resealed


def _reseal_tokens(credential: Credential) -> int:
    resealed = 0
    for token in credential.tokens.select_for_update().exclude(sealed="").order_by("pk"):
        try:
            token.sealed = reseal(token.sealed)
        except Unopenable:
            if credential.grant == Grant.AUTHORIZATION_CODE:
                raise
            token.delete()
            continue
        token.save(update_fields=["sealed"])
        resealed += 1
    return resealed
