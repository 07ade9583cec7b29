"""Work on a loop of its own, in a thread of its own: it goes on while its caller's loop ends."""

import asyncio
import atexit
import contextvars
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, wait
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from g2a_async.forks import in_children
from g2a_async.threads import ended

T = TypeVar("T")

_PATIENCE: Final = 5.0
"""Seconds that the work may still take once its caller was cancelled, or the process is at its end."""
_UNDER_WAY: Final[set[Future[Any]]] = set()


def start_aside(work: Callable[[], Coroutine[Any, Any, T]], over: Callable[[Future[T]], None]) -> None:
    """Begin *work*. *over* is called in its thread, with what came of it.

    The thread is none of an executor's, whose other work may wait for this one.
    """
    result: Future[T] = Future()
    _UNDER_WAY.add(result)

    def run() -> None:
        try:
            result.set_result(asyncio.run(work()))
        except BaseException as error:  # noqa: BLE001  whoever waits raises it
            result.set_exception(error)
        over(result)
        _UNDER_WAY.discard(result)

    run_here = partial(contextvars.copy_context().run, run)
    try:
        threading.Thread(target=run_here, name="g2a-aside", daemon=True).start()
    except BaseException:
        _UNDER_WAY.discard(result)
        raise


async def aside(work: Callable[[], Coroutine[Any, Any, T]]) -> tuple[T, bool]:
    """What *work* gives, and whether the caller was cancelled meanwhile: it has that to raise, once it is done."""
    loop = asyncio.get_running_loop()
    inner: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []
    running: asyncio.Future[Future[T]] = loop.create_future()

    async def whole() -> T:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  a coroutine that runs is a task's
        inner.append((asyncio.get_running_loop(), task))
        return await work()

    def land(result: Future[T]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(running.set_result, result)

    start_aside(whole, land)
    try:
        return (await asyncio.shield(running)).result(), False
    except asyncio.CancelledError:
        await ended(running, _PATIENCE)
        if not running.done():
            for theirs, task in inner:
                with suppress(RuntimeError):  # it ended just now
                    theirs.call_soon_threadsafe(task.cancel)
            await ended(running)
        if running.result().exception() is not None:
            raise
        return running.result().result(), True


def _settle() -> None:
    wait(_UNDER_WAY, _PATIENCE)


atexit.register(_settle)
in_children(_UNDER_WAY.clear)
