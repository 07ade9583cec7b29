"""Walks by `limit` and `offset` over a list that changes meanwhile.

A record that exists from the first request to the last is given exactly once. Each page begins with a record that was
given before, the anchor: then nothing lies between them, whatever was inserted or deleted further up. A page without
an anchor means that rows in front of it went away; the walk steps back until it finds one.

A service may give fewer rows than it is asked for, so that a short page is not the end, and an anchor may come alone.
Then the page behind it is read, and the anchor once more: if that has stayed where it was, what lies behind follows on
it, and if that is nothing, it is the end.
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
"""Records that such pages must be apart when small."""
_LONG: Final = 16
"""The same for short pages in a row: each insertion moves those on."""
_SURE: Final = 3
"""Times that an anchor comes alone, until what lies behind it is believed to follow."""


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
        self._length = 0  # of the last page
        self._asked = 0  # what was asked of the service last
        self._steady = 0  # pages in a row that had their anchor
        self._alone = 0  # how often in a row the anchor at these offsets, with which the page ended, came alone
        self._alone_at = (0, 0)
        self._beyond = False  # the next page begins behind it
        self._behind: Page[T] | None = None  # that page
        self._trusts = False  # it follows on the anchor
        self._is_old = False  # the page was asked for before the one that was read last
        self._is_short = False  # the service gives fewer rows than there are
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
        return self._offset == 0 or self._trusts or bool(keys and keys[0] in self._seen)

    def _step_back(self, page: Page[T]) -> None:
        if page is not self._held:
            self._held = page
            held: asyncio.Future[Page[T]] = asyncio.get_running_loop().create_future()
            held.set_result(page)
            self._ahead[self._offset] = held  # it may follow on the page that is read now
        if self._beyond:
            self._beyond, self._behind = False, page
            self._is_short = self._is_short or bool(page.items)
            self._offset = self._alone_at[0]
            return
        length = min(self._size, len(self._shown) or self._size)
        # A wider overlap costs a request in so many pages; it is worth that where stepping back is more frequent.
        if not self._back and self._steady < length - self._overlap:
            self._overlap = min(self._overlap + 1, max(1, length // 2))
        self._steady = self._alone = 0
        self._back = 2 * self._back or max(1, length // 2)
        self._offset = max(0, self._offset - self._back)

    def _step_on(self, page: Page[T], *, new: bool) -> None:
        start, end = self._offset, self._offset + len(page.items)
        behind, self._behind = self._behind, None
        over = behind is not None and not behind.items and not new and behind.total == page.total
        self._ended = over or not page.items or (page.total is not None and end >= page.total)
        self._back, self._beyond, self._trusts = 0, False, False
        held = [offset for offset in self._ahead if start < offset < end]
        if self._first < self._size:  # a page of one, which is no anchor for the next one: that begins here again
            self._first = self._size
        elif held:
            self._offset = max(held)
        elif end - start == 1 or (not new and end - self._overlap <= start):
            self._look_behind(start, end, page, None if new else behind)
        elif new and page.total is None and len(page.items) < self._asked and not self._is_short:
            self._look_behind(end - 1, end, page, None)  # it may be the last one
        else:
            self._offset = max(end - self._overlap, start + 1)
        for offset in [offset for offset in self._ahead if offset < self._offset]:
            self._ahead.pop(offset).cancel()
        self._ask_ahead(page, new=new)

    def _look_behind(self, anchor: int, end: int, page: Page[T], behind: Page[T] | None) -> None:
        """The anchor came alone: read what lies *behind* it, and then the anchor again, twice if something did."""
        self._alone = self._alone + 1 if self._alone_at == (anchor, end) else 1
        self._alone_at = anchor, end
        if self._is_old:
            self._offset, self._alone = anchor, 0
        elif self._alone == 1 or behind is None or not behind.items or behind.total != page.total:
            self._offset, self._beyond, self._alone = end, True, 1
            if (task := self._ahead.pop(end, None)) is not None:
                task.cancel()  # it was asked for before the anchor
        elif self._alone < _SURE:
            self._offset, self._behind = anchor, behind
        else:
            self._offset, self._trusts = end, True

    def _ask_ahead(self, page: Page[T], *, new: bool) -> None:
        length, before = len(page.items), self._length
        self._length = length
        self._steady += 1
        if new and self._steady > length - self._overlap:
            self._overlap, self._steady = max(1, self._overlap - 1), 0
        step = length - self._overlap
        if page.total is None or not new or step < 1 or (length < self._size and length != before):
            return  # pages of changing length do not join
        offset = max(self._ahead, default=self._offset - step) + step
        end = min(page.total, self._needed)
        while offset + self._overlap < end and len(self._ahead) < IN_FLIGHT:
            self._ahead[offset] = asyncio.ensure_future(self._ask(offset))
            offset += step

    @property
    def _needed(self) -> float:
        """Where the last row is that is wanted, as far as can be told now."""
        if self._most is None:
            return float("inf")
        lead = 0 if self._offset == 0 or self._beyond else self._overlap
        return self._offset + lead + self._most - len(self._seen)

    async def _take(self) -> Page[T]:
        task = self._ahead.pop(self._offset, None)
        self._is_old = task is not None and not self._trusts
        return await (task if task is not None else self._ask(self._offset))

    def _ask(self, offset: int) -> Awaitable[Page[T]]:
        size = self._size if offset else self._first
        self._asked = int(min(size, self._needed - offset))
        return self._fetch(offset, self._asked, offset > 0)

    def _watch_for_stall(self, page: Page[T], *, new: bool) -> None:
        """Further and further down nothing new, though nothing was inserted: `offset` has no effect."""
        if new or page.total != self._total:
            self._stale, self._new_at = 0, max(self._new_at, self._offset)
        elif self._offset > max(self._stale_at, self._new_at) and (
            page.items == self._shown or len(page.items) >= self._size
        ):
            self._stale += 1
        self._total, self._shown, self._stale_at = page.total, page.items, self._offset
        patience = _PATIENCE if len(page.items) >= self._size else _LONG
        if self._stale >= patience and (self._size >= _FAR or self._offset - self._new_at > _FAR):
            raise PagingStalledError(f"the service gives nothing new from offset {self._new_at} to {self._offset}")
