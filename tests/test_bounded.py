"""Many at once, but not too many; and nothing is left behind."""

import asyncio
from collections.abc import AsyncGenerator, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tools.clock import FakeClock

from g2a_async.bounded import as_they_come


class Work:
    """Work that takes as long as its argument says, and is counted."""

    def __init__(self, clock: FakeClock | None = None, *, fails: tuple[float, ...] = ()) -> None:
        self.clock = clock or FakeClock()
        self.fails = fails
        self.running = 0
        self.most = 0
        self.started = 0
        self.ended = 0
        self.cancelled = 0

    async def __call__(self, seconds: float) -> float:
        """Work."""
        self.started += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.clock.sleep(seconds)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            await asyncio.sleep(0)  # tidying up takes a while
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
            self.ended += 1
        if seconds in self.fails:
            raise ValueError(f"{seconds} failed")
        return seconds


@given(st.lists(st.integers(0, 9).map(float), max_size=20), st.integers(1, 8), st.booleans())
@settings(deadline=None, max_examples=60)
def test_everything_once_and_never_too_many(durations: list[float], most: int, in_order: bool) -> None:
    """Each argument is worked on once, at most so many at once, and given as it finishes or in order."""
    work = Work()

    async def run() -> list[float]:
        return [one async for one in as_they_come(work, durations, most, in_order=in_order)]

    results = asyncio.run(run())
    assert sorted(results) == sorted(durations)
    assert work.most == min(most, len(durations))
    if in_order:
        assert results == durations
    elif most >= len(durations):
        assert results == sorted(durations)


@pytest.mark.parametrize("in_order", [False, True])
async def test_there_is_no_idling(in_order: bool) -> None:
    """A place that is free is taken at once by the next argument, as far as the results may be held back."""
    work = Work()
    results = as_they_come(work, [1.0] * 20, 4, in_order=in_order)
    assert [one async for one in results] == [1.0] * 20
    assert work.clock.time == 1005.0


@pytest.mark.parametrize("in_order", [False, True])
async def test_arguments_are_taken_as_there_is_room(in_order: bool) -> None:
    """Of an endless source no more is read than is under way: a slow consumer holds it back."""
    taken = 0

    def source() -> Iterator[float]:
        nonlocal taken
        while True:
            taken += 1
            yield 1.0

    work = Work()
    results = as_they_come(work, source(), 3, in_order=in_order)
    assert taken == 0
    for number in range(1, 10):
        await anext(results)
        assert taken <= number + 3
    await results.aclose()
    assert work.running == 0


async def leave(results: AsyncGenerator[float], how: str) -> None:
    """Stop in the middle, in one of the ways in which consumers do."""
    assert await anext(results) == 1.0
    if how == "aclose":
        await results.aclose()
    elif how == "throw":
        with pytest.raises(KeyError):
            await results.athrow(KeyError("consumer"))
    else:
        waiting = asyncio.ensure_future(anext(results))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()


@pytest.mark.parametrize("how", ["aclose", "throw", "cancel"])
@pytest.mark.parametrize("in_order", [False, True])
async def test_a_consumer_that_stops_leaves_nothing_running(how: str, in_order: bool) -> None:
    """When the consumer stops, what is under way is cancelled, and has ended when stopping returns."""
    work = Work()
    before = asyncio.all_tasks()
    await leave(as_they_come(work, [1.0, *[50.0] * 20], 5, in_order=in_order), how)
    assert work.running == 0
    assert work.started == work.ended <= 7
    assert work.cancelled >= 4
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("in_order", [False, True])
async def test_a_failure_stops_the_rest(in_order: bool) -> None:
    """A failure is raised to the consumer; what is under way is cancelled and awaited, and nothing new begins."""
    work = Work(fails=(2.0,))
    results = as_they_come(work, [1.0, 2.0, *[50.0] * 20], 5, in_order=in_order)
    assert await anext(results) == 1.0
    with pytest.raises(ValueError, match=r"2\.0 failed"):
        await anext(results)
    assert work.running == 0
    assert work.started == 6
    assert work.clock.time == 1002.0


