"""The session manager: one pool, one quota, one credential, and the services on them."""

import os
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit

import aiohttp
from attrs import evolve

from g2a_async import services
from g2a_async.auth import Auth, NoAuth, StaticToken, fingerprint
from g2a_async.clock import Clock, SystemClock
from g2a_async.codec import parse, query_value
from g2a_async.endpoints import ENDPOINTS, Endpoint
from g2a_async.errors import ConfigError
from g2a_async.events import Hooks, Telemetry
from g2a_async.exchange import SECRET_NAME
from g2a_async.pool import Pool
from g2a_async.quota import RateLimiter, shared_quota
from g2a_async.settings import Settings, web_address
from g2a_async.transport import Transport

_POOLED = {"max_connections": "the pool", "requests_per_second": "the quota"}
_OWN = ("http", "limiter", "clock", "hooks", "telemetry")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


class G2AClient:
    """The GoToAssist Remote Support API.

    Making one does no I/O and needs no event loop. `async with` opens and closes it; without, the first call opens
    it and `aclose()` closes it. A passed *http* is borrowed: never closed, never altered, and nothing of its
    defaults is relied on. An owned pool works from several event loops in turn; a borrowed session on a loop
    that is not its own raises WrongLoopError before anything is sent.
    """

    def __init__(
        self,
        auth: Auth | str | None = None,
        *,
        settings: Settings | None = None,
        http: aiohttp.ClientSession | None = None,
        limiter: RateLimiter | None = None,
        clock: Clock | None = None,
        hooks: Hooks | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        """Make a client; nothing is opened.

        *auth*: an Auth, or an access token. *limiter*: None for the default, which all clients of the credential
        in this process share. *hooks* are told of what happens, *telemetry* makes spans. ConfigError: an *auth* that
        cannot be used.
        """
        settings, clock = settings or Settings(), clock or SystemClock()
        auth = NoAuth() if auth is None else StaticToken(auth) if isinstance(auth, str) else auth
        if not isinstance(auth, Auth):
            raise ConfigError("auth must be an access token, or have the methods token() and renew()")
        if adopt := getattr(auth, "adopt", None):
            adopt(settings, hooks)  # the token endpoint is reached as the service is
        if limiter is None and settings.requests_per_second is not None:
            key = f"{urlsplit(settings.base_url)[:2]} {getattr(auth, 'quota_key', id(auth))}"
            limiter = shared_quota(fingerprint(key), settings.requests_per_second, clock)
        self._derived = False
        pool = Pool(http, settings.max_connections)
        self._transport = Transport(settings, auth, pool, limiter, clock, hooks or Hooks(), telemetry)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **changes: Any) -> Self:
        """A client from the environment.

        `G2A_ACCESS_TOKEN`; or `G2A_CLIENT_ID`, `G2A_CLIENT_SECRET` and `G2A_REFRESH_TOKEN`; or the login that
        `g2a login` left. `G2A_BASE_URL` and `G2A_TOKEN_URL` name a service that is elsewhere.

        *changes* are settings, or what else a client is made with (`http`, `hooks`, …). ConfigError
        says which variable is missing or wrong.
        """
        from g2a_async.logins import auth_from_env, renamed  # noqa: PLC0415  OAuth2 and its stores, for this way alone

        # Not as the default value: `help()` would show the whole environment.
        environ = os.environ if environ is None else environ
        own = {name: changes.pop(name) for name in _OWN if name in changes}
        auth = auth_from_env(environ, clock=own.get("clock"))
        names = {}
        if "base_url" not in changes and (base_url := environ.get("G2A_BASE_URL", "").strip()):
            changes["base_url"], names["base_url"] = base_url, "G2A_BASE_URL"
        try:
            return cls(auth, settings=Settings(**changes), **own)
        except (TypeError, ValueError) as error:
            raise ConfigError(renamed(str(error), names)) from None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._transport.auth!r}, base_url={self.settings.base_url!r})"

    @property
    def settings(self) -> Settings:
        """How this client behaves."""
        return self._transport.settings

    @cached_property
    def sessions(self) -> "services.Sessions":
        """Sessions: start, read, list, watch."""
        return services.Sessions(self._transport)

    @cached_property
    def companies(self) -> "services.Companies":
        """Companies and their machines."""
        return services.Companies(self._transport)

    @cached_property
    def recordings(self) -> "services.Recordings":
        """Recordings."""
        return services.Recordings(self._transport)

    @cached_property
    def system_links(self) -> "services.SystemLinks":
        """Partner systems that are registered with the service."""
        return services.SystemLinks(self._transport)

    def tickets(self, callback_url: str, user_token: str) -> "services.Tickets":
        """The client side of the partner protocol at *callback_url*. Sends *user_token*, never our Authorization.

        ValueError: the address cannot be one, or the token is empty.
        """
        if not user_token:
            raise ValueError("user_token must not be empty: it is what the partner knows the user by")
        return services.Tickets(self._transport, web_address("callback_url", callback_url), user_token)

    async def __aenter__(self) -> Self:
        if not self._derived:
            self._transport.pool.closed = False
        await self._transport.pool.lease()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close what is owned. Calls after it raise ClientClosedError, until the client is entered again.

        A client made by `with_settings` owns nothing: closing it leaves the one that it was made from open.
        """
        if not self._derived:
            await self._transport.pool.aclose()

    def with_settings(self, **changes: Any) -> Self:
        """A client with other settings that shares this one's pool, quota and credentials.

        ValueError: a setting that belongs to what is shared, or a value that cannot work.
        """
        for name, owner in _POOLED.items():
            if name in changes:
                raise ValueError(
                    f"{name} belongs to {owner}, which both clients share: make a client of its own for it"
                )
        other = object.__new__(type(self))
        other._derived = True
        other._transport = self._transport.with_settings(evolve(self.settings, **changes))
        return other

    async def request(self, method: str, path: str, *, query: Mapping[str, Any] | None = None, json: Any = None) -> Any:
        """Any call that has no method here yet, with every guarantee of the others. Decoded JSON; None for no body.

        `METHOD /path` under the base URL. A list in *query* repeats its name, None is left out. POST and PATCH are
        not repeated when their answer is lost.
        """
        endpoint = _endpoint(method, path)
        pairs = [
            (name, query_value(one))
            for name, value in (query or {}).items()
            for one in (value if isinstance(value, list | tuple) else [value])
        ]
        wire = self._transport
        answer = await wire.call(
            endpoint, wire.url(endpoint, pairs), json=json, secrets=_secrets_in(json) + _secrets_in(query)
        )
        return parse(answer.body, endpoint.name) if answer.body.strip() else None


def _secrets_in(value: Any, *, named: bool = False) -> tuple[str, ...]:
    """The texts of a query or a body whose names say that they are secret."""
    if isinstance(value, Mapping):
        items = ((item, named or bool(SECRET_NAME.search(str(name)))) for name, item in value.items())
    elif isinstance(value, list | tuple):
        items = ((item, named) for item in value)
    else:
        return (value,) if named and isinstance(value, str) else ()
    return tuple(secret for item, is_secret in items for secret in _secrets_in(item, named=is_secret))


def _endpoint(method: str, path: str) -> Endpoint:
    method = method.upper()
    if not method.isascii() or not method.isalpha():
        raise ValueError(f"method must be an HTTP method, not {method!r}")
    if not path.startswith("/") or set(path) & set("?#{}\\") or {".", ".."} & set(unquote(path).split("/")):
        raise ValueError(f"path must begin with / and have no query (use query=), braces or dot segments, not {path!r}")
    for row in ENDPOINTS:
        if (row.method, row.path, row.partner) == (method, path, False):
            return evolve(row, redirects=False)
    safe = quote(path, safe="/%:@!$&'()*+,;=~")
    own = Endpoint(name="", method=method, path=safe, meaning="", repeatable=method in _SAFE_METHODS)
    return evolve(own, name=f"{method} {own.route}")
