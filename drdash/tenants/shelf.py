"""Where the processes of an installation keep their tokens together: in the database, sealed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import uuid4

import msgspec
from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from drdash import senders
from drdash.cloud.account import Grant
from drdash.cloud.oauth import Memory, ShelfAway, Token
from drdash.tenants.models import Credential, KeptToken
from drdash.tenants.secrets import Unopenable, seal, unseal

# Longer than a renewal may take: whoever dies in one, and is not proven gone, keeps the others waiting for so long.
LEASE = timedelta(seconds=30)


class DatabaseShelf:
    """The tokens of a credential, as it was when this shelf was made: once that is changed or replaced, the shelf is
    empty and keeps nothing, so that no token of the old one comes back. Every method may raise ShelfAway.
    """

    def __init__(self, credential: Credential, *, now: Callable[[], datetime] = timezone.now) -> None:
        self._credential = credential.pk
        self._changed_at = credential.changed_at
        self._now = now

    def read(self, tenant: str) -> Token | None:
        with _reachable():
            return opened(self._rows(tenant).values_list("sealed", flat=True).first())

    def keep(self, tenant: str, token: Token) -> None:
        sealed = closed(token)
        with _reachable(), transaction.atomic():
            if self._current():
                KeptToken.objects.update_or_create(
                    credential_id=self._credential, tenant=tenant, defaults={"sealed": sealed}
                )

    def forget(self, tenant: str, token: Token) -> None:
        with _reachable():
            sealed = self._rows(tenant).values_list("sealed", flat=True).first()
            kept = opened(sealed)
            if kept is not None and kept.text == token.text:
                emptied = closed(msgspec.structs.replace(kept, text=""))
                self._rows(tenant).filter(sealed=sealed).update(sealed=emptied)

    @contextmanager
    def renewing(self, tenant: str) -> Iterator[bool]:
        claim = f"{senders.me()} {uuid4().hex}"
        with _reachable():
            claimed = self._claimed(tenant, claim)
        try:
            yield claimed
        finally:
            if claimed:
                self._release(tenant, claim)

    def _claimed(self, tenant: str, claim: str) -> bool:
        if not self._rows(tenant).exists():
            with transaction.atomic():
                if not self._current():
                    return True  # nobody shares what is kept no more
                KeptToken.objects.get_or_create(credential_id=self._credential, tenant=tenant)
        now = self._now()
        free = Q(claimed_until=None) | Q(claimed_until__lte=now)
        by = self._rows(tenant).values_list("claimed_by", flat=True).first() or ""
        if senders.gone(by.rpartition(" ")[0]):
            free |= Q(claimed_by=by)
        return bool(self._rows(tenant).filter(free).update(claimed_by=claim, claimed_until=now + LEASE))

    def _release(self, tenant: str, claim: str) -> None:
        try:
            with _reachable():
                self._rows(tenant).filter(claimed_by=claim).update(claimed_by="", claimed_until=None)
        except ShelfAway:
            pass  # the lease ends by itself

    def _rows(self, tenant: str) -> QuerySet[KeptToken]:
        return KeptToken.objects.filter(
            credential_id=self._credential, credential__changed_at=self._changed_at, tenant=tenant
        )

    def _current(self) -> bool:
        """Whether the credential is still the one that this shelf was made for; it stays so until the commit."""
        current = Credential.objects.select_for_update(no_key=True)
        return bool(current.filter(pk=self._credential, changed_at=self._changed_at).values_list("pk", flat=True))


def begin(credential: Credential, tokens: Memory, *, tenant: str) -> None:
    """Keep what was got while the credential was tried, in the caller's transaction, where it cannot be got again: what
    a sign-in or an assertion is renewed with.
    """
    if credential.grant == Grant.AUTHORIZATION_CODE or credential.sealed_assertion:
        for place in {"", tenant}:
            if (token := tokens.read(place)) is not None:
                KeptToken.objects.create(credential=credential, tenant=place, sealed=closed(token))


def closed(token: Token) -> str:
    """The token and what renews it, sealed as one."""
    return seal(msgspec.json.encode(token).decode())


def opened(sealed: str | None) -> Token | None:
    """The token back; None when there is none, or none that our keys open: then another is fetched."""
    if not sealed:
        return None
    try:
        return msgspec.json.decode(unseal(sealed), type=Token)
    except (Unopenable, msgspec.MsgspecError):
        return None


@contextmanager
def _reachable() -> Iterator[None]:
    """A thread that had no connection to the database has none afterwards: nobody else would close it."""
    ours = connection.connection is None
    try:
        yield
    except DatabaseError as error:
        raise ShelfAway(f"The database cannot be used just now ({type(error).__name__}).") from error
    finally:
        if ours:
            connection.close()
