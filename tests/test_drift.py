"""Walks by `limit` and `offset` while records come and go: nothing lost, nothing twice, few requests more."""

import asyncio
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from g2a_async import Page, PagingStalledError
from g2a_async.offsets import offset_pager

PLACES = ("any", "front", "near")


class Changing:
    """A list that changes between requests, and counts them."""

    def __init__(
        self,
        size: int,
        *,
        seed: int = 0,
        changes: float = 0,
        descending: bool = False,
        total: bool = True,
        short: bool = False,
        place: str = "any",
    ) -> None:
        self.random = random.Random(seed)
        self.rows: list[float] = sorted(self.random.sample(range(size * 100), size), reverse=descending)
        self.lasting = set(self.rows)
        self.changes = changes
        self.changed = 0
        self.descending = descending
        self.total = total
        self.short = short
        self.place = place
        self.last = 0
        self.requests: list[tuple[int, int]] = []
        self.open = self.most_open = 0

    def change(self) -> None:
        """Insert or delete at a random place, or near the front or where the walk is, as often as is due."""
        due = self.random.random() * 2 * self.changes
        while due > self.random.random():
            due -= 1
            self.changed += 1
            most = len(self.rows)
            where = {
                "any": self.random.randint(0, most),
                "front": self.random.randint(0, most // 10),
                "near": max(0, min(most, self.last + self.random.randint(-20, 20))),
            }[self.place]
            if self.random.random() < 0.5 and where < most:
                self.lasting.discard(self.rows.pop(where))
            else:
                first, last = (1e9, -1e9) if self.descending else (-1e9, 1e9)
                between = [first, *self.rows, last][where : where + 2]
                self.rows.insert(where, self.random.uniform(*between))

    async def fetch(self, offset: int, limit: int, bulk: bool) -> Page[float]:
        """A page, as it is when the request arrives."""
        self.requests.append((offset, limit))
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await asyncio.sleep(0)
            if len(self.requests) > 1:
                self.change()
            most = self.random.randint(1, limit) if self.short else limit
            rows = self.rows[offset : offset + most]
            self.last = offset + len(rows)
            return Page(items=tuple(rows), offset=offset, total=len(self.rows) if self.total else None)
        finally:
            self.open -= 1

    async def walk(self, size: int) -> list[float]:
        """All that a pager gives."""
        return await offset_pager(self.fetch, size, lambda row: row).collect()


@settings(deadline=None, max_examples=150)
@given(
    count=st.integers(0, 400),
    size=st.integers(1, 50),
    changes=st.sampled_from([0, 0.3, 1, 3, 10]),
    descending=st.booleans(),
    total=st.booleans(),
    place=st.sampled_from(PLACES),
    seed=st.integers(0, 10**6),
)
def test_what_lasts_is_given_exactly_once(
    count: int, size: int, changes: float, descending: bool, total: bool, place: str, seed: int
) -> None:
    """Whatever is inserted and deleted between requests, a record that is there all the time comes exactly once."""
    # Pages of a few records cannot keep up with many changes a request: the walk would rightly never end.
    changes = min(changes, size / 10)
    changing = Changing(count, seed=seed, changes=changes, descending=descending, total=total, place=place)
    given_ = asyncio.run(changing.walk(size))
    assert len(given_) == len(set(given_))
    assert changing.lasting <= set(given_)


@settings(deadline=None, max_examples=150)
@given(
    count=st.integers(0, 120),
    size=st.integers(10, 50),
    changes=st.sampled_from([0, 0.2, 0.7]),
    total=st.booleans(),
    place=st.sampled_from(PLACES),
    seed=st.integers(0, 10**6),
)
def test_short_pages_lose_nothing(count: int, size: int, changes: float, total: bool, place: str, seed: int) -> None:
    """A partner may give fewer than asked for, with a total or without: what is there all the time comes once."""
    changing = Changing(count, seed=seed, changes=changes, total=total, short=True, place=place)
    given_ = asyncio.run(changing.walk(size))
    assert len(given_) == len(set(given_))
    assert changing.lasting <= set(given_)


async def test_an_end_that_moved_up_is_no_end() -> None:
    """A short page, a deletion in front of it, and nothing behind: what was hidden is found where it is now."""
    rows = [*"abcd"]
    requests = 0

    async def fetch(offset: int, limit: int, bulk: bool) -> Page[str]:
        nonlocal requests
        requests += 1
        if requests == 2:
            rows.remove("a")
        return Page(items=tuple(rows[offset : offset + (3 if requests == 1 else limit)]), offset=offset)

    assert await offset_pager(fetch, 10, lambda row: row).collect() == [*"abcd"]


async def test_an_anchor_that_comes_alone_is_read_again() -> None:
    """One row of many, a deletion in front of it, and a page behind it: what lies between the two is found."""
    rows = [*"abcdefgh"]
    requests = 0

    async def fetch(offset: int, limit: int, bulk: bool) -> Page[str]:
        nonlocal requests
        requests += 1
        if requests == 3:
            rows.remove("a")
        most = {1: 4, 2: 1}.get(requests, limit)
        return Page(items=tuple(rows[offset : offset + most]), offset=offset, total=len(rows))

    assert await offset_pager(fetch, 10, lambda row: row).collect() == [*"abcdefgh"]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("size", "count"), [(50, 1000), (10, 400)])
