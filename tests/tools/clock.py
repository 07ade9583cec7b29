"""A clock whose time passes only when nobody has anything else to do: tests of waiting wait for nothing."""

import asyncio
import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

EPOCH = datetime(2024, 2, 28, 12, tzinfo=UTC)


class FakeClock:
    """For one event loop: when all of its tasks wait, the next sleeper is woken, and it is as late as it wanted to be.

    *late*: seconds that a timer comes too late, asked for at each sleep.
    """

    def __init__(self, late: Callable[[], float] = lambda: 0.0) -> None:
        self.time = 1000.0
        self.sleeps: list[float] = []
        """What was asked for, in order."""
        self._late = late
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._ticking = False

    def now(self) -> datetime:
        """The time of day."""
        return EPOCH + timedelta(seconds=self.time)

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Wait until everybody waits, and it is this one's turn."""
        self.sleeps.append(seconds)
        loop = asyncio.get_running_loop()
        wake = self.time + max(seconds, 0.0) + self._late()
        future: asyncio.Future[None] = loop.create_future()
        heapq.heappush(self._sleepers, (wake, next(self._order), future))
        if not self._ticking:
            self._ticking = True
            loop.call_soon(self._tick, loop)
        await future

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        self._ticking = bool(self._sleepers)
        if not self._ticking:
            return
        if not _somebody_is_at_it(loop):
            wake, _, future = heapq.heappop(self._sleepers)
            self.time = max(self.time, wake)
            future.set_result(None)
        loop.call_soon(self._tick, loop)


def _somebody_is_at_it(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether anything but clocks is ready to run. Private, and the only way to see it."""
    ready = getattr(loop, "_ready")  # noqa: B009
    return any(getattr(getattr(handle, "_callback"), "__func__", None) is not FakeClock._tick for handle in ready)  # noqa: B009
