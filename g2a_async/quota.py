"""The service's quota: paced, shared by all clients of a credential, two lanes.

Paced (GCRA), not a bucket: a bucket of 10 lets 20 through in its first second, and the service counts
10 in any second. The state is plain data behind a lock, so that several loops and threads share it; only
the waiting belongs to a loop.
"""

import asyncio
import threading
import weakref
from collections import deque
from typing import Final, Protocol, runtime_checkable

from g2a_async.clock import Clock, SystemClock
from g2a_async.forks import forgets, in_children

_BULK_EVERY: Final = 5
"""While calls of both lanes wait, every fifth that leaves is bulk work; the others are interactive."""
_DOWN: Final = 0.7
"""What a 429 multiplies the pace by."""
_FLOOR: Final = 0.25
"""The least pace, as a share of the full one."""
_LATE: Final = 0.02
"""Seconds that a timer may be late without slowing the pace."""
_SHARE: Final = 0.9
"""The pace as a share of what the service counts: 9 a second for its 10."""
_WINDOW: Final = 1.1
"""Seconds: the service's window of one, and a tenth for the network's jitter."""
_PATIENCE: Final = 1.0
"""Seconds that a waiter may be late for its turn before the next one takes it."""
_RECOVERY: Final = 0.02
"""The share of the full pace that comes back each second."""


@runtime_checkable
class RateLimiter(Protocol):
    """Says when a request may go."""

    async def acquire(self) -> None:
        """Wait until one may."""
        ...

    def penalize(self, seconds: float) -> None:
        """The service said 429: nobody goes before this has passed."""
        ...


class _Waiter:
    __slots__ = ("bulk", "future", "loop")

    def __init__(self, *, bulk: bool) -> None:
        self.bulk = bulk
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self.loop.create_future()

    def wake(self) -> bool:
        """False: its loop is closed, and it with it."""
        try:
            self.loop.call_soon_threadsafe(_finish, self.future)
        except RuntimeError:
            return False
        return True


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _task() -> int | None:
    try:
        return id(asyncio.current_task())
    except RuntimeError:  # no loop runs here
        return None


def _most(requests_per_second: float) -> int:
    """How many may go in a window: the pace's share of the service's ten."""
    return max(1, int(requests_per_second / _SHARE + 1e-9))


