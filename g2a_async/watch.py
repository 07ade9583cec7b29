"""Sessions as they change, until they have ended or the time is over."""

import asyncio
from collections.abc import AsyncGenerator, Collection
from datetime import datetime
from math import isfinite
from typing import Final

from g2a_async.clock import Clock
from g2a_async.poll import poll_of
from g2a_async.records import SessionChange
from g2a_async.watcher import LOOK_BACK, Source, Watcher
from g2a_async.windows import aware

LONGEST: Final = 86_400.0
"""Seconds that a watch lasts at most when nothing else is said: every watch ends."""
_BREATH: Final = 250
"""Changes between two turns of the event loop, where the consumer takes none."""


def watch(
    owner: object,
    service: str,
    source: Source,
    clock: Clock,
    session_ids: Collection[str] | None,
    *,
    interval: float,
    since: datetime | None,
    timeout: float | None,
) -> AsyncGenerator[SessionChange]:
    """See `Sessions.watch`. All watches of one *owner* and *service* on a loop share a poll."""
    for name, seconds in ("interval", interval), ("timeout", timeout):
        if seconds is not None and not (isfinite(seconds) and seconds > 0):
            raise ValueError(f"{name} must be seconds above zero, not {seconds!r}")
    start = None if since is None else aware("since", since)
    names = None if session_ids is None else checked_names("session_ids", session_ids)
    return _changes(owner, service, source, clock, names, interval, start, LONGEST if timeout is None else timeout)


async def _changes(
    owner: object,
    service: str,
    source: Source,
    clock: Clock,
    names: frozenset[str] | None,
    interval: float,
    since: datetime | None,
    timeout: float,
) -> AsyncGenerator[SessionChange]:
    poll = poll_of(owner, service, clock)
    begin, end = since or clock.now() - LOOK_BACK, clock.monotonic() + timeout
    watcher = Watcher(names, source, interval=interval, since=begin, end=end)
    poll.join(watcher)
    try:
        while True:
            count = 0
            while watcher.told:
                yield watcher.told.popleft()
                count += 1
                if count % _BREATH == 0:
                    await asyncio.sleep(0)
            if watcher.error is not None:
                raise watcher.error
            if watcher.is_done:
                return
            if clock.monotonic() >= watcher.end:
                if watcher.names is None:
                    return
                raise TimeoutError(
                    f"{len(watcher.names)} of {len(names or ())} sessions have not ended in time"
                ) from poll.trouble
            await poll.turn(watcher)
    finally:
        await poll.leave(watcher)


def checked_names(name: str, values: Collection[str]) -> frozenset[str]:
    """A list of texts as a set. ValueError: one text would be taken for a list of letters, or one of them is none."""
    if isinstance(values, str) or not all(isinstance(one, str) and one not in {"", ".", ".."} for one in values):
        raise ValueError(f"{name} must be a list of texts, none of them empty")
    return frozenset(values)
