"""A person's sign-in at the cloud, in the browser: where to send them, and what their coming back is worth.

The code that comes back is of use to nobody without ``verifier``, which never leaves this side before it is redeemed.
"""

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from urllib.parse import urlencode

from drdash.cloud import grants
from drdash.cloud.account import Account
from drdash.cloud.errors import WrongCredential
from drdash.cloud.grants import Token
from drdash.cloud.oauth import OwnHold, ask
from drdash.cloud.transport import Deadline
from drdash.english import english


def verifier() -> str:
    """A new secret for one sign-in."""
    return secrets.token_urlsafe(64)


def authorize_url(account: Account, *, redirect_uri: str, state: str, verifier: str) -> str:
    """The cloud's page that asks the person for their consent. Raises BadAddress."""
    told = {
        "response_type": "code",
        "client_id": account.client_id,
        "redirect_uri": redirect_uri,
        "scope": "offline_access",
        "state": state,
        "code_challenge": urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    return f"{account.root}/api/2/idp/authorize?{urlencode(told)}"


def redeem(
    account: Account,
    *,
    code: str,
    verifier: str,
    redirect_uri: str,
    now: Callable[[], float],
    monotonic: Callable[[], float],
    deadline: float,
) -> Token:
    """The token that a code stands for, with what renews it. Raises CloudError; the code may be used up then."""
    form = grants.code(account, code=code, verifier=verifier, redirect_uri=redirect_uri)
    with Deadline(deadline, monotonic) as until:
        token = ask(account, form, hold=OwnHold(monotonic), now=now, deadline=until)
    if token.refresh is None:
        raise WrongCredential(
            english("The cloud's token for this sign-in cannot be renewed: have it allow offline_access to the client.")
        )
    return token
