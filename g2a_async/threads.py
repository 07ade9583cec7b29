"""Work in threads, which cannot be stopped: nothing of it goes on unseen."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


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


class Together:
    """Small pieces of work in a thread. What waits goes as one: to wake a thread takes longer than most of them."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[], Any], asyncio.Future[Any]]] = []
        self._is_busy = False

    async def do(self, work: Callable[[], T]) -> T:
        """What *work* gives, once what came before it is done. Cancelled or not, nothing of it goes on after this."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._waiting.append((work, future))
        if not self._is_busy:
            self._go(loop)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await ended(future)
            raise

    def _go(self, loop: asyncio.AbstractEventLoop) -> None:
        todo, self._waiting = self._waiting, []
        self._is_busy = bool(todo)
        if todo:
            running = loop.run_in_executor(None, _done, [work for work, _ in todo])
            running.add_done_callback(partial(self._tell, loop, [future for _, future in todo]))

    def _tell(
        self,
        loop: asyncio.AbstractEventLoop,
        futures: list[asyncio.Future[Any]],
        running: "asyncio.Future[list[tuple[Any, BaseException | None]]]",
    ) -> None:
        for future, (result, error) in zip(futures, running.result(), strict=True):
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
        self._go(loop)


def _done(todo: list[Callable[[], Any]]) -> list[tuple[Any, BaseException | None]]:
    """What each of *todo* gives, or raises."""
    results: list[tuple[Any, BaseException | None]] = []
    for work in todo:
        try:
            results.append((work(), None))
        except BaseException as error:  # noqa: BLE001  who asked for it raises it
            results.append((None, error))
    return results
