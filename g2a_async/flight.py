"""One piece of work for all who want its result at the same time, on whatever thread and event loop they are."""

import asyncio
import copy
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Final, Generic, TypeVar

from g2a_async.aside import start_aside
from g2a_async.errors import G2AError
from g2a_async.forks import forgets, keep

T = TypeVar("T")

_LOOK: Final = 0.25
"""Seconds after which those who wait look whether the loop that does the work is still there."""
_BURIALS: Final = 10
"""How often a left coroutine may still try to wait while it is ended."""


class _Flight(Generic[T]):
    """The work while it is under way. Those who wait only learn that it is over, so that nothing is left unheard."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self.loop = loop
        """Where it is a task; None: it has a thread of its own."""
        self.task: asyncio.Task[T] | None = None
        self.result: Future[T] | asyncio.Task[T] | None = None
        self.over: Future[None] = Future()
        self.over.set_running_or_notify_cancel()  # a waiter who is cancelled cannot cancel it

    async def landed(self) -> None:
        """Return once it is over, or its loop is."""
        over = asyncio.wrap_future(self.over)
        try:
            while not over.done() and not self.lost:
                await asyncio.wait([over], timeout=_LOOK)
        finally:
            with suppress(RuntimeError):  # our own loop is closed
                over.cancel()

    @property
    def lost(self) -> bool:
        """Whether it ended, or will never end, without a result or a failure."""
        if self.over.done():
            return self.result is None or self.result.cancelled()
        return self.loop is not None and self.loop.is_closed()

    def bury(self) -> None:
        """End what a closed loop left, so that it lets go of its locks."""
        if self.task is None or self.task.done():
            return
        work: Any = self.task.get_coro()
        for _ in range(_BURIALS):
            with suppress(RuntimeError):  # it waits once more on its way out
                work.close()
                break


class SingleFlight(Generic[T]):
    """Shares work. Cancelling those who wait leaves it alone.

    *in_thread*: it runs in a thread of its own, and ends whatever becomes of its callers' loops. Else in a task on the
    loop of the first who came; when that loop is closed, or cancels all that is left, one of the others begins anew.
    """

    def __init__(self, *, in_thread: bool = False) -> None:
        self._in_thread = in_thread
        self._lock = threading.Lock()
        self._flight: _Flight[T] | None = None
        forgets(self)

    async def share(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What the work that is under way gives, or *work*, which begins now. Each caller gets an error of its own."""
        while True:
            flight = self.begin(work)
            await flight.landed()
            if flight.lost or flight.result is None:
                continue
            error = flight.result.exception()
            if error is None:
                return flight.result.result()
            raise copy.copy(error) if isinstance(error, G2AError) else error

    def begin(self, work: Callable[[], Coroutine[Any, Any, T]]) -> _Flight[T]:
        """The work that is under way, or *work*, which begins now."""
        loop = None if self._in_thread else asyncio.get_running_loop()
        with self._lock:
            before = self._flight
            if before is not None and not before.lost:
                return before
            flight = self._flight = _Flight(loop)
        if before is not None:
            before.bury()
        land = partial(self._land, flight)
        try:
            if loop is None:
                start_aside(work, land)
            else:
                flight.task = loop.create_task(work(), name="g2a-shared")
                flight.task.add_done_callback(land)
        except BaseException:  # there are no more threads to be had: others may be luckier
            with self._lock:
                self._flight = None
            flight.over.set_result(None)
            raise
        return flight

    def _land(self, flight: _Flight[T], result: Future[T] | asyncio.Task[T]) -> None:
        flight.result = result
        if not result.cancelled():
            result.exception()  # heard, also when all who waited are gone
        with self._lock:
            if self._flight is flight:
                self._flight = None
        flight.over.set_result(None)

    def forget_parent(self) -> None:
        """In a forked child: nobody here does what the parent was doing."""
        self._lock = threading.Lock()
        keep(self._flight)  # its end here would be taken for a task that was lost
        self._flight = None
