"""Walks over pages: lazy, repeatable, complete, and never endless."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from g2a_async import Page, Pager, PagingStalledError
from g2a_async.offsets import IN_FLIGHT, offset_pager

Request = tuple[int, int]


class Rows:
    """A service that pages over rows, and what it was asked."""

    def __init__(self, rows: list[Any], *, total: bool = True, short: int = 10**9) -> None:
        self.rows = rows
        self.counts = total
        self.short = short
        self.requests: list[Request] = []
        self.bulk: list[bool] = []
        self.before: Callable[[int], None] = lambda _: None

    async def fetch(self, offset: int, limit: int, bulk: bool) -> Page[Any]:
        """Give one page, or as much of it as this service gives at once."""
        assert len(self.requests) < 500, "the walk does not end"
        self.before(len(self.requests))
        self.requests.append((offset, limit))
        self.bulk.append(bulk)
        items = tuple(self.rows[offset : offset + min(limit, self.short)])
        return Page(items=items, offset=offset, total=len(self.rows) if self.counts else None)

    def pager(self, size: int = 50) -> Pager[Any]:
        """A walk over it."""
        return offset_pager(self.fetch, size, lambda row: row)


@pytest.mark.parametrize("total", [True, False])
async def test_nothing_is_sent_before_it_is_needed(total: bool) -> None:
    """Making a pager sends nothing; a walk asks for the first page, then for a few ahead, if it knows the total."""
    service = Rows(list(range(1000)), total=total)
    pager = service.pager()
    assert service.requests == []
    walk: AsyncIterator[int] = aiter(pager)
    assert service.requests == []
    assert await anext(walk) == 0
    assert service.requests == [(0, 50)]
    for number in range(1, 50):
        await asyncio.sleep(0)
        assert await anext(walk) == number
    assert len(service.requests) <= 1 + (IN_FLIGHT if total else 0)
    assert await anext(walk) == 50


async def test_a_walk_that_is_left_asks_no_more() -> None:
    """A consumer that stops in the middle leaves no request running."""
    service = Rows(list(range(1000)))
    before = asyncio.all_tasks()
    pages = service.pager().pages()
    assert len((await anext(pages)).items) == 50
    await asyncio.sleep(0)
    await pages.aclose()  # type: ignore[attr-defined]  # an iterator by contract, a generator in fact
    asked = len(service.requests)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    assert len(service.requests) == asked


async def test_each_iteration_walks_anew() -> None:
    """A pager is a description: it may be walked again, also twice at once, and sees what is there then."""
    service = Rows(list(range(3)))
    pager = service.pager()
    assert await pager.collect() == [0, 1, 2]
    service.rows.append(3)
    pairs = [(outer, inner) async for outer in pager async for inner in pager]
    assert pairs == [(outer, inner) for outer in range(4) for inner in range(4)]


@given(st.integers(0, 130), st.integers(1, 50), st.none() | st.integers(0, 140), st.booleans(), st.integers(2, 60))
@settings(deadline=None, max_examples=80)
async def test_every_record_once_and_in_order(
    count: int,
    size: int,
    most: int | None,
    total: bool,
    short: int,
) -> None:
    """Whatever the page size, the limit, the total and how short the pages are: every record once, in order."""
    service = Rows(list(range(count)), total=total, short=short)
    pager = service.pager(size) if most is None else service.pager(size).limit(most)
    wanted = count if most is None else min(most, count)
    assert await pager.collect() == list(range(wanted))
    assert all(1 <= limit <= max(size, 2) for _, limit in service.requests)
    assert len(service.requests) <= 3 * -(-wanted // max(1, min(size, short) - 1)) + 3
    assert [items for page in [page.items async for page in pager.pages()] for items in page] == list(range(wanted))


@pytest.mark.parametrize("total", [True, False])
async def test_a_service_that_gives_one_record_at_a_time(total: bool) -> None:
    """However short the pages, a record costs no more than a few requests."""
    service = Rows(list(range(40)), total=total, short=1)
    assert await service.pager().collect() == list(range(40))
    assert len(service.requests) <= 3 * 40


async def test_limit_first_total_and_pages() -> None:
    """`limit` cuts walk and requests, `first` costs one record, `total` one request, `pages` tell their place."""
    service = Rows(list(range(120)))
    pager = service.pager()
    assert await pager.limit(7).collect() == list(range(7))
    assert await pager.first() == 0
    assert await pager.total() == 120
    assert await pager.limit(3).total() == 120
    assert service.requests == [(0, 7), (0, 1), (0, 1), (0, 1)]
    pages = [page async for page in pager.limit(60).pages()]
    assert [(len(page.items), page.offset, page.total) for page in pages] == [(50, 0, 120), (10, 50, 120)]
    assert await pager.limit(0).collect() == []
    assert await pager.limit(0).first() is None
    assert len(service.requests) == 6
    assert await Rows([]).pager().first() is None
    assert await Rows([], total=False).pager().total() is None


def test_limits_only_get_smaller() -> None:
    """A limit of a limit is the smaller one, and a bad one is refused."""
    pager = Rows([]).pager()
    assert repr(pager.limit(5).limit(9)) == repr(pager.limit(5)) != repr(pager)
    for bad in (-1, 1.5, "3", True, None):
        with pytest.raises(ValueError, match="limit"):
            _ = pager.limit(bad)  # type: ignore[arg-type]  # that is the point


async def test_the_first_page_is_interactive_and_the_rest_bulk() -> None:
    """Who waits for a first page is served before those who walk on."""
    service = Rows(list(range(120)))
    await service.pager().collect()
    assert service.bulk == [False, *[True] * (len(service.requests) - 1)]
    assert len(service.requests) == 3


async def test_records_that_slide_in_are_not_given_twice() -> None:
    """A record that is added before the place of the walk moves others into the next page: they come once."""
    service = Rows(list(range(1, 121)))
    service.before = lambda number: service.rows.insert(0, -number) if number else None
    found = await service.pager().collect()
    assert sorted(set(range(1, 121)) - set(found)) == []
    assert len(found) == len(set(found))


@given(
    st.integers(20, 120), st.dictionaries(st.integers(1, 12), st.lists(st.integers(0, 119), min_size=1, max_size=12))
)
@settings(deadline=None, max_examples=60)
async def test_a_record_that_stays_is_found_while_others_go(count: int, going: dict[int, list[int]]) -> None:
    """Records go between pages, as the total says: one that is there from first to last is given exactly once."""
    service = Rows(list(range(count)))
    staying = set(service.rows)

    def remove(request: int) -> None:
        for place in going.get(request, ()):
            if service.rows:
                staying.discard(service.rows.pop(place % len(service.rows)))

    service.before = remove
    found = await service.pager(size=10).collect()
    assert len(found) == len(set(found))
    assert staying <= set(found)


async def gather(pager: Pager[int], found: list[int]) -> None:
    """Keep what comes, also when an error comes after it."""
    async for item in pager:
        found.append(item)  # noqa: PERF401  a comprehension would lose it


async def test_the_same_page_twice_is_an_error() -> None:
    """A service that ignores `offset` and gives no total is told as stalled, after its records."""
    service = Rows([])

    async def fetch(offset: int, limit: int, bulk: bool) -> Page[int]:
        await service.fetch(offset, limit, bulk)
        return Page(items=(1, 2, 3))

    found: list[int] = []
    with pytest.raises(PagingStalledError, match="offset"):
        await gather(offset_pager(fetch, 50, lambda row: row), found)
    assert found == [1, 2, 3]
    assert len(service.requests) <= 20


@pytest.mark.parametrize("total", [None, 10_000])
async def test_pages_that_come_round_again_are_an_error(total: int | None) -> None:
    """A service that starts over behind its end is told as stalled: the walk does not go round for ever."""
    service = Rows([])

    async def fetch(offset: int, limit: int, bulk: bool) -> Page[int]:
        await service.fetch(offset, limit, bulk)
        return Page(items=tuple((offset + number) % 30 for number in range(10)), total=total)

    with pytest.raises(PagingStalledError):
        await offset_pager(fetch, 10, lambda row: row).collect()
    assert len(service.requests) < 40


async def test_a_total_that_is_too_high_ends_on_an_empty_page() -> None:
    """A total that counts more than there is does not make the walk endless."""
    service = Rows(list(range(60)))

    async def fetch(offset: int, limit: int, bulk: bool) -> Page[int]:
        page = await service.fetch(offset, limit, bulk)
        return Page(items=page.items, offset=offset, total=999)

    assert await offset_pager(fetch, 50, lambda row: row).collect() == list(range(60))
    assert len(service.requests) <= 8


async def test_a_failed_page_fails_the_walk() -> None:
    """An error of a page is raised where the walk is, after the records before it."""

    async def fetch(offset: int, limit: int, bulk: bool) -> Page[int]:
        if offset:
            raise KeyError(offset)
        return Page(items=tuple(range(limit)))

    found: list[int] = []
    with pytest.raises(KeyError):
        await gather(offset_pager(fetch, 5, lambda row: row), found)
    assert found == list(range(5))


async def test_a_pager_used_wrongly_says_how() -> None:
    """Awaiting a pager, or walking it without `async`, is a TypeError that says what to write."""
    pager: Any = Rows([1]).pager()  # a checker would refuse both
    with pytest.raises(TypeError, match="async for"):
        await pager
    with pytest.raises(TypeError, match="async for"):
        list(pager)
