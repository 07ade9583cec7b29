"""Work in threads, which cannot be stopped: nothing of it goes on unseen."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")
Piece = TypeVar("Piece")

_SOON: Final = 0.002
"""Seconds that a piece of work waits for company."""
_ENOUGH: Final = 32
"""Pieces that wait for no more."""


async def to_the_end(work: Callable[[], T], executor: Executor | None = None) -> T:
    """What *work* gives in a thread. Cancelled or not, nothing of it goes on after this."""
    try:
        running = asyncio.get_running_loop().run_in_executor(executor, work)
    except RuntimeError:  # the interpreter is at its end: there are no more threads to be had
        return work()
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await ended(running)
        raise


async def ended(running: "asyncio.Future[Any]", seconds: float | None = None) -> None:
    """Wait until *running* is over, *seconds* at most, however often we are cancelled. Its error counts as heard."""
    loop = asyncio.get_running_loop()
    end = None if seconds is None else loop.time() + seconds
    while not running.done() and (end is None or loop.time() < end):
        with suppress(asyncio.CancelledError):
            await asyncio.wait([running], timeout=None if end is None else end - loop.time())
    if running.done() and not running.cancelled():
        running.exception()


class Together(Generic[Piece, T]):
    """Small pieces of work that go to a thread as one: to wake it takes longer than most of them.

    *work* has all that came together, and gives a result or an error for each, in that order.
    """

    def __init__(
        self, work: Callable[[Sequence[Piece]], Sequence[T | BaseException]], executor: Executor | None = None
    ) -> None:
        self._work = work
        self._executor = executor
        self._waiting: list[tuple[Piece, asyncio.Future[T]]] = []
        self._is_busy = False
        self._timer: asyncio.TimerHandle | None = None

    async def do(self, piece: Piece) -> T:
        """What *work* gives for *piece*. Cancelled or not, nothing of it goes on after this."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._waiting.append((piece, future))
        self._go_on(loop)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await ended(future)
            raise

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Go soon, or now if enough are waiting."""
        if self._is_busy or not self._waiting:
            return
        if len(self._waiting) >= _ENOUGH:
            self._go(loop)
        elif self._timer is None:
            self._timer = loop.call_later(_SOON, self._go, loop)

    def _go(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        todo, self._waiting = self._waiting, []
        self._is_busy = True
        work = partial(self._work, [piece for piece, _ in todo])
        futures = [future for _, future in todo]
        try:
            running = loop.run_in_executor(self._executor, work)
        except RuntimeError:  # as above
            self._tell(loop, futures, work())
        else:
            running.add_done_callback(lambda _: self._tell(loop, futures, running.result()))

    def _tell(
        self,
        loop: asyncio.AbstractEventLoop,
        futures: Sequence[asyncio.Future[T]],
        results: Sequence[T | BaseException],
    ) -> None:
        self._is_busy = False
        for future, result in zip(futures, results, strict=True):
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
        self._go_on(loop)


def each(works: Sequence[Callable[[], T]]) -> list[T | BaseException]:
    """What each of *works* gives, or raises: what goes wrong with one concerns no other."""
    results: list[T | BaseException] = []
    for work in works:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001  who asked for it raises it
            results.append(error)
    return results