async def test_failures_at_the_same_time_are_one_failure() -> None:
    """When several fail at once, one is raised, and the others are no warnings about lost errors."""
    work = Work(fails=(1.0,))
    with pytest.raises(ValueError, match="failed"):
        await anext(as_they_come(work, [1.0] * 5, 5))
    assert work.running == 0


async def later(clock: FakeClock, *arguments: float | Exception, pause: float = 0.0) -> AsyncGenerator[float]:
    """Arguments that must be waited for; an error is raised."""
    for argument in arguments:
        await clock.sleep(pause)
        if isinstance(argument, Exception):
            raise argument
        yield argument


def at_once(*arguments: float | Exception) -> Iterator[float]:
    """The same without a wait."""
    for argument in arguments:
        if isinstance(argument, Exception):
            raise argument
        yield argument


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("in_order", [False, True])
async def test_a_source_that_fails_loses_nothing(in_order: bool, waits: bool) -> None:
    """An error of the arguments' source is raised, after the results of all arguments that came before it."""
    work, arguments = Work(), (50.0, 1.0, 20.0, KeyError("source"), 7.0)
    source = later(work.clock, *arguments) if waits else at_once(*arguments)
    results = as_they_come(work, source, 3, in_order=in_order)
    assert sorted([await anext(results) for _ in range(3)]) == [1.0, 20.0, 50.0]
    with pytest.raises(KeyError):
        await anext(results)
    assert (work.running, work.started) == (0, 3)


@given(st.lists(st.integers(0, 9).map(float), max_size=20), st.integers(1, 8), st.booleans(), st.sampled_from([0, 3.0]))
@settings(deadline=None, max_examples=60)
def test_everything_once_from_a_source_that_waits(
    durations: list[float], most: int, in_order: bool, pause: float
) -> None:
    """An asynchronous source gives its arguments when it has them: each is worked on once, at most so many at once."""
    work = Work()

    async def run() -> list[float]:
        source = later(work.clock, *durations, pause=pause)
        return [one async for one in as_they_come(work, source, most, in_order=in_order)]

    results = asyncio.run(run())
    assert sorted(results) == sorted(durations)
    assert work.most <= most
    if in_order:
        assert results == durations
    assert work.clock.time <= 1000.0 + pause * (len(durations) + 1) + sum(durations)


async def test_results_do_not_wait_for_the_source() -> None:
    """What is finished is given while the source has nothing new yet."""
    work = Work()
    results = as_they_come(work, later(work.clock, 1.0, 1.0, 1.0, pause=100.0), 2)
    assert [work.clock.time async for _ in results] == [1101.0, 1201.0, 1301.0]


async def test_a_source_that_never_gives_anything_is_left() -> None:
    """A consumer that stops while the source is waited for cancels that, and the source has ended."""
    ended = False

    async def source() -> AsyncGenerator[float]:
        nonlocal ended
        try:
            yield 1.0
            await asyncio.Event().wait()
        finally:
            ended = True

    work = Work()
    before = asyncio.all_tasks()
    await leave(as_they_come(work, source(), 3), "cancel")
    assert ended
    assert work.running == 0
    assert asyncio.all_tasks() == before


async def test_an_endless_source_that_waits_is_held_back() -> None:
    """Of an endless asynchronous source no more is read than is under way."""
    work = Work()
    source = later(work.clock, *[1.0] * 1000)
    results = as_they_come(work, source, 3)
    for number in range(1, 10):
        await anext(results)
        assert work.started <= number + 3
    await results.aclose()
    assert work.running == 0
    await source.aclose()


async def test_nothing_to_do() -> None:
    """No arguments, no results."""
    assert [one async for one in as_they_come(Work(), [], 3)] == []
