"""Work that goes on while its caller's loop ends: on a loop of its own, in a thread."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from g2a_async.threads import ended

T = TypeVar("T")

_PATIENCE: Final = 5.0
"""Seconds that the work may still take once its caller was cancelled."""


async def aside(work: Callable[[], Coroutine[Any, Any, T]]) -> tuple[T, bool]:
    """What *work* gives, and whether the caller was cancelled meanwhile: it has that to raise, once it is done.

    A task on the caller's loop would not do: a loop that ends cancels them all. Nothing goes on after this.
    """
    inner: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []

    async def whole() -> T:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  a coroutine that runs is a task's
        inner.append((asyncio.get_running_loop(), task))
        return await work()

    run = partial(contextvars.copy_context().run, lambda: asyncio.run(whole()))
    running = asyncio.get_running_loop().run_in_executor(None, run)
    try:
        return await asyncio.shield(running), False
    except asyncio.CancelledError:
        await ended(running, _PATIENCE)
        if not running.done():
            for loop, task in inner:
                with suppress(RuntimeError):  # it ended just now
                    loop.call_soon_threadsafe(task.cancel)
            await ended(running)
        if running.cancelled() or running.exception() is not None:
            raise
        return running.result(), True
