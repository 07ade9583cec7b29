"""What proves who we are, and how it is written into a request."""

import hashlib
import re
from typing import Protocol, runtime_checkable

from g2a_async.errors import ConfigError

_TOKEN = re.compile(r"[\x21-\x7e]+")


@runtime_checkable
class Auth(Protocol):
    """Gives access tokens."""

    async def token(self) -> str | None:
        """The token to use now; None: there is none, and none is sent."""
        ...

    async def renew(self, stale: str) -> str | None:
        """A token other than *stale*, which was just refused, or None: there is none."""
        ...


class StaticToken:
    """One access token, fixed. When it is refused, the error is the caller's."""

    def __init__(self, token: str) -> None:
        self._token = checked_token(token)

    def __repr__(self) -> str:
        return "StaticToken('***')"

    @property
    def quota_key(self) -> str:
        """What tells the quota of one credential from another's; not the credential itself."""
        return fingerprint(self._token)

    def peek(self) -> str:
        """The token, without waiting."""
        return self._token

    async def token(self) -> str:
        """The token."""
        return self._token

    async def renew(self, stale: str) -> None:
        """None: there is no other."""


class NoAuth:
    """No token: for the calls that need none."""

    quota_key = "no credentials"

    def peek(self) -> None:
        """None."""

    async def token(self) -> None:
        """None."""

    async def renew(self, stale: str) -> None:
        """None."""


def checked_token(token: str) -> str:
    """*token*. ConfigError, which does not show it: it is empty, or cannot stand in a header."""
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise ConfigError("the access token is empty or cannot stand in a header: give it alone, without `Bearer`")
    return token


def fingerprint(secret: str) -> str:
    """A name for *secret* that does not give it away."""
    return hashlib.sha256(secret.encode()).hexdigest()[:16]


def authorization(scheme: str, token: str) -> str:
    """The header's value, in today's form or in the older one, which the service also took."""
    return f"OAuth oauth_token={token}" if scheme == "OAuth" else f"Bearer {token}"
