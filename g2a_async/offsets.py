"""Walks by `limit` and `offset` over a list that changes meanwhile.

A record that exists from the first request to the last is given exactly once. Each page begins with a record that was
given before, the anchor: then nothing lies between them, whatever was inserted or deleted further up. A page without
an anchor means that rows in front of it went away; the walk steps back until it finds one.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final, Generic, TypeVar

from g2a_async.errors import PagingStalledError
from g2a_async.paging import Page, Pager

T = TypeVar("T")
Fetch = Callable[[int, int, bool], Awaitable[Page[T]]]
"""Offset, limit, and whether this is bulk work: every page but the first."""

IN_FLIGHT: Final = 4
"""Pages at once, once a total is known; the quota decides how fast they leave."""
_PATIENCE: Final = 3
"""Pages in a row without anything new: insertions can bring back one."""
_FAR: Final = 10
"""Records that such pages must be apart when small, and short pages in a row: each insertion moves those on."""


def offset_pager(fetch: Fetch[T], size: int, key: Callable[[T], Any]) -> Pager[T]:
    """A pager of *size* records a page. *key* tells records apart."""

    async def walk(most: int | None) -> AsyncGenerator[Page[T]]:
        steps = _Walk(fetch, size, key, most)
        try:
            while (page := await steps.next()) is not None:
                yield page
        finally:
            await steps.stop()

    async def count() -> int | None:
        return (await fetch(0, 1, False)).total  # noqa: FBT003

    return Pager(walk, count)


class _Walk(Generic[T]):
    """One walk: where it is, what it has given, and what it has asked for ahead."""

    def __init__(self, fetch: Fetch[T], size: int, key: Callable[[T], Any], most: int | None) -> None:
        self._fetch = fetch
        self._first = size
        self._size = max(size, 2)  # one that is known, and one that is new
        self._key = key
        self._most = most
        self._seen: set[Any] = set()
        self._ahead: dict[int, asyncio.Future[Page[T]]] = {}
        self._offset = 0
        self._overlap = 1
        self._back = 0
        self._beyond = False  # the next page begins where the last one ended: there was nothing but the anchor
        self._ended = False
        self._stale = self._stale_at = self._new_at = 0
        self._total: int | None = None
        self._shown: tuple[T, ...] = ()
        self._held: Page[T] | None = None

    async def next(self) -> Page[T] | None:
        """The next page that has something new; None at the end."""
        while not self._ended and (self._most is None or len(self._seen) < self._most):
            page = await self._take()
            keys = [self._key(item) for item in page.items]
            if not self._is_anchored(keys):
                if self._beyond and not keys:
                    return None
                self._step_back(page)
                continue
            fresh = {one: item for one, item in zip(keys, page.items, strict=True) if one not in self._seen}
            self._seen.update(fresh)
            self._watch_for_stall(page, new=bool(fresh))
            offset = self._offset + next((index for index, one in enumerate(keys) if one in fresh), 0)
            self._step_on(page, new=bool(fresh))
            if fresh:
                return Page(items=tuple(fresh.values()), offset=offset, total=page.total)
        return None

    async def stop(self) -> None:
        """Leave nothing running."""
        for task in self._ahead.values():
            task.cancel()
        await asyncio.gather(*self._ahead.values(), return_exceptions=True)

    def _is_anchored(self, keys: list[Any]) -> bool:
        return self._offset == 0 or bool(keys and (self._beyond or keys[0] in self._seen))

    def _step_back(self, page: Page[T]) -> None:
        if page.items and page is not self._held:
            self._held = page
            held: asyncio.Future[Page[T]] = asyncio.get_running_loop().create_future()
            held.set_result(page)
            self._ahead[self._offset] = held  # it may follow on the page that is read now
        self._overlap = min(2 * self._overlap + 1, max(1, min(self._size, len(self._shown) or self._size) // 2))
        self._back = 2 * self._back or max(1, self._size // 2)
        self._offset, self._beyond = max(0, self._offset - self._back), False

    def _step_on(self, page: Page[T], *, new: bool) -> None:
        end = self._offset + len(page.items)
        self._ended = not page.items or (page.total is not None and end >= page.total)
        self._back = 0
        self._beyond = not new and len(page.items) <= self._overlap
        held = [offset for offset in self._ahead if self._offset < offset < end]
        start = self._offset
        self._offset = max(held) if held else end if self._beyond else max(end - self._overlap, start + 1)
        if self._first < self._size:  # a page of one, which is no anchor for the next one: that begins here again
            self._first, self._offset = self._size, start
        self._beyond = self._offset == end
        for offset in [offset for offset in self._ahead if offset < self._offset]:
            self._ahead.pop(offset).cancel()
        if page.total is not None and new:
            self._ask_ahead(page.total)

    def _ask_ahead(self, total: int) -> None:
        offset = max(self._ahead, default=self._offset - self._step) + self._step
        end = min(total, self._needed)
        while offset + self._overlap < end and len(self._ahead) < IN_FLIGHT:
            self._ahead[offset] = asyncio.ensure_future(self._ask(offset))
            offset += self._step

    @property
    def _needed(self) -> float:
        """Where the last row is that is wanted, as far as can be told now."""
        if self._most is None:
            return float("inf")
        lead = 0 if self._offset == 0 or self._beyond else self._overlap
        return self._offset + lead + self._most - len(self._seen)

    @property
    def _step(self) -> int:
        return max(self._size, 2) - self._overlap

    async def _take(self) -> Page[T]:
        task = self._ahead.pop(self._offset, None)
        return await (task if task is not None else self._ask(self._offset))

    def _ask(self, offset: int) -> Awaitable[Page[T]]:
        size = self._size if offset else self._first
        return self._fetch(offset, int(min(size, self._needed - offset)), offset > 0)

    def _watch_for_stall(self, page: Page[T], *, new: bool) -> None:
        """Further and further down nothing new, though nothing was inserted: `offset` has no effect."""
        if new or page.total != self._total:
            self._stale, self._new_at = 0, self._offset
        elif self._offset > self._stale_at and (page.items == self._shown or len(page.items) >= self._size):
            self._stale += 1
        self._total, self._shown, self._stale_at = page.total, page.items, self._offset
        patience = _PATIENCE if len(page.items) >= self._size else _FAR
        if self._stale >= patience and (self._size >= _FAR or self._offset - self._new_at > _FAR):
            raise PagingStalledError(f"the service gives nothing new from offset {self._new_at} to {self._offset}")
