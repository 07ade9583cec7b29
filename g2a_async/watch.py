"""Sessions as they change: one list call a tick, however many are watched."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from datetime import datetime, timedelta
from typing import Final

from attrs import fields

from g2a_async.clock import Clock
from g2a_async.errors import NotFoundError, RateLimitedError, ServerError, TransportError
from g2a_async.records import Session, SessionChange

LOOK_BACK: Final = timedelta(days=1)
"""How old a session may be that a watch finds without being told since when."""
LONGEST: Final = 86_400.0
"""Seconds that a watch lasts at most when nothing else is said: every watch ends."""
PASSING: Final = (TransportError, ServerError, RateLimitedError)
"""What may be over at the next tick."""
_RAREST: Final = 64
"""Ticks between two single look-ups of a session that the list does not hold, in the end."""

Listing = Callable[[datetime], Awaitable[tuple[Session, ...]]]
LookUp = Callable[[str], Awaitable[Session]]


class _Watched:
    """What one watch knows."""

    def __init__(self, session_ids: Collection[str] | None) -> None:
        self.known: dict[str, Session] = {}
        self.pending = None if session_ids is None else set(session_ids)
        self._listed: dict[str, bool] = {}
        self._ticks: dict[str, tuple[int, int]] = {}

    def see(self, session: Session, name: str | None = None) -> SessionChange | None:
        """The change, if there is one. *name*: what it was asked for by, which may be its token."""
        key = session.session_id
        if self.pending is not None:
            if key not in self.pending and name not in self.pending:
                return None
            self.pending.discard(name or key)
            self.pending.add(key)
        previous = self.known.get(key)
        same_source = self._listed.get(key) == (name is None)
        self._listed[key] = name is None
        if previous is not None:
            if previous.has_ended and not session.has_ended:
                return None  # the list lags behind: what has ended stays so
            unchanged = previous == session if same_source else _overlap_alike(previous, session)
            if unchanged:
                self.known[key] = session
                return None
        self.known[key] = session
        return SessionChange(session=session, previous=previous)

    def settle(self) -> None:
        """Sessions that have ended leave."""
        if self.pending is not None:
            self.pending -= {key for key in self.pending if key in self.known and self.known[key].has_ended}

    def due(self, listed: Collection[str]) -> list[str]:
        """Those that the list does not hold and whose turn it is to be looked up: rarely, and ever more rarely."""
        names = []
        for name in sorted((self.pending or set()) - set(listed)):
            wait, pause = self._ticks.get(name, (0, 1))
            if wait > 0:
                self._ticks[name] = (wait - 1, pause)
            else:
                names.append(name)
                self._ticks[name] = (pause - 1, min(pause * 2, _RAREST))
        return names

    def hurry(self, name: str) -> None:
        """A look-up failed: it is made again at the next tick."""
        self._ticks[name] = (0, 1)

    def oldest(self, since: datetime) -> datetime:
        """Where the list must begin to hold all that have not ended."""
        if self.pending is None or any(key not in self.known for key in self.pending):
            return since
        starts = [self.known[key].started_at for key in self.pending]
        return min((start for start in starts if start is not None), default=since)


def _overlap_alike(before: Session, now: Session) -> bool:
    """Whether what both tell is the same: a look-up and the list do not tell all the same attributes."""
    pairs = [(getattr(before, one.name), getattr(now, one.name)) for one in fields(Session) if one.name != "extra"]
    return all(old == new for old, new in pairs if old and new)


async def watch(
    listing: Listing,
    look_up: LookUp,
    clock: Clock,
    session_ids: Collection[str] | None,
    *,
    interval: float,
    since: datetime | None,
    timeout: float | None,
) -> AsyncGenerator[SessionChange]:
    """See `Sessions.watch`."""
    if not interval > 0:
        raise ValueError(f"interval must be above zero, not {interval!r}")
    watched = _Watched(session_ids)
    since = since or clock.now() - LOOK_BACK
    end = clock.monotonic() + (LONGEST if timeout is None else timeout)
    while watched.pending is None or watched.pending:
        tick = clock.monotonic()
        try:
            async for change in _tick(watched, listing, look_up, since):
                yield change
        except PASSING:
            pass  # the next tick asks again
        watched.settle()
        if watched.pending is not None and not watched.pending:
            return
        pause = max(0.0, tick + interval - clock.monotonic())
        if clock.monotonic() + pause > end:
            if session_ids is None:
                return
            raise TimeoutError(f"{len(watched.pending or ())} of {len(session_ids)} sessions have not ended in time")
        await clock.sleep(pause)


async def _tick(watched: _Watched, listing: Listing, look_up: LookUp, since: datetime) -> AsyncGenerator[SessionChange]:
    listed = set()
    for session in await listing(watched.oldest(since)):
        listed.add(session.session_id)
        if (change := watched.see(session)) is not None:
            yield change
    for name in watched.due(listed):
        try:
            session = await look_up(name)
        except NotFoundError:
            if name in watched.known and watched.pending is not None:
                watched.pending.discard(name)  # it was there, and the service has forgotten it
            continue
        except PASSING:
            watched.hurry(name)
            continue
        if (change := watched.see(session, name)) is not None:
            yield change
