"""The access token in use, and how another takes its place before anybody is without one."""

import asyncio
import copy
import logging
import random
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from attrs import frozen

from g2a_async.clock import Clock
from g2a_async.errors import ConfigError, G2AError, ReauthorizationRequiredError
from g2a_async.events import Hook, RefreshEvent, tell_hook
from g2a_async.flight import SingleFlight
from g2a_async.renewal import Renewal
from g2a_async.tokens import Token, TokenStore

_logger: Final = logging.getLogger("g2a_async")
_AHEAD: Final = 120.0
"""Seconds before its end at which a token is due for its refresh; less where it lives for minutes only."""
_SHARE: Final = 0.4
"""The most of a token's life that lies ahead of its end so. With the jitter that is a half."""
_JITTER: Final = 0.25
"""The refresh is by up to this share of that time earlier, so that processes do not all come at once."""
_PAUSES: Final = (1.0, 30.0)
"""Seconds after a failed refresh in which no other is tried: at first, and at most. It doubles in between."""
_SPARE: Final = timedelta(seconds=5)
"""A token that ends sooner is not used while it is refreshed."""
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


class AccessTokens:
    """The token that calls go with: looked up, refreshed ahead of its end, and after a 401.

    *can_begin*: there is a refresh token also for an empty store.
    """

    def __init__(self, renewal: Renewal, store: TokenStore, clock: Clock, *, can_begin: bool) -> None:
        self.hook: Hook | None = None
        """Told of refreshes."""
        self._renewal = renewal
        self._store = store
        self._clock = clock
        self._can_begin = can_begin
        self._in_thread: bool = getattr(store, "any_loop", False)
        self._flights: SingleFlight[Token | None] = SingleFlight(in_thread=self._in_thread)
        self._telling: set[asyncio.Task[None]] = set()
        self._has_looked = False
        self._current: _Current | None = None
        self._failure: _Failure | None = None
        self._forced: deque[float] = deque(maxlen=_FORCED[0])

    async def begin(self, form: Mapping[str, str]) -> Token:
        """The token for a code. Whoever waits may leave: it is saved all the same."""
        flight: SingleFlight[Token] = SingleFlight(in_thread=self._in_thread)
        token = await flight.share(partial(self._renewal.exchange_code, form))
        self._failure = None
        return self.use(token)

    def peek(self) -> str | None:
        """The token, without waiting; None: there is none yet, or it is due for its refresh."""
        current = self._current
        if current is None or (current.due is not None and self._clock.now() >= current.due):
            return None
        return current.token.access_token

    async def token(self) -> str:
        """The token. One that is due is used while it is refreshed; one that is about to end is refreshed first.

        ReauthorizationRequiredError: nobody has logged in, or must do so anew.
        """
        if not self._has_looked:
            await self._flights.share(self._look)
        access_token = self.peek()
        if access_token is not None:
            return access_token
        usable = self._usable()
        if usable is not None and usable.valid(self._clock.now() + _SPARE):
            if not self._is_pausing():
                self._flights.begin(self._refreshing(None))
            return usable.access_token
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
        for _ in range(3):  # the first may be the look, or one that did not know that it is stale
            failure = self._failure
            if failure is not None and self._is_pausing() and (not failure.passing or self._usable(stale) is None):
                raise copy.copy(failure.error)  # each caller's own: errors are amended on their way
            token = await self._flights.share(self._refreshing(stale))
            if token is not None and token.access_token != stale:
                return token
        return None

    def _is_pausing(self) -> bool:
        return self._failure is not None and self._clock.monotonic() < self._failure.until

    async def _look(self) -> None:
        """Use what the store has: no lock, nor the server, is waited for where that will do."""
        stored = await self._store.load()
        if stored is not None and self._current is None:
            self.use(stored)
        self._has_looked = True

    def _refreshing(self, stale: str | None) -> Callable[[], Coroutine[Any, Any, Token]]:
        return partial(self._refresh, stale, asyncio.get_running_loop())

    async def _refresh(self, stale: str | None, asked_on: asyncio.AbstractEventLoop) -> Token:
        """A token that is not due. When there is no way to it now: the one in use, if that will do for a while."""

        def fits(found: Token) -> bool:
            return found.access_token != stale and not self._is_due(found)

        if stale is not None:
            self._forced.append(self._clock.monotonic())
        try:
            token, is_new = await self._renewal.renew(fits)
        except G2AError as error:
            self._tell(asked_on, None, error)
            pause = min(self._failure.pause * 2, _PAUSES[1]) if self._failure else _PAUSES[0]
            if not isinstance(error, ReauthorizationRequiredError):  # a new login counts at once
                self._failure = _Failure(error, self._clock.monotonic() + pause, pause)
            usable = self._usable(stale)
            if usable is None:
                raise
            self._put_off(usable, pause)
            _logger.warning("the token could not be refreshed, and is used while it is valid: %s", error)
            return usable
        self._failure = None
        self.use(token)
        if is_new:
            self._tell(asked_on, token.principal, None)
        return token

    def _tell(self, loop: asyncio.AbstractEventLoop, principal: str | None, error: G2AError | None) -> None:
        """Tell the hook on *loop*, in a task of its own: it may make calls, which wait for the refresh."""
        hook = self.hook
        if hook is None:
            return
        event = RefreshEvent(principal=principal, error=None if error is None else copy.copy(error))

        def begin() -> None:
            task = loop.create_task(tell_hook(hook, event), name="g2a-hook")
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

        with suppress(RuntimeError):  # it is closed: nobody is there to be told
            loop.call_soon_threadsafe(begin)

    def use(self, token: Token) -> Token:
        """*token* is the one in use."""
        self._current, self._has_looked = self._drawn(token), True
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
        if end is None or (token.refresh_token is None and not self._can_begin):
            return _Current(token, end)
        life = (end - token.issued_at).total_seconds() if token.issued_at is not None else float("inf")
        ahead = min(_AHEAD, max(life, 0.0) * _SHARE) * random.uniform(1, 1 + _JITTER)  # noqa: S311  jitter
        return _Current(token, end - timedelta(seconds=ahead))
