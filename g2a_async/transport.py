"""One call: its deadline, its repeats, and each exchange."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Final, TypeVar
from urllib.parse import quote

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from g2a_async.auth import Auth, authorization, checked_token
from g2a_async.call import Call, explain, tell
from g2a_async.clock import Clock
from g2a_async.codec import encode
from g2a_async.endpoints import Endpoint
from g2a_async.errors import (
    ConfigError,
    DeadlineExceededError,
    G2AError,
    RateLimitedError,
    StatusError,
    TransportError,
)
from g2a_async.events import ExchangeEvent, Hooks, RetryEvent, Telemetry, ThrottleEvent, tell_hook
from g2a_async.exchange import Exchange, is_success, spellings, status_error
from g2a_async.network import Proxies, read_some, timeout_of
from g2a_async.pool import Lease, Pool
from g2a_async.quota import RateLimiter
from g2a_async.retry import asked_wait, may_repeat
from g2a_async.settings import Settings

T = TypeVar("T")
Query = Iterable[tuple[str, object]]

_logger: Final = logging.getLogger("g2a_async")
_NO_SPAN: Final = nullcontext()
_NEVER: Final = float("inf")
_NO_GUESSED_TYPE: Final = ("Content-Type",)
_REFUSALS: Final = 2
"""Tokens of which a call may learn that they are refused: the one that took a refused one's place may be replaced, too,
while the call waits for its turn."""
_PAUSE: Final = 1.0
"""Seconds that everybody pauses after a 429 that names none."""
_LONGEST_PAUSE: Final = 3600.0
"""Seconds: no answer of the service can stop a process for longer."""


class Transport:
    """Calls of one credential with one set of settings."""

    def __init__(
        self,
        settings: Settings,
        auth: Auth,
        pool: Pool,
        limiter: RateLimiter | None,
        clock: Clock,
        hooks: Hooks,
        telemetry: Telemetry | None,
    ) -> None:
        self.settings = settings
        self.auth = auth
        self.pool = pool
        self.limiter = limiter
        self.clock = clock
        self.hooks = hooks
        self.telemetry = telemetry
        self._base = settings.base_url.rstrip("/")
        scheme, _, rest = self._base.partition("://")
        self._origin = f"{scheme}://{rest.partition('/')[0]}"
        self._root = URL(self._origin, encoded=True)
        self._headers = {"Accept": "application/json", "User-Agent": settings.user_agent}
        self._authorized: tuple[str, CIMultiDict[str]] = ("", CIMultiDict())
        # What costs no wait is asked without a coroutine; an Auth or a limiter of somebody else's may not know how.
        self._peek: Callable[[], str | None] = getattr(auth, "peek", lambda: None)
        self._try_acquire: Callable[[], bool] = getattr(limiter, "try_acquire", bool)
        self._timeout = timeout_of(settings.attempt_timeout, shared=pool.is_borrowed)
        self._proxies = Proxies(settings.proxy, trust_env=settings.trust_env or pool.trusts_env)

    def with_settings(self, settings: Settings) -> "Transport":
        """Another, on the same pool, quota and credentials."""
        return Transport(settings, self.auth, self.pool, self.limiter, self.clock, self.hooks, self.telemetry)

    def url(self, endpoint: Endpoint, query: Query = (), base: str | None = None, **names: object) -> str:
        """The address of a call. What is None in *query* is left out."""
        address = (base or self._base) + endpoint.fill(**names)
        if not query:
            return address
        text = "&".join(
            f"{quote(name, safe='')}={quote(str(value), safe=':,')}" for name, value in query if value is not None
        )
        return f"{address}?{text}" if text else address

    async def call(
        self, endpoint: Endpoint, url: str, *, json: Any = None, secrets: Sequence[str] = (), bulk: bool = False
    ) -> Exchange:
        """The successful answer to one call, however many exchanges that takes.

        Any other answer is a StatusError, none at all a TransportError. *secrets* are masked in both.
        """
        headers, body = self._headers, None
        if json is not None:
            headers, body = {**headers, "Content-Type": "application/json"}, encode(json)
        forms = spellings(secrets) if secrets else ()
        call = Call(endpoint, url, headers, body, forms, self.clock, self.settings.deadline, bulk=bulk)
        with self.telemetry.call(endpoint) if self.telemetry is not None else _NO_SPAN:
            try:
                return await self._once(call)
            except G2AError as error:
                failure = self._tell(error, call)
                if not may_repeat(error, endpoint):
                    raise
            return await self._again(call, failure)

    async def _again(self, call: Call, failure: G2AError) -> Exchange:
        """What repeating brings."""
        from g2a_async.repeats import repeat  # noqa: PLC0415  tenacity, which most processes never need

        tries = 1

        async def attempt() -> Exchange:
            nonlocal tries
            tries += 1
            try:
                return await self._once(call)
            except G2AError as error:
                self._tell(error, call)
                raise

        async def on_wait(number: int, wait: float, error: G2AError) -> None:
            event = RetryEvent(operation=call.endpoint.name, attempt=number, wait=wait, error=error)
            await tell_hook(self.hooks.on_retry, event)

        policy = self.settings.retry
        try:
            return await repeat(
                failure,
                attempt,
                endpoint=call.endpoint,
                policy=policy,
                clock=self.clock,
                left=lambda: call.left,
                on_wait=on_wait,
            )
        except (StatusError, TransportError) as error:
            last = error
        ended_early = may_repeat(last, call.endpoint) and tries < policy.attempts
        if ended_early and not isinstance(last, RateLimitedError) and (asked_wait(last) or 0) <= policy.max_retry_after:
            late = call.too_late("backoff", f"the next wait does not fit into the deadline, after: {last}")
            raise self._tell(late, call)
        raise last

    async def _once(self, call: Call) -> Exchange:
        """One exchange; another where the token was refused and there is a newer one."""
        endpoint = call.endpoint
        refused: set[str] = set()
        while True:
            lease = self.pool.opened() or await self.pool.lease()
            # Before the turn: those whose turns wait for a refresh would all leave when it is there.
            token = None
            if endpoint.authorized:
                token = self._peek() or await self._credentials(call, self.auth.token())
            limiter = None if endpoint.partner else self.limiter
            if limiter is not None and not self._try_acquire():
                await self._turn(limiter, call)
            if not lease.slots.try_acquire():
                await self._slot(lease, limiter, call)
            try:
                answer = await self._send(call, lease.session, self._headed(call, token))
            finally:
                lease.slots.release()
            if is_success(endpoint, answer.status):
                return answer
            if answer.status == 401 and token is not None and len(refused | {token}) <= _REFUSALS:  # noqa: PLR2004
                refused.add(token)
                if await self._credentials(call, self.auth.renew(token)) is not None:
                    continue
            secrets = (*call.secrets, token) if token else call.secrets
            error = status_error(endpoint, call.url, answer, self.clock.now(), secrets)
            if isinstance(error, RateLimitedError) and limiter is not None:
                limiter.penalize(min(_PAUSE if error.retry_after is None else error.retry_after, _LONGEST_PAUSE))
            raise error

    async def _slot(self, lease: Lease, limiter: RateLimiter | None, call: Call) -> None:
        """Wait for a slot of the pool; the turn in the quota is given back for as long, and taken last."""
        getattr(limiter, "give_back", bool)()
        await self._within(call, "pool", lease.slots.acquire())
        try:
            if limiter is not None and not self._try_acquire():
                await self._turn(limiter, call)
        except BaseException:
            lease.slots.release()
            raise

    async def _send(self, call: Call, session: aiohttp.ClientSession, headers: Mapping[str, str]) -> Exchange:
        timeout, final = self._timeout, False
        left = call.left
        if timeout.total is None or left < timeout.total:
            seconds, final = None if left == _NEVER else max(left, 0.001), True
            timeout = timeout_of(seconds, shared=self.pool.is_borrowed, final=True)
        call.attempts += 1
        watched = self.hooks.on_exchange is not None or _logger.isEnabledFor(logging.DEBUG)
        began = call.elapsed if watched else 0.0
        with self.telemetry.exchange(call.endpoint, call.attempts) if self.telemetry is not None else _NO_SPAN as saw:
            try:
                async with session.request(
                    call.endpoint.method,
                    self._address(call.url),
                    data=call.body,
                    headers=headers,
                    skip_auto_headers=None if call.body or call.endpoint.method == "GET" else _NO_GUESSED_TYPE,
                    allow_redirects=False,
                    timeout=timeout,
                    proxy=self._proxies.of(call.url),
                    ssl=self.settings.ssl or True,
                ) as response:
                    body = await (response.read() if response.status < 400 else read_some(response))  # noqa: PLR2004
                    outcome: Exchange | G2AError = Exchange(response.status, response.headers, body)
            except (aiohttp.ClientError, OSError, RuntimeError) as error:
                if isinstance(error, RuntimeError) and not session.closed:
                    raise
                outcome = explain(error, call, final=final)
            if watched:
                await self._seen(call, outcome, began)
            if isinstance(outcome, G2AError):
                raise outcome  # here, outside the handler, so that no aiohttp object hangs on to the error
            if saw is not None:
                saw(outcome.status)
            return outcome

    async def _seen(self, call: Call, outcome: Exchange | G2AError, began: float) -> None:
        status, elapsed = outcome.status if isinstance(outcome, Exchange) else None, call.elapsed - began
        _logger.debug("%s %s: %s in %.3f s", call.endpoint.method, call.shown_url, status, elapsed)
        if self.hooks.on_exchange is not None:
            event = ExchangeEvent(
                operation=call.endpoint.name,
                method=call.endpoint.method,
                route=call.endpoint.route,
                status=status,
                attempt=call.attempts,
                elapsed=elapsed,
            )
            await tell_hook(self.hooks.on_exchange, event)

    async def _turn(self, limiter: RateLimiter, call: Call) -> None:
        """Wait for the quota; at once if that cannot end in time."""
        began = call.elapsed
        expected = getattr(limiter, "expected_wait", None)
        if expected is not None and expected(bulk=call.bulk) > call.left:
            raise call.too_late("quota", "the turn in the quota comes after the deadline")
        acquire = getattr(limiter, "acquire_bulk", limiter.acquire) if call.bulk else limiter.acquire
        await self._within(call, "quota", acquire())
        if self.hooks.on_throttle is not None:
            event = ThrottleEvent(operation=call.endpoint.name, waited=call.elapsed - began)
            try:
                await tell_hook(self.hooks.on_throttle, event)
            except asyncio.CancelledError:
                getattr(limiter, "give_back", bool)()
                raise

    async def _credentials(self, call: Call, asking: Awaitable[str | None]) -> str | None:
        """What the auth gives. A token endpoint's 404 is no empty list: its answers are not the service's."""
        try:
            return await self._within(call, "token", asking)
        except DeadlineExceededError as error:
            if error.operation == call.endpoint.name:
                raise
            failure: G2AError = error
        except (StatusError, TransportError) as error:
            failure = error
        if isinstance(failure, StatusError) and failure.status < 500 and failure.status != 429:  # noqa: PLR2004
            raise ConfigError(f"there is no token: {failure}; are the token URL and the client right?")
        raise call.not_sent(f"there is no token: {failure}")

    async def _within(self, call: Call, phase: str, waiting: Awaitable[T]) -> T:
        """What *waiting* gives, unless the deadline comes first."""
        left = call.left
        if left == _NEVER:
            return await waiting
        limit = asyncio.timeout(max(left, 0.0))
        try:
            async with limit:
                return await waiting
        except TimeoutError:
            if not limit.expired():
                raise
        raise call.too_late(phase)

    def _tell(self, error: G2AError, call: Call) -> G2AError:
        return tell(error, call, getattr(self.auth, "client_id", None))

    def _address(self, url: str) -> URL:
        """*url* as it is; that of a plain call without a query, which most are, is not taken apart again."""
        if "?" in url or not url.startswith(f"{self._base}/"):
            return URL(url, encoded=True)
        return self._root.with_path(url[len(self._origin) :], encoded=True)

    def _headed(self, call: Call, token: str | None) -> Mapping[str, str]:
        """The headers of an exchange. Those of a call without a body are the same as long as the token is."""
        if token is None:
            return call.headers
        known, headers = self._authorized  # once: another thread may have a newer token
        if known != token:
            value = authorization(self.settings.auth_scheme, checked_token(token))
            headers = CIMultiDict({**self._headers, "Authorization": value})
            self._authorized = (token, headers)
        return headers if call.headers is self._headers else {**call.headers, "Authorization": headers["Authorization"]}
