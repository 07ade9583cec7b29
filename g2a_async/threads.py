"""Work in threads, which cannot be stopped: nothing of it goes on unseen."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from math import inf
from typing import Any, Final, Generic, TypeVar
from weakref import WeakKeyDictionary

from attrs import define

T = TypeVar("T")
Piece = TypeVar("Piece")

_SOON: Final = 0.02
"""Seconds that a piece of work waits for company, where there is some to come."""
_CROWD: Final = 16
"""Pieces in as many seconds that let expect more."""
_ENOUGH: Final = 128
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


async def ended(running: "asyncio.Future[Any]", seconds: float | None = None) -> bool:
    """Wait until *running* is over, *seconds* at most, however often we are cancelled. Its error counts as heard.

    Whether we were cancelled meanwhile: who has no error to raise raises CancelledError then.
    """
    loop = asyncio.get_running_loop()
    end = None if seconds is None else loop.time() + seconds
    was_cancelled = False
    while not running.done() and (end is None or loop.time() < end):
        try:
            await asyncio.wait([running], timeout=None if end is None else end - loop.time())
        except asyncio.CancelledError:
            was_cancelled = True
    if running.done() and not running.cancelled():
        running.exception()
    return was_cancelled


class Together(Generic[Piece, T]):
    """Small pieces of work that go to a thread as one: to wake it takes longer than most of them.

    *work* has all that came together on one event loop, and gives a result or an error for each, in that order.
    """

    def __init__(
        self, work: Callable[[Sequence[Piece]], Sequence[T | BaseException]], executor: Executor | None = None
    ) -> None:
        self._work = work
        self._executor = executor
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _Line[Piece, T]] = WeakKeyDictionary()

    async def do(self, piece: Piece) -> T:
        """What *work* gives for *piece*. Cancelled or not, nothing of it goes on after this."""
        loop = asyncio.get_running_loop()
        line = self._lines.get(loop)
        if line is None:
            line = self._lines[loop] = _Line(self._work, self._executor)
        waiting = line.add(loop, piece)
        try:
            return await waiting.future
        except asyncio.CancelledError:
            if not waiting.is_over:
                waiting.over = loop.create_future()
                await ended(waiting.over)
            if not waiting.future.cancelled():
                waiting.future.exception()  # nobody else will look at it
            raise


@define(eq=False)
class _Waiting(Generic[Piece, T]):
    """A piece of work that somebody waits for."""

    piece: Piece
    future: "asyncio.Future[T]"
    """What comes of it. Cancelled with who waits; the work is not."""
    is_over: bool = False
    over: "asyncio.Future[None] | None" = None
    """For who has been cancelled, and waits for the end all the same."""


class _Line(Generic[Piece, T]):
    """Those who wait on one event loop: no other thread may touch their futures."""

    def __init__(
        self, work: Callable[[Sequence[Piece]], Sequence[T | BaseException]], executor: Executor | None
    ) -> None:
        self._work = work
        self._executor = executor
        self._waiting: list[_Waiting[Piece, T]] = []
        self._is_busy = False
        self._timer: asyncio.TimerHandle | None = None
        self._came: deque[float] = deque([-inf] * _CROWD, _CROWD)  # when

    def add(self, loop: asyncio.AbstractEventLoop, piece: Piece) -> _Waiting[Piece, T]:
        """Line up *piece*."""
        waiting: _Waiting[Piece, T] = _Waiting(piece, loop.create_future())
        self._waiting.append(waiting)
        self._came.append(loop.time())
        self._go_on(loop)
        return waiting

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Go soon, or now if enough are waiting."""
        if self._is_busy or not self._waiting:
            return
        if len(self._waiting) >= _ENOUGH:
            self._go(loop)
        elif self._timer is None:
            is_crowd = loop.time() - self._came[0] < _SOON
            self._timer = loop.call_later(_SOON if is_crowd else 0, self._go, loop)

    def _go(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        todo, self._waiting = self._waiting, []
        self._is_busy = True
        work = partial(self._results, [waiting.piece for waiting in todo])
        try:
            running = loop.run_in_executor(self._executor, work)
        except RuntimeError:  # as above
            self._tell(loop, todo, work())
        else:
            running.add_done_callback(partial(self._over, loop, todo))

    def _results(self, pieces: Sequence[Piece]) -> Sequence[T | BaseException]:
        """What there is to tell of each, whatever *work* does."""
        try:
            results = self._work(pieces)
            if len(results) != len(pieces):
                raise RuntimeError(f"{len(results)} results of {len(pieces)} pieces of work")  # noqa: TRY301  all get it
        except BaseException as error:  # noqa: BLE001  each of them raises it
            return [error] * len(pieces)
        return results

    def _over(
        self,
        loop: asyncio.AbstractEventLoop,
        todo: Sequence[_Waiting[Piece, T]],
        running: "asyncio.Future[Sequence[T | BaseException]]",
    ) -> None:
        error = asyncio.CancelledError() if running.cancelled() else running.exception()
        self._tell(loop, todo, running.result() if error is None else [error] * len(todo))

    def _tell(
        self, loop: asyncio.AbstractEventLoop, todo: Sequence[_Waiting[Piece, T]], results: Sequence[T | BaseException]
    ) -> None:
        self._is_busy = False
        for waiting, result in zip(todo, results, strict=True):
            waiting.is_over, future = True, waiting.future
            if waiting.over is not None:
                waiting.over.set_result(None)
            if future.cancelled():
                continue
            if isinstance(result, StopIteration):  # which no future takes
                future.set_exception(RuntimeError(f"the work raised {result!r}"))
            elif isinstance(result, BaseException):
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
