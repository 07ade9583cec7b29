"""Walks over many records: lazy, repeatable, bounded."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Generic, NoReturn, Self, TypeVar

from attrs import evolve, field, frozen

T = TypeVar("T")


@frozen(kw_only=True)
class Page(Generic[T]):
    """Some of the records, as one answer gave them."""

    items: tuple[T, ...]
    """The records."""
    offset: int = 0
    """How many come before them."""
    total: int | None = None
    """How many there are in all, where the service says so."""


Walk = Callable[[int | None], AsyncGenerator[Page[T]]]
"""Makes a new walk, which needs no more records than the number given."""


@frozen
class Pager(AsyncIterable[T], Generic[T]):
    """A description of a walk: nothing is sent until it is iterated; each iteration walks anew.

    `async for record in pager`, or one of the methods. A walk holds no connection between pages.
    """

    _walk: Walk[T] = field(repr=False)
    _count: Callable[[], Awaitable[int | None]] = field(repr=False)
    _most: int | None = None

    def pages(self) -> AsyncIterator[Page[T]]:
        """The pages, as the service gives them; the last one is cut where `limit` says."""
        return self._pages()

    async def _pages(self) -> AsyncGenerator[Page[T]]:
        left = self._most
        if left == 0:
            return
        walk = self._walk(left)
        try:
            async for page in walk:
                if left is None:
                    yield page
                    continue
                yield evolve(page, items=page.items[:left])
                left -= len(page.items)
                if left <= 0:
                    return
        finally:
            await walk.aclose()

    async def __aiter__(self) -> AsyncIterator[T]:
        async with aclosing(self._pages()) as pages:
            async for page in pages:
                for item in page.items:
                    yield item

    def limit(self, most: int) -> Self:
        """The same walk, over after *most* records."""
        if isinstance(most, bool) or not isinstance(most, int) or most < 0:
            raise ValueError(f"limit must be a whole number, zero or more, not {most!r}")
        return evolve(self, most=most if self._most is None else min(most, self._most))

    async def collect(self) -> list[T]:
        """All records, in a list."""
        return [item async for item in self]

    async def first(self) -> T | None:
        """The first record, or None where there is none."""
        return next(iter(await self.limit(1).collect()), None)

    async def total(self) -> int | None:
        """How many records there are, as the service counts them, whatever `limit` says; None: it does not count."""
        return await self._count()

    if not TYPE_CHECKING:  # a type checker must not believe that these work

        def __iter__(self) -> NoReturn:
            raise TypeError("a Pager is walked with `async for`, or read with `await pager.collect()`")

        def __await__(self) -> NoReturn:
            raise TypeError("a Pager is not awaited: use `async for`, or `await pager.collect()`")
