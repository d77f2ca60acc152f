"""`manage.py drf_create_token USER [-r]`: the token of the JSON API, printed this once, and noted in the audit."""

from django.contrib.auth.models import User
from rest_framework.authtoken.management.commands import drf_create_token
from rest_framework.authtoken.models import Token

from drdash.audit.mirror import mirror
from drdash.web import tokens


class Command(drf_create_token.Command):
    def create_user_token(self, username: str, reset_token: bool) -> Token:
        user = User.objects.get_by_natural_key(username)
        if reset_token:
            tokens.revoke(user, by=None)
        token = tokens.make(user)[0]
        mirror().settle()  # what writes the audit's mirror ends with this process
        return token