@pytest.mark.parametrize("total", [False, True])
def test_changes_cost_few_requests(total: bool, size: int, count: int, place: str, descending: bool) -> None:
    """Ten changes cost at most five requests more than a walk that nothing disturbs, and fewer on average."""
    more = changed = 0
    for changes in (0.1, 0.5, 1.0, 2.0):
        for seed in range(6):
            calm = Changing(count, seed=seed, descending=descending, total=total)
            asyncio.run(calm.walk(size))
            changing = Changing(count, seed=seed, changes=changes, descending=descending, total=total, place=place)
            asyncio.run(changing.walk(size))
            if total and size == 50:  # in pages of ten, a few deletions in front cost a request each
                assert len(changing.requests) <= len(calm.requests) + 5 * max(1, -(-changing.changed // 10))
            more, changed = more + len(changing.requests) - len(calm.requests), changed + changing.changed
    assert more <= changed / (2 if place == "near" else 4)


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (50, 1), (51, 2), (99, 2), (120, 3), (1000, 21), (5000, 103)])
def test_a_calm_walk_costs_next_to_nothing_more(count: int, requests: int) -> None:
    """One record of overlap a page: 120 companies are three requests."""
    calm = Changing(count)
    assert len(asyncio.run(calm.walk(50))) == count
    assert len(calm.requests) == requests


async def test_pages_are_asked_for_ahead() -> None:
    """Once the total is known, up to four pages are under way, and they come in order."""
    calm = Changing(1000)
    assert await calm.walk(50) == calm.rows
    assert calm.most_open == 4


async def test_stopping_early_leaves_nothing_running() -> None:
    """A consumer that leaves cancels what was asked for ahead."""
    gate = asyncio.Event()
    calm = Changing(1000)

    async def slow(offset: int, limit: int, bulk: bool) -> Page[float]:
        page = await calm.fetch(offset, limit, bulk)
        if offset:
            await gate.wait()
        return page

    pages = offset_pager(slow, 50, lambda row: row).pages()
    async for _ in pages:
        break
    before = asyncio.all_tasks()
    await pages.aclose()  # type: ignore[attr-defined]  # a generator
    assert asyncio.all_tasks() <= before
    assert calm.open == 0


@pytest.mark.parametrize("most", [1, 49, 50, 51, 98, 99, 200])
async def test_a_limit_asks_for_no_more_than_it_needs(most: int) -> None:
    """`limit` bounds what is asked for, not only what is given."""
    calm = Changing(1000)
    rows = await offset_pager(calm.fetch, 50, lambda row: row).limit(most).collect()
    assert rows == calm.rows[:most]
    asked = sum(limit for _, limit in calm.requests) - (len(calm.requests) - 1)
    assert asked == most


STUCK: list[Callable[[int], int | None]] = [lambda count: count * 100, lambda _: None]


@pytest.mark.parametrize("total", STUCK)
async def test_a_service_that_ignores_the_offset_is_found_out(total: Callable[[int], int | None]) -> None:
    """The same page again and again is an error, not an endless walk."""
    requests = 0

    async def same(offset: int, limit: int, bulk: bool) -> Page[int]:
        nonlocal requests
        requests += 1
        return Page(items=tuple(range(limit)), offset=offset, total=total(limit))

    with pytest.raises(PagingStalledError):
        await offset_pager(same, 10, lambda row: row).collect()
    assert requests <= 8
