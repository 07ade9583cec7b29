"""Many at once, but not too many."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeVar

A = TypeVar("A")
T = TypeVar("T")


async def as_they_come(
    work: Callable[[A], Awaitable[T]], arguments: Iterable[A], most: int, *, in_order: bool = False
) -> AsyncGenerator[T]:
    """What *work* gives for each of *arguments*, with at most *most* under way; as they finish, or in order.

    Takes an argument only when there is room for it. A failure, a cancellation or a consumer that stops
    cancels what is under way and waits until it has ended.
    """
    source = iter(arguments)
    running: dict[asyncio.Future[T], None] = {}

    def fill() -> None:
        while len(running) < most:
            try:
                argument = next(source)
            except StopIteration:
                return
            running[asyncio.ensure_future(work(argument))] = None

    try:
        fill()
        while running:
            first = next(iter(running))
            await asyncio.wait([first] if in_order else running, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in running if task.done()]:
                if in_order and task is not next(iter(running)):
                    break
                del running[task]
                fill()
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
