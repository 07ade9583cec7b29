"""OAuth2: an authorization code once, and then refreshes that nobody notices."""

import asyncio
import base64
import copy
import hashlib
import logging
import random
import secrets
from collections import deque
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from urllib.parse import quote, urlencode

from attrs import evolve, frozen

from g2a_async.auth import fingerprint
from g2a_async.clock import Clock, SystemClock
from g2a_async.errors import ConfigError, G2AError, ReauthorizationRequiredError
from g2a_async.events import Hooks, RefreshEvent, tell_hook
from g2a_async.flight import SingleFlight
from g2a_async.renewal import Renewal
from g2a_async.settings import RetryPolicy, Settings, web_address
from g2a_async.token_endpoint import TokenEndpoint
from g2a_async.tokens import MemoryTokenStore, Token, TokenStore

TOKEN_URL: Final = "https://authentication.logmeininc.com/oauth/token"  # noqa: S105  an address
AUTHORIZE_URL: Final = "https://authentication.logmeininc.com/oauth/authorize"

_logger: Final = logging.getLogger("g2a_async")
_AHEAD: Final = 120.0
"""Seconds before its end at which a token is due for its refresh; less where it lives for minutes only."""
_SHARE: Final = 0.4
"""The most of a token's life that lies ahead of its end so. With the jitter that is a half."""
_JITTER: Final = 0.25
"""The refresh is by up to this share of that time earlier, so that processes do not all come at once."""
_PAUSES: Final = (1.0, 30.0)
"""Seconds after a failed refresh in which no other is tried: at first, and at most. It doubles in between."""
_PATIENCE: Final = 1.0
"""Seconds that a call waits for a refresh while the token in use is still valid."""
_FORCED: Final = (30, 60.0)
"""So many refreshes in so many seconds because of a 401, and no more: a technician without a seat gets a 401 with
every token."""


@frozen
class _Current:
    """The token in use, and when it is due for its refresh."""

    token: Token
    due: datetime | None


@frozen
class _Failure:
    """Why there was no refresh, and when the next is tried, by the clock that only grows."""

    error: G2AError
    until: float
    pause: float

    @property
    def passing(self) -> bool:
        """Whether it may be better the next time, without anybody doing something."""
        return not isinstance(self.error, ConfigError | ReauthorizationRequiredError)


