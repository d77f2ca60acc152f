"""Secrets at rest: sealed with the first of DRDASH_ENCRYPTION_KEYS, opened with any of them."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from drdash.english import english


class Unopenable(Exception):
    """A sealed secret that none of the keys opens: the keys were changed or lost. Connect the cloud again."""


def seal(secret: str) -> str:
    """The secret, encrypted, as text for the database."""
    return _keys().encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    """The secret back. Raises Unopenable when none of the keys opens it."""
    try:
        return _keys().decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise Unopenable(
            english(
                "A stored secret cannot be opened with DRDASH_ENCRYPTION_KEYS. Bring the old key back, "
                "or connect again."
            )
        ) from error


def reseal(sealed: str) -> str:
    """The same secret, sealed with the first key. Raises Unopenable when none of the keys opens it."""
    return seal(unseal(sealed))


def _keys() -> MultiFernet:
    if not settings.ENCRYPTION_KEYS:
        raise ImproperlyConfigured("DRDASH_ENCRYPTION_KEYS is not set: secrets cannot be stored or read without it.")
    return MultiFernet([Fernet(key) for key in settings.ENCRYPTION_KEYS])
