"""Work in threads, which cannot be stopped: nothing of it goes on unseen."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


async def to_the_end(work: Callable[[], T], executor: Executor | None = None) -> T:
    """What *work* gives in a thread. Cancelled or not, nothing of it goes on after this."""
    running = asyncio.get_running_loop().run_in_executor(executor, work)
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
