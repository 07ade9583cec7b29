"""OAuth2: an authorization code once, and then refreshes that nobody notices."""

import base64
import hashlib
import secrets
from typing import Final
from urllib.parse import quote, urlencode

from attrs import evolve

from g2a_async.access import AccessTokens
from g2a_async.auth import fingerprint
from g2a_async.clock import Clock, SystemClock
from g2a_async.errors import ConfigError
from g2a_async.events import Hooks
from g2a_async.renewal import Renewal
from g2a_async.settings import RetryPolicy, Settings, web_address
from g2a_async.token_endpoint import TokenEndpoint
from g2a_async.tokens import MemoryTokenStore, Token, TokenStore

TOKEN_URL: Final = "https://authentication.logmeininc.com/oauth/token"  # noqa: S105  an address
AUTHORIZE_URL: Final = "https://authentication.logmeininc.com/oauth/authorize"


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
        self._clock = clock or SystemClock()
        renewal = Renewal(self.store, self._given, self._endpoint, self._clock)
        self._tokens = AccessTokens(renewal, self.store, self._clock, can_begin=self._given is not None)

    def __repr__(self) -> str:
        return f"OAuth2({self.client_id!r}, '***', store={self.store!r})"

    @property
    def quota_key(self) -> str:
        """What tells the quota of one user of one client from another's, without a secret."""
        user = self._given or getattr(self.store, "identity", None) or f"store {id(self.store)}"
        return fingerprint(f"{self.client_id} {user}")

    def adopt(self, settings: Settings, hooks: Hooks | None = None) -> None:
        """Reach the token endpoint as a client with *settings* reaches the service, unless told otherwise before.

        `on_refresh` of the first client that has one is told, on an event loop of a call that needed the token.
        """
        if hooks is not None:
            self._tokens.hook = self._tokens.hook or hooks.on_refresh
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
        return await self._tokens.begin(form)

    def peek(self) -> str | None:
        """The token, without waiting; None: there is none yet, or it is due for its refresh."""
        return self._tokens.peek()

    async def token(self) -> str:
        """The token. One that is due is used while it is refreshed; one that is about to end is refreshed first.

        ReauthorizationRequiredError: nobody has logged in, or must do so anew.
        """
        return await self._tokens.token()

    async def renew(self, stale: str) -> str | None:
        """A token other than *stale*, which was just refused. None: there were too many refreshes of late."""
        return await self._tokens.renew(stale)

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
