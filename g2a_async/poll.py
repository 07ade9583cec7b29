"""One poll for all watches of a client: however many there are, one list call a tick.

Nothing runs while nobody waits: the driver is a task that ends when the last consumer has something to do, and
that the last watch cancels and awaits when it leaves.
"""

import asyncio
import weakref
from collections import deque
from datetime import datetime, timedelta
from typing import Final

from g2a_async import windows
from g2a_async.bounded import as_they_come
from g2a_async.clock import Clock
from g2a_async.errors import (
    BadRequestError,
    DecodeError,
    G2AError,
    RateLimitedError,
    ServerError,
    TransportError,
)
from g2a_async.listing import Entry, Listing, by_name
from g2a_async.records import Session
from g2a_async.watcher import Source, Watcher

PASSING: Final = (TransportError, ServerError, RateLimitedError)
"""What may be over at the next tick."""
_SHORTEST: Final = timedelta(minutes=10)
"""A service that refuses even such a range refuses something else."""
_BREATH: Final = 250
"""Sessions between two turns of the event loop."""
_FEW: Final = 4
"""So many watches each look through the list; for more, an index is quicker."""
_NEVER: Final = float("inf")


class Poll:
    """Asks for everybody who watches, on one event loop.

    A tick is due when the interval of any watch that waits has passed since the last one, and serves them all.
    """

    def __init__(self, clock: Clock) -> None:
        self.loop = asyncio.get_running_loop()
        self._clock = clock
        self._watchers: weakref.WeakValueDictionary[int, Watcher] = weakref.WeakValueDictionary()
        self._newcomers: dict[Watcher, None] = {}
        self._slice: timedelta | None = None
        self._driver: asyncio.Task[None] | None = None
        self._nap: asyncio.Future[None] | None = None
        self._nap_ends = 0.0
        self._forget()

    def _forget(self) -> None:
        self._listing = Listing()
        self._number = 0  # of the last tick that succeeded
        self._read = self._asked = -_NEVER  # when that one began, and when the last one did
        self._begin: datetime | None = None  # of its range
        self._missing: deque[str] = deque()
        self._owes_look_up = False
        self.trouble: Exception | None = None
        """Why the last tick failed."""

    def join(self, watcher: Watcher) -> None:
        """Take part, until `leave`."""
        self._watchers[id(watcher)] = watcher
        self._newcomers[watcher] = None

    async def leave(self, watcher: Watcher) -> None:
        """Take part no more. The last one ends what is under way, and what was seen is forgotten."""
        self._watchers.pop(id(watcher), None)
        self._newcomers.pop(watcher, None)
        if self._watchers:
            return
        self._forget()
        driver, self._driver = self._driver, None
        if driver is not None and not driver.done():
            driver.cancel()
            await asyncio.wait([driver])

    async def turn(self, watcher: Watcher) -> None:
        """Wait until *watcher* has something to tell, or its time is over."""
        nap = self._nap
        if self._driver is None or self._driver.done():
            self._driver = asyncio.create_task(self._drive(), name="g2a-poll")
        elif nap and (watcher in self._newcomers or min(self._due(watcher), watcher.end) < self._nap_ends):
            nap.cancel()
        await watcher.wait(max(0.0, watcher.end - self._clock.monotonic()))

    def _waiting(self) -> list[Watcher]:
        return [watcher for watcher in self._watchers.values() if watcher.waits]

    def _present(self, now: float) -> list[Watcher]:
        """Those whose time is not over, and who take what is seen now."""
        return [watcher for watcher in self._watchers.values() if watcher.waits or watcher.end > now]

    def _due(self, watcher: Watcher) -> float:
        """When *watcher* needs the next tick: at once where there would be none within its time."""
        due = self._asked + watcher.interval
        if due <= watcher.end:
            return due
        return _NEVER if watcher.asked else -_NEVER

    async def _drive(self) -> None:
        try:
            await asyncio.sleep(0)  # those who begin together are served together
            while waiting := self._waiting():
                await self._step(waiting)
        except asyncio.CancelledError:
            if self._driver is asyncio.current_task():
                for watcher in self._watchers.values():
                    watcher.abandon()
            raise
        except Exception as error:  # noqa: BLE001  it ends the watches, and they raise it
            for watcher in self._waiting():
                watcher.fail(error)

    async def _step(self, waiting: list[Watcher]) -> None:
        now = self._clock.monotonic()
        due = min(self._due(watcher) for watcher in waiting)
        end = min(watcher.end for watcher in waiting)
        if self._newcomers:
            await self._welcome(now)
        elif due <= now and not (self._owes_look_up and self._missing):
            await self._tick(now)
        elif end <= now:
            for watcher in waiting:
                if watcher.end <= now:
                    watcher.wake()
        elif self._missing:
            self._owes_look_up = False
            await self._look_up(self._missing.popleft(), now)
        else:
            await self._sleep(min(due, end), now)

    async def _sleep(self, until: float, now: float) -> None:
        """Until then, or until somebody comes who needs a tick earlier."""
        self._nap_ends = until
        self._nap = nap = asyncio.ensure_future(self._clock.sleep(until - now))
        try:
            await asyncio.wait([nap])
        finally:
            self._nap = None if self._nap is nap else self._nap
            if not nap.done():
                nap.cancel()
                await asyncio.wait([nap])
        if not nap.cancelled():
            nap.result()

    async def _welcome(self, now: float) -> None:
        """Tell newcomers what the last tick saw, if that is recent and has all that they ask for."""
        newcomers, self._newcomers = self._newcomers, {}
        recent = [watcher for watcher in newcomers if self._read + watcher.interval > now and self._covers(watcher)]
        if recent:
            await self._serve(recent)

    def _covers(self, watcher: Watcher) -> bool:
        if watcher.names is None:
            return self._begin is not None and self._begin <= watcher.begin
        return not self._listing.lacks(watcher.names)

    async def _tick(self, now: float) -> None:
        present = self._present(now)
        self._asked, self._owes_look_up = now, True
        for watcher in present:
            watcher.asked = True
            watcher.settle()
        begin = min(watcher.begin for watcher in present).replace(microsecond=0)
        try:
            bodies = await self._fetch(present[0].source, begin)
        except PASSING as error:
            self.trouble = error
            return  # the next tick asks again
        fresh = await self._listing.take(bodies)
        last, self._number = self._number, self._number + 1
        self._read, self._begin, self.trouble = now, begin, None
        await self._serve([one for one in present if one.served == last], fresh)
        if behind := [one for one in present if one.served < last]:
            await self._serve(behind)
        await self._miss(present, now)

    async def _miss(self, present: list[Watcher], now: float) -> None:
        """Note whom the list does not hold and whose turn it is to be looked up."""
        missing: dict[str, None] = {}
        for count, watcher in enumerate(present, 1):
            missing |= dict.fromkeys(watcher.missing(self._listing, now))
            if count % _BREATH == 0:
                await asyncio.sleep(0)
        self._missing = deque(missing)

    async def _fetch(self, source: Source, begin: datetime) -> list[bytes]:
        """The list from *begin* on: one answer, or several where the service refuses long ranges."""

        async def fetch(slice_: tuple[datetime, datetime | None]) -> bytes:
            return await source.listed(*slice_)

        accepted = self._slice
        while True:
            whole = windows.time_range(begin, max(begin, self._clock.now()))
            length = whole[1] - whole[0]
            slices: list[tuple[datetime, datetime | None]] = [(begin, None)]
            if self._slice is not None and self._slice < length:
                length = self._slice
                *older, last = windows.cut(whole, length)
                slices = [*older, (last[0], None)]
            try:
                return [body async for body in as_they_come(fetch, slices, windows.IN_FLIGHT, in_order=True)]
            except BadRequestError:
                if length < _SHORTEST * 2:
                    self._slice = accepted
                    raise
                self._slice = length / 2

    async def _serve(self, watchers: list[Watcher], fresh: list[Entry] | None = None) -> None:
        """Show *fresh* entries, or all, to each of *watchers* that wants them; structured once, and only then."""
        number, listing = self._number, self._listing
        entries = listing.entries if fresh is None else fresh
        index = None
        if len(watchers) > _FEW:
            index = listing.by_name if fresh is None else by_name(fresh)
        sessions: dict[bytes, Session] = {}
        count = 0
        for watcher in watchers:
            count += 1
            try:
                for entry in watcher.pick(entries, index):
                    session = sessions.get(entry.raw)
                    if session is None:
                        session = sessions[entry.raw] = listing.read(entry)
                    watcher.see(session, token=entry.token)
                    count += 1
                    if count % _BREATH == 0:
                        await asyncio.sleep(0)
            except DecodeError as error:
                watcher.fail(error)
            watcher.asked, watcher.served = True, number

    async def _look_up(self, name: str, now: float) -> None:
        """Ask for one session that the list does not hold."""
        wanting = [watcher for watcher in self._present(now) if watcher.wants(name)]
        if not wanting:
            return
        try:
            session = await wanting[0].source.look_up(name)
        except PASSING as error:
            self.trouble = error
            self._missing.clear()  # that was no answer: the next tick finds them missing again
            return
        except G2AError as error:
            for watcher in wanting:
                watcher.refuse(name, error)
        else:
            # By its own name it concerns nobody else; by a token, whoever watches it by its ID, too.
            for watcher in wanting if session.session_id == name else self._present(now):
                watcher.see(session, asked=name)
        for watcher in wanting:
            watcher.looked(name, self._asked)


_POLLS: "weakref.WeakKeyDictionary[object, dict[tuple[int, str], Poll]]" = weakref.WeakKeyDictionary()


def poll_of(owner: object, service: str, clock: Clock) -> Poll:
    """The poll that all who share *owner* and ask the same *service* have on the running loop."""
    polls = _POLLS.setdefault(owner, {})
    loop = asyncio.get_running_loop()
    mine = polls.get((id(loop), service))
    if mine is None or mine.loop is not loop:  # such as a closed one that had the same address
        for key in [key for key, poll in polls.items() if poll.loop.is_closed()]:
            del polls[key]
        mine = polls[id(loop), service] = Poll(clock)
    return mine
