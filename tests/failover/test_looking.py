"""The look before an action: what keeps it from being one is a sentence, never an exception."""

from drdash.estate.clients import actor, reader
from drdash.failover.looking import look, usable, without_token
from tests.failover.cast import Cast
from tests.failover.test_guard import a_server


def test_with_a_credential_that_cannot_be_used_nothing_is_read_or_sent(fresh_process: None) -> None:
    cast = Cast()
    cast.credential.sealed_secret = "what none of the keys opens"
    cast.credential.save()
    cast.tenant.refresh_from_db()
    assert look(cast.tenant, a_server()).problem == "The cloud's credential cannot be used: connect it again."
    assert usable(reader, cast.tenant) is usable(actor, cast.tenant) is None
    assert without_token(None) == "The acting credential cannot be used: connect it again."
