"""The token endpoint of the authorization server, over a connection of its own."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Self
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from g2a_async.auth import checked_token
from g2a_async.call import Call, explain, tell
from g2a_async.clock import Clock
from g2a_async.codec import parse
from g2a_async.endpoints import Endpoint
from g2a_async.errors import ConfigError, DecodeError, G2AError
from g2a_async.exchange import Exchange, is_success, spellings, status_error
from g2a_async.network import Proxies, read_some, timeout_of
from g2a_async.retry import may_repeat
from g2a_async.settings import Settings
from g2a_async.tokens import Token

REFRESH: Final = Endpoint(
    name="oauth.refresh",
    method="POST",
    path="",
    meaning="A refresh token becomes an access token",
    authorized=False,
)
"""Repeated when its answer was lost. If the server has replaced the refresh token by then, the old one may still do
for a while; and if not, nothing is worse than before."""
EXCHANGE_CODE: Final = Endpoint(
    name="oauth.exchange_code",
    method="POST",
    path="",
    meaning="An authorization code becomes an access token",
    authorized=False,
    repeatable=False,  # a code works once
)

_SECRET_FIELDS: Final = frozenset({"code", "code_verifier", "refresh_token"})


class TokenEndpoint:
    """The two calls of the token endpoint, for `async with`."""

    def __init__(self, url: str, client_id: str, client_secret: str, settings: Settings, clock: Clock) -> None:
        self._url = url
        self._client_id = client_id
        self._client_secret = client_secret
        self._basic = aiohttp.encode_basic_auth(client_id, client_secret)
        self._settings = settings
        self._clock = clock
        self._proxy = Proxies(settings.proxy, trust_env=settings.trust_env).of(url)
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._session.close()

    async def ask(self, endpoint: Endpoint, form: Mapping[str, str]) -> Token:
        """The token that the server gives for *form*. Its refusal is a StatusError, no answer a TransportError."""
        secrets = [self._client_secret, self._basic.partition(" ")[2]]
        secrets += [form[name] for name in _SECRET_FIELDS & form.keys()]
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": self._settings.user_agent,
        }
        hidden = spellings(secrets)
        body, deadline = urlencode(form).encode(), self._settings.deadline
        call = Call(endpoint, self._url, headers, body, hidden, self._clock, deadline, bulk=False)

        async def attempt() -> Token:
            asked_at = self._clock.now()
            try:
                answer = await self._send(call)
                if not is_success(endpoint, answer.status):
                    raise status_error(endpoint, self._url, answer, self._clock.now(), hidden)
                return read_token(answer.body, asked_at, endpoint.name)
            except G2AError as error:
                tell(error, call, self._client_id)
                raise

        try:
            return await attempt()
        except G2AError as error:
            if not may_repeat(error, endpoint):
                raise
            failure = error
        from g2a_async.repeats import repeat  # noqa: PLC0415  tenacity, which most processes never need

        policy, clock = self._settings.retry, self._clock
        return await repeat(failure, attempt, endpoint=endpoint, policy=policy, clock=clock, left=lambda: call.left)

    async def _send(self, call: Call) -> Exchange:
        limit, left = self._settings.attempt_timeout, call.left
        final = limit is None or left < limit
        call.attempts += 1
        try:
            seconds = limit if not final else max(left, 0.001) if math.isfinite(left) else None
            async with self._session.request(
                call.endpoint.method,
                URL(call.url, encoded=True),
                data=call.body,
                headers={**call.headers, "Authorization": self._basic},  # not in what errors tell
                allow_redirects=False,
                timeout=timeout_of(seconds, shared=False),
                proxy=self._proxy,
                ssl=self._settings.ssl or True,
            ) as response:
                body = await (response.read() if response.status < 400 else read_some(response))  # noqa: PLR2004
                return Exchange(response.status, response.headers, body)
        except (aiohttp.ClientError, OSError) as error:
            failure = explain(error, call, final=final)
        raise failure  # here, outside the handler, so that no aiohttp object hangs on to the error


def read_token(body: bytes, asked_at: datetime, operation: str) -> Token:
    """The token of an answer. It ends *expires_in* after it was asked for: early rather than late."""
    answer = parse(body, operation)
    if not isinstance(answer, dict):
        raise DecodeError("$", "an object", operation)
    try:
        access_token = checked_token(answer.get("access_token", ""))
    except ConfigError:
        raise DecodeError("$.access_token", "a token", operation) from None
    return Token(
        access_token,
        refresh_token=_text(answer.get("refresh_token")),
        expires_at=_end(asked_at, answer.get("expires_in")),
        principal=_text(answer.get("principal")),
        issued_at=asked_at,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _end(asked_at: datetime, expires_in: Any) -> datetime | None:
    """None: the answer does not say, or says what no token lives for. A 401 will tell."""
    try:
        seconds = 0.0 if isinstance(expires_in, bool) else float(expires_in)
        return asked_at + timedelta(seconds=seconds) if seconds > 0 else None
    except (TypeError, ValueError, OverflowError):
        return None
