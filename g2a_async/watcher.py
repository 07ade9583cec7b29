"""What one watch knows, wants and has still to tell."""

import asyncio
import copy
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta
from math import inf
from operator import eq
from typing import Final

from attrs import fields, frozen

from g2a_async.errors import G2AError, NotFoundError
from g2a_async.listing import UNREADABLE, Entry, Listing
from g2a_async.records import Session, SessionChange

LOOK_BACK: Final = timedelta(days=1)
"""How old a session may be that a watch finds without being told since when."""
_RAREST: Final = 64
"""Intervals between two look-ups of a session that the list does not hold, in the end."""
_NEARLY: Final = 0.1
"""The share of an interval by which a look-up may come early, so that it goes with a tick."""


@frozen
class Source:
    """How a client asks."""

    listed: Callable[[datetime, datetime | None], Awaitable[bytes]]
    """The body of the list call for a range; None: without end."""
    look_up: Callable[[str], Awaitable[Session]]
    """The call for one session."""


class Watcher:
    """One watch of sessions by their *names* (IDs or tokens), or of all: None."""

    def __init__(
        self, names: Collection[str] | None, source: Source, *, interval: float, since: datetime, end: float
    ) -> None:
        self.names = None if names is None else set(names)
        """Who has not ended yet."""
        self.source = source
        self.interval = interval
        self.begin = since
        """How far the list must go back."""
        self.end = end
        """When its time is over."""
        self.told: deque[SessionChange] = deque()
        """What the consumer has not taken yet."""
        self.error: Exception | None = None
        """What ended it."""
        self.asked = False
        """A tick was made for it."""
        self.served = -1
        """The number of the last tick that it knows all of."""
        self._since = since
        self._newest: datetime | None = None
        self._open: dict[str, tuple[Session, bool]] = {}  # as last seen, and whether in the list
        self._ended: dict[str, datetime | None] = {}
        self._again: dict[str, tuple[float, float]] = {}
        self._moved = False
        self._future: asyncio.Future[None] | None = None

    @property
    def is_done(self) -> bool:
        """Whether everything watched has ended."""
        return self.names is not None and not self.names

    @property
    def waits(self) -> bool:
        """Whether the consumer does."""
        return self._future is not None and not self._future.done()

    async def wait(self, seconds: float) -> None:
        """Until there is something to tell, or *seconds* have passed."""
        loop = asyncio.get_running_loop()
        self._future = loop.create_future()
        timer = loop.call_later(seconds, self.wake)
        try:
            await self._future
        finally:
            timer.cancel()
            self._future = None

    def wake(self) -> None:
        """There is something to tell, or the time is over."""
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def abandon(self) -> None:
        """The poll was cancelled from outside, and so is who waits for it."""
        if self._future is not None:
            self._future.cancel()

    def fail(self, error: Exception) -> None:
        """End with *error*: a copy, because several watches may raise it."""
        self.error = copy.copy(error) if isinstance(error, G2AError) else error
        self.wake()

    def settle(self) -> None:
        """Move the begin of the range to the oldest session that has not ended; a day back where new ones may come."""
        if not self._moved:
            return
        self._moved = False
        starts = [session.started_at for session, _ in self._open.values()]
        dated = [start for start in starts if start is not None]
        if self.names is not None:
            complete = len(dated) == len(self.names)
            self.begin = min(dated, default=self._since) if complete else min([self._since, *dated])
        elif self._newest is not None and len(dated) == len(starts):
            self.begin = max(self.begin, min([*dated, self._newest - LOOK_BACK]))
            self._ended = {key: start for key, start in self._ended.items() if start is None or start >= self.begin}

    def pick(self, entries: list[Entry], index: dict[str, tuple[Entry, ...]] | None) -> list[Entry]:
        """Those of *entries* that it wants, in their order; *index* has them by name."""
        names = self.names
        if names is None:
            return entries
        if index is None:
            return [one for one in entries if one.session_id in names or one.token in names or not one.session_id]
        few, many = (names, index) if len(names) < len(index) else (index, names)
        wanted = {entry for name in few if name in many for entry in index[name]}
        return sorted(wanted.union(index.get(UNREADABLE, ())))

    def missing(self, listing: Listing, now: float) -> list[str]:
        """Those that the list does not hold and whose turn it is to be looked up, the longest overdue first."""
        names = listing.lacks(set(self._open) if self.names is None else self.names)
        turns = sorted((self._again.get(name, (-inf, 0.0))[0], name) for name in names)
        return [name for again, name in turns if again <= now + self.interval * _NEARLY]

    def wants(self, name: str) -> bool:
        """Whether a look-up of *name* is any use."""
        return name in (self._open if self.names is None else self.names)

    def looked(self, name: str, now: float) -> None:
        """*name* was looked up for the tick of *now*: the next time is twice as far away."""
        if self.wants(name):
            _, pause = self._again.get(name, (0.0, self.interval))
            self._again[name] = (now + pause, min(pause * 2, self.interval * _RAREST))

    def see(self, session: Session, *, asked: str | None = None, token: str | None = None) -> None:
        """Take what the list or, where it was *asked* for, a look-up tells, and tell what is new about it."""
        key = session.session_id
        if not self._concerns(session, asked, token) or key in self._ended:
            return
        start, listed = session.started_at, asked is None
        if start is not None and (self._newest is None or start > self._newest):
            self._newest = start
        previous, was_listed = self._open.get(key, (None, listed))
        alike = eq if was_listed is listed else _overlap_alike
        same = previous is not None and alike(previous, session)
        self._moved = True
        if session.has_ended:
            self._leave(key, start)
        else:
            self._open[key] = session, listed
        if not same:
            self.told.append(SessionChange(session=session, previous=previous))
            self.wake()

    def refuse(self, name: str, error: G2AError) -> None:
        """A look-up failed. Not found: an end if it was there, and otherwise it may still come."""
        if not isinstance(error, NotFoundError):
            self.fail(error)
        elif name in self._open:
            self._leave(name, self._open[name][0].started_at)

    def _concerns(self, session: Session, asked: str | None, token: str | None) -> bool:
        key, start = session.session_id, session.started_at
        if self.names is None:
            return key in self._open or (asked is None and (start is None or start >= self.begin))
        if self.names.isdisjoint((key, asked, token)):
            return False
        self.names -= {asked, token}
        if key not in self._ended:
            self.names.add(key)
        self._wake_when_done()
        return True

    def _leave(self, key: str, start: datetime | None) -> None:
        """It has ended: nothing that is told of it later counts, such as by a list that lags behind."""
        self._moved = True
        self._open.pop(key, None)
        self._again.pop(key, None)
        self._ended[key] = start
        if self.names is not None:
            self.names.discard(key)
        self._wake_when_done()

    def _wake_when_done(self) -> None:
        if self.is_done:
            self.wake()


def _overlap_alike(before: Session, now: Session) -> bool:
    """Whether what both tell is the same: a look-up and the list do not tell all the same attributes."""
    pairs = [(getattr(before, one.name), getattr(now, one.name)) for one in fields(Session) if one.name != "extra"]
    return all(old == new for old, new in pairs if old and new)
