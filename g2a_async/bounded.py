"""Many at once, but not too many."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from typing import Any, Final, Generic, TypeVar

A = TypeVar("A")
T = TypeVar("T")

_NOTHING: Final[Any] = object()
"""What comes of an argument that there was not."""


async def as_they_come(
    work: Callable[[A], Awaitable[T]],
    arguments: Iterable[A] | AsyncIterable[A],
    most: int,
    *,
    in_order: bool = False,
) -> AsyncGenerator[T]:
    """What *work* gives for each of *arguments*, with at most *most* under way; as they finish, or in order.

    Takes an argument only when there is room for it. A failure, a cancellation or a consumer that stops cancels what
    is under way and waits until it has ended. A failure of *arguments* is raised once what was under way is given.
    """
    source = _Source(work, arguments)
    running: dict[asyncio.Future[T], None] = {}

    def fill() -> None:
        while len(running) < most and (begun := source.begin()) is not None:
            running[asyncio.ensure_future(begun)] = None

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
                if (result := task.result()) is not _NOTHING:
                    yield result
        if source.failure is not None:
            raise source.failure
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


class _Source(Generic[A, T]):
    """Arguments, worked on one by one until there are no more, or one cannot be had."""

    def __init__(self, work: Callable[[A], Awaitable[T]], arguments: Iterable[A] | AsyncIterable[A]) -> None:
        self.failure: Exception | None = None
        self._is_over = False
        self._work = work
        self._waits = isinstance(arguments, AsyncIterable)
        self._arguments: Any = aiter(arguments) if isinstance(arguments, AsyncIterable) else iter(arguments)
        self._turn = asyncio.Lock()

    def begin(self) -> Awaitable[T] | None:
        """Take the next argument and work on it; one that must be waited for is taken by the work itself."""
        if self._is_over or self._waits:
            return None if self._is_over else self._wait()
        argument = _NOTHING
        try:
            argument = next(self._arguments, _NOTHING)
        except Exception as error:  # noqa: BLE001  it is raised, but after what was under way
            self.failure = error
        self._is_over = argument is _NOTHING
        return None if self._is_over else self._work(argument)

    async def _wait(self) -> T:
        argument = _NOTHING
        async with self._turn:
            if not self._is_over:
                try:
                    argument = await anext(self._arguments, _NOTHING)
                except Exception as error:  # noqa: BLE001  as above
                    self.failure = error
                self._is_over = argument is _NOTHING
        return argument if argument is _NOTHING else await self._work(argument)