class OAuth2:
    """Access tokens by OAuth2, refreshed ahead of their end and after a 401.

    One refresh serves all tasks, threads and event loops that use this object, and all processes that share its
    *store*: lock, read again, refresh only if still needed, save, and only then use. It goes on when those who wait
    for it are cancelled. One that fails for a passing reason is tried again later, and a token that is still valid
    is used until then. A process that is killed in the middle of a refresh loses what the server had just sent; only
    where the server ends a refresh token at the moment that it replaces it must the user then log in anew.

    *refresh_token* is for a store that has none yet, or one that is refused. *store*: None for this process's
    memory. *settings*: proxy, TLS, time-outs and repeats of the token endpoint; None for the way in which the client
    that uses this reaches the service, with 15 seconds for one exchange.
    """

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        *,
        refresh_token: str | None = None,
        store: TokenStore | None = None,
        token_url: str = TOKEN_URL,
        authorize_url: str = AUTHORIZE_URL,
        settings: Settings | None = None,
        clock: Clock | None = None,
    ) -> None:
        """ConfigError, which shows no secret: an argument that cannot be used."""
        if not client_id or ":" in client_id or not client_secret:
            raise ConfigError("client_id and client_secret must not be empty, and client_id has no colon")
        self.client_id = client_id
        self._client_secret = client_secret
        try:
            self._token_url = web_address("token_url", token_url)
            self._authorize_url = web_address("authorize_url", authorize_url)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        self.store: TokenStore = MemoryTokenStore() if store is None else store
        """Where the token is kept."""
        self._given = refresh_token or None
        self._settings = settings
        self._hooks: Hooks | None = None
        self._clock = clock or SystemClock()
        self._renewal = Renewal(self.store, self._given, self._endpoint, self._clock)
        self._flights: SingleFlight[Token] = SingleFlight()
        self._current: _Current | None = None
        self._failure: _Failure | None = None
        self._forced: deque[float] = deque(maxlen=_FORCED[0])

    def __repr__(self) -> str:
        return f"OAuth2({self.client_id!r}, '***', store={self.store!r})"

    @property
    def quota_key(self) -> str:
        """What tells the quota of one user of one client from another's, without a secret."""
        user = self._given or getattr(self.store, "identity", None) or f"store {id(self.store)}"
        return fingerprint(f"{self.client_id} {user}")

    def adopt(self, settings: Settings, hooks: Hooks | None = None) -> None:
        """Reach the token endpoint as a client with *settings* reaches the service, unless told otherwise before.

        *hooks* of the first client that has some are told of refreshes, on the event loop that they happen on.
        """
        self._hooks = self._hooks or hooks
        if self._settings is None:
            self._settings = evolve(
                _defaults(),
                proxy=settings.proxy,
                trust_env=settings.trust_env,
                ssl=settings.ssl,
                user_agent=settings.user_agent,
            )

    def authorization_url(self, redirect_uri: str, state: str, *, code_challenge: str | None = None) -> str:
        """The page where the user says yes; from there the browser goes to *redirect_uri* with a code and *state*.

        *state*: unguessable, and to be compared when it comes back. *code_challenge*: of `pkce()`, where the server
        takes one.
        """
        if not redirect_uri or not state:
            raise ValueError("redirect_uri and state must not be empty")
        query = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": redirect_uri,
            "state": state,
        }
        if code_challenge is not None:
            query |= {"code_challenge": code_challenge, "code_challenge_method": "S256"}
        return f"{self._authorize_url}?{urlencode(query, quote_via=quote, safe='')}"

    async def exchange_code(self, code: str, redirect_uri: str, *, code_verifier: str | None = None) -> Token:
        """The user's token for *code*, saved in the store.

        ReauthorizationRequiredError: the code was used, has ended, or is for another *redirect_uri*.
        OutcomeUnknownError: the answer was lost, and a code works once.
        """
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        if code_verifier is not None:
            form["code_verifier"] = code_verifier
        token = await self._renewal.exchange_code(form)
        self._failure = None
        return self._use(token)

    def peek(self) -> str | None:
        """The token, without waiting; None: there is none yet, or it is due for its refresh."""
        current = self._current
        if current is None or (current.due is not None and self._clock.now() >= current.due):
            return None
        return current.token.access_token

    async def token(self) -> str:
        """The token; one that is due is refreshed first.

        ReauthorizationRequiredError: nobody has logged in, or must do so anew.
        """
        access_token = self.peek()
        if access_token is not None:
            return access_token
        patience = asyncio.timeout(_PATIENCE)
        try:
            async with patience:
                token = await self._shared(None)
        except TimeoutError:
            if not patience.expired():
                raise
            if (token := self._usable()) is not None:
                self._put_off(token, _PATIENCE)
            else:
                token = await self._shared(None)
        assert token is not None  # noqa: S101  only a stale one can come again
        return token.access_token

    async def renew(self, stale: str) -> str | None:
        """A token other than *stale*, which was just refused. None: there were too many refreshes of late."""
        if (token := self._usable(stale)) is not None:
            return token.access_token
        count, seconds = _FORCED
        if len(self._forced) == count and self._clock.monotonic() - self._forced[0] < seconds:
            return None
        token = await self._shared(stale)
        return None if token is None else token.access_token

    def _usable(self, stale: str | None = None) -> Token | None:
        """The token in use, if it has not ended and is not *stale*."""
        token = self._current.token if self._current is not None else None
        return token if token is not None and token.access_token != stale and token.valid(self._clock.now()) else None

    def _put_off(self, usable: Token, seconds: float) -> None:
        """Use *usable* for so long, before its refresh is due again."""
        later = self._clock.now() + timedelta(seconds=seconds)
        self._current = _Current(usable, min(usable.expires_at or later, later))

    async def _shared(self, stale: str | None) -> Token | None:
        """What the refresh that is under way gives, or one that begins now. None: the server gives *stale* again."""
        for _ in range(2):  # the first may be one that did not know that it is stale
            failure = self._failure
            pausing = failure is not None and self._clock.monotonic() < failure.until
            if failure is not None and pausing and (not failure.passing or self._usable(stale) is None):
                raise copy.copy(failure.error)  # each caller's own: errors are amended on their way
            token = await self._flights.share(partial(self._refresh, stale))
            if token.access_token != stale:
                return token
        return None

    async def _refresh(self, stale: str | None) -> Token:
        """A token that is not due. When there is no way to it now: the one in use, if that will do for a while."""

        def fits(found: Token) -> bool:
            if self._current is None:
                self._use(found)  # it may have to do, should the refresh fail
            return found.access_token != stale and not self._is_due(found)

        if stale is not None:
            self._forced.append(self._clock.monotonic())
        try:
            token, is_new = await self._renewal.renew(fits)
        except ReauthorizationRequiredError as error:
            await self._tell(None, error)
            raise  # no pause: a new login counts at once
        except G2AError as error:
            await self._tell(None, error)
            pause = min(self._failure.pause * 2, _PAUSES[1]) if self._failure else _PAUSES[0]
            self._failure = _Failure(error, self._clock.monotonic() + pause, pause)
            usable = self._usable(stale)
            if usable is None or not self._failure.passing:
                raise
            _logger.warning("the token could not be refreshed, and is used while it is valid: %s", error)
            self._put_off(usable, pause)
            return usable
        self._failure = None
        self._use(token)
        if is_new:
            await self._tell(token.principal, None)
        return token

    async def _tell(self, principal: str | None, error: G2AError | None) -> None:
        if self._hooks is not None and self._hooks.on_refresh is not None:
            told = None if error is None else copy.copy(error)
            await tell_hook(self._hooks.on_refresh, RefreshEvent(principal=principal, error=told))

    def _use(self, token: Token) -> Token:
        self._current = self._drawn(token)
        return token

    def _is_due(self, token: Token) -> bool:
        due = self._drawn(token).due
        return due is not None and self._clock.now() >= due

    def _drawn(self, token: Token) -> _Current:
        """When *token* is due, drawn once; the one in use keeps what it has."""
        current = self._current
        if current is not None and current.token.access_token == token.access_token:
            return current
        end = token.expires_at
        if end is None or (token.refresh_token is None and self._given is None):
            return _Current(token, end)
        life = (end - token.issued_at).total_seconds() if token.issued_at is not None else float("inf")
        ahead = min(_AHEAD, max(life, 0.0) * _SHARE) * random.uniform(1, 1 + _JITTER)  # noqa: S311  jitter
        return _Current(token, end - timedelta(seconds=ahead))

    def _endpoint(self) -> TokenEndpoint:
        return TokenEndpoint(
            self._token_url, self.client_id, self._client_secret, self._settings or _defaults(), self._clock
        )


def _defaults() -> Settings:
    retry = RetryPolicy(attempts=4, base=0.5, cap=5.0, max_retry_after=20.0)
    return Settings(attempt_timeout=15.0, deadline=50.0, retry=retry)


def pkce() -> tuple[str, str]:
    """A code verifier, for `exchange_code`, and its challenge, for `authorization_url`: new ones for each login."""
    verifier = secrets.token_urlsafe(64)
    digest = hashlib.sha256(verifier.encode()).digest()
    return verifier, base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
