"""Whom a session cookie stands for, and whether that still holds: for many open streams in one go."""

import hashlib
from collections.abc import Collection, Iterable
from typing import Any

import msgspec
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.http import parse_cookie
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from drdash.tenants import access
from drdash.tenants.roles import Role


class Watcher(msgspec.Struct, frozen=True):
    """Someone signed in, as they were when their stream began. ``stamp`` changes with the password."""

    session: str
    user: int
    stamp: str
    roles: tuple[tuple[int, Role], ...]


def watcher(cookie_header: str) -> Watcher | None:
    """Whom the cookies stand for; None: nobody who may sign in.

    Only reads: Django's own look-up would give an old session a new key, which a stream cannot hand to the browser.
    """
    key = parse_cookie(cookie_header).get(settings.SESSION_COOKIE_NAME)
    held = SessionStore(key).load() if key else {}
    if held.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    pk: Any = held.get(SESSION_KEY)
    user = get_user_model().objects.filter(pk=pk, is_active=True).first()
    if user is None:
        return None
    stamp = user.get_session_auth_hash()
    stamps = [stamp, *user.get_session_auth_fallback_hash()]
    if not any(constant_time_compare(held.get(HASH_SESSION_KEY, ""), one) for one in stamps):
        return None
    return Watcher(str(key), user.pk, stamp, _ordered(access.reach(user).roles.items()))


def lapsed(watchers: Collection[Watcher]) -> set[Watcher]:
    """Those who signed out, were disabled, have another password, or other roles than when their stream began."""
    sessions = {one.session for one in watchers}
    ids = {one.user for one in watchers}
    alive = Session.objects.filter(session_key__in=sessions, expire_date__gt=timezone.now())
    kept = set(alive.values_list("session_key", flat=True))
    users = get_user_model().objects.filter(pk__in=ids, is_active=True)
    stamps = {user.pk: user.get_session_auth_hash() for user in users}
    roles = access.roles_of(ids)
    return {
        one
        for one in watchers
        if one.session not in kept
        or stamps.get(one.user) != one.stamp
        or _ordered(roles[one.user].items()) != one.roles
    }


def eyes(user: int, roles: Iterable[tuple[int, Role]]) -> str:
    """A short text that is another for another person, and for the same one in other roles."""
    return hashlib.blake2b(repr((user, _ordered(roles))).encode(), digest_size=6).hexdigest()


def _ordered(roles: Iterable[tuple[int, Role]]) -> tuple[tuple[int, Role], ...]:
    return tuple(sorted(roles))