class Quota:
    """The default limiter: at most *requests_per_second*, evenly spaced.

    A call that finds nobody waiting and the last one long enough ago goes at once. Others queue, first
    come first served in each of two lanes. A 429 stops all for as long as the service says; then they
    leave spread out, at a pace that was lowered and recovers. Cancelling a wait costs nobody a turn.
    """

    def __init__(self, requests_per_second: float, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._full = requests_per_second
        self._low = requests_per_second
        self._most = _most(requests_per_second)
        self._low_since = self._incident_until = float("-inf")
        self._next = float("-inf")
        self._lanes: tuple[deque[_Waiter], deque[_Waiter]] = (deque(), deque())
        self._run = 0
        self._sent: deque[float] = deque()
        self._taker: tuple[object, float] | None = None
        self._before = self._next
        self._lock = threading.RLock()  # the collector may end a forgotten waiter while we hold it
        forgets(self)

    def lower(self, requests_per_second: float) -> None:
        """The lowest pace that any client of the credential asks for counts for all."""
        with self._lock:
            self._full = min(self._full, requests_per_second)
            self._low = min(self._low, self._full)
            self._most = _most(self._full)

    @property
    def requests_per_second(self) -> float:
        """The pace now."""
        if self._low >= self._full:
            return self._full
        return min(self._full, self._low + self._full * _RECOVERY * max(0.0, self._clock.monotonic() - self._low_since))

    def expected_wait(self, *, bulk: bool = False) -> float:
        """Seconds until a call that came now could go, were nobody else to come."""
        with self._lock:
            mine, others = len(self._lanes[bulk]), len(self._lanes[not bulk])
            between = (mine + 1) * (_BULK_EVERY - 1) if bulk else mine // (_BULK_EVERY - 1) + 1
            waiting = mine + min(others, between)
            return max(0.0, self._next - self._clock.monotonic()) + waiting / self.requests_per_second

    def try_acquire(self) -> bool:
        """Go now, if that is possible without waiting."""
        with self._lock:
            return not (self._lanes[0] or self._lanes[1]) and self._take()

    async def acquire(self) -> None:
        """Wait for a turn in the lane of interactive calls."""
        await self._wait(bulk=False)

    async def acquire_bulk(self) -> None:
        """Wait for a turn in the lane of bulk work, which yields to interactive calls."""
        await self._wait(bulk=True)

    def penalize(self, seconds: float) -> None:
        """Nobody goes for *seconds*. The pace is lowered once for each such incident."""
        with self._lock:
            now = self._clock.monotonic()
            if now > self._incident_until:
                self._incident_until = now + max(seconds, _WINDOW)  # those that were under way are of the same one
                self._low = max(self._full * _FLOOR, self.requests_per_second * _DOWN)
            self._low_since = max(self._low_since, now + seconds)
            self._next = max(self._next, now + seconds)

    def give_back(self) -> None:
        """The running task's turn was not used. Too late when another call has gone since: then it is lost."""
        with self._lock:
            if self._sent and self._taker == (_task(), self._sent[-1]):
                self._sent.pop()
                self._next = max(self._before, self._low_since)

    def _take(self) -> bool:
        now, sent = self._clock.monotonic(), self._sent
        ended = now - _WINDOW
        while sent and sent[0] <= ended:
            sent.popleft()
        # A pace alone lets one more through in a window than its share of it, which several processes add up.
        while len(sent) >= self._most:
            self._next = max(self._next, sent.popleft() + _WINDOW)
        if now < self._next:
            return False
        sent.append(now)
        self._taker, self._before = (_task(), now), self._next
        due = self._next if now - self._next <= _LATE else now
        self._next = due + 1 / (self._full if self._low >= self._full else self.requests_per_second)
        return True

    def _head(self) -> _Waiter | None:
        """Whose turn is next. Waiters of a closed loop are gone, and one that sleeps through its turn queues again."""
        for lane in self._lanes:
            while lane and lane[0].loop.is_closed():
                lane.popleft()
        interactive, bulk = self._lanes
        if interactive and bulk:
            return bulk[0] if self._run >= _BULK_EVERY - 1 else interactive[0]
        return (interactive or bulk or [None])[0]

    def _wake_head(self) -> None:
        while (head := self._head()) is not None and not head.wake():
            self._lanes[head.bulk].remove(head)

    async def _wait(self, *, bulk: bool) -> None:
        if self.try_acquire():
            return
        waiter = _Waiter(bulk=bulk)
        lane = self._lanes[bulk]
        try:
            while True:
                with self._lock:
                    if waiter not in lane:
                        lane.append(waiter)
                    head = self._head()
                    if head is waiter and self._take():
                        self._run = 0 if bulk else self._run + 1
                        return
                    delay = max(0.0, self._next - self._clock.monotonic())
                    turns = len(self._lanes[0]) + len(self._lanes[1])
                if head is waiter:
                    await self._clock.sleep(delay)
                    continue
                await asyncio.wait([waiter.future], timeout=delay + turns / self.requests_per_second + _PATIENCE)
                if not waiter.future.done():
                    self._pass_over(head)
                waiter.future = waiter.loop.create_future()
        finally:
            with self._lock:
                if waiter in lane:
                    lane.remove(waiter)
                self._wake_head()

    def _pass_over(self, late: _Waiter | None) -> None:
        """*late* was at the head all the time, and nobody left: its loop stands still."""
        with self._lock:
            if late is not None and self._head() is late and self._clock.monotonic() > self._next + _PATIENCE:
                self._lanes[late.bulk].popleft()
                self._wake_head()

    def forget_parent(self) -> None:
        """In a forked child: the parent's waiters and the lock that it may have held are not ours."""
        self._lock = threading.RLock()
        self._lanes = (deque(), deque())


_SHARED: "weakref.WeakValueDictionary[str, Quota]" = weakref.WeakValueDictionary()
_RECENT: deque[Quota] = deque(maxlen=256)  # also those whose last client is gone: a client per call must not reset it
_SHARED_LOCK = threading.Lock()


def shared_quota(key: str, requests_per_second: float, clock: Clock) -> Quota:
    """The quota of the credential that *key* names, the same for all clients of this process that go by one clock."""
    if not isinstance(clock, SystemClock):
        key = f"{key} {id(clock)}"
    with _SHARED_LOCK:
        quota = _SHARED.get(key)
        if quota is None:
            quota = _SHARED[key] = Quota(requests_per_second, clock=clock)
        else:
            quota.lower(requests_per_second)
        _RECENT.append(quota)
        return quota


def _after_fork() -> None:
    global _SHARED_LOCK  # noqa: PLW0603  a lock that the parent held would never be released here
    _SHARED_LOCK = threading.Lock()


in_children(_after_fork)
