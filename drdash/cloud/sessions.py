"""HTTP sessions that reach one account's own origin, and nothing else."""

import logging
from http.cookiejar import DefaultCookiePolicy

from oauthlib.oauth2 import BackendApplicationClient
from requests_oauthlib import OAuth2Session

from drdash.cloud.account import Account
from drdash.cloud.grants import Token
from drdash.cloud.transport import PlainHttp, Transport

# It writes tokens and secrets at DEBUG. A filter stays where a level would be set anew by a logging configuration.
logging.getLogger("requests_oauthlib.oauth2_session").addFilter(lambda record: record.levelno > logging.DEBUG)


def transport_for(account: Account) -> Transport:
    """The connections to an account's cloud, which sessions may share. Raises BadAddress."""
    return Transport() if account.root.startswith("https:") else PlainHttp()


def session_for(account: Account, transport: Transport, token: Token | None = None) -> OAuth2Session:
    """A session that reaches the account's own origin and nothing else, takes nothing from the environment, and
    verifies certificates. Its URLs start with ``origin(account)``.
    """
    # The token's end is left out: oauthlib would judge it by a clock of its own.
    carried = {"access_token": token.text, "token_type": "Bearer"} if token else {}
    session = OAuth2Session(client=BackendApplicationClient(client_id=account.client_id), token=carried)
    session.trust_env = False
    session.verify = account.ca_bundle or True
    if account.proxy:
        session.proxies = {"http": account.proxy, "https": account.proxy}
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.adapters.clear()
    session.mount(f"{origin(account)}/", transport)
    session.headers.update({"User-Agent": "drdash", "Accept": "application/json"})
    return session


def origin(account: Account) -> str:
    """How the account's sessions name its root: always with https, see PlainHttp."""
    return "https" + account.root.removeprefix("https").removeprefix("http")
