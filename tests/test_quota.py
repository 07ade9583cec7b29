"""The quota: never more than the service allows, hardly less, and nobody is forgotten."""

import asyncio
import gc
import itertools
import random
from collections.abc import Callable
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tools.clock import FakeClock

from g2a_async.clock import SystemClock
from g2a_async.quota import Quota, shared_quota

SEEDS = st.integers(0, 2**32)
WINDOW = 1.0
ALLOWED = 10
RATE = 9.0
JITTER = 0.08


def most_in_a_window(times: list[float]) -> int:
    """How many of these the service sees in its worst second."""
    times = sorted(times)
    return max(sum(start <= time < start + WINDOW for time in times[index:]) for index, start in enumerate(times))


def give_back(quota: Quota) -> None:
    """Say that a turn was not used, as a call does whose deadline comes before it has a connection."""
    getattr(quota, "give_back", bool)()


async def settle() -> None:
    """Let everything that can run do so, without any time passing."""
    for _ in range(20):
        await asyncio.sleep(0)


async def in_order(
    quota: Quota, lanes: str, *, after: Callable[[], None] = lambda: None, cancel: tuple[int, ...] = ()
) -> list[tuple[int, float]]:
    """Queue calls behind one that goes at once (i: interactive, b: bulk); which left when, those cancelled left out."""
    clock = quota._clock
    left: list[tuple[int, float]] = []

    async def one(number: int, lane: str) -> None:
        await (quota.acquire_bulk() if lane == "b" else quota.acquire())
        left.append((number, clock.monotonic()))

    await quota.acquire()
    tasks = [asyncio.ensure_future(one(number, lane)) for number, lane in enumerate(lanes)]
    await asyncio.sleep(0)
    for number in cancel:
        tasks[number].cancel()
    after()
    await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    return left


@given(SEEDS)
@settings(deadline=None, max_examples=60)
def test_the_service_never_sees_too_many(seed: int) -> None:
    """Bursts, gaps, both lanes, cancelled waits, late timers, a late network: never more than 10 in any second."""
    chance = random.Random(seed)
    lateness = chance.choice([0.0, 0.003, 0.02])
    clock = FakeClock(late=lambda: chance.uniform(0, lateness))
    quota = Quota(RATE, clock=clock)
    arrived: list[float] = []

    async def one(start: float, *, bulk: bool) -> None:
        await clock.sleep(start)
        await (quota.acquire_bulk() if bulk else quota.acquire())
        arrived.append(clock.monotonic() + chance.uniform(0, JITTER))

    async def run() -> None:
        starts = [
            begin + chance.choice([0.0, chance.uniform(0, 3)])
            for begin in [chance.uniform(0, 12) for _ in range(4)]
            for _ in range(chance.randrange(1, 25))
        ]
        tasks = [asyncio.ensure_future(one(start, bulk=chance.random() < 0.5)) for start in starts]
        doomed = chance.sample(tasks, len(tasks) // 8)
        await clock.sleep(chance.uniform(0, 14))
        for task in doomed:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(not task.cancelled() for task in tasks) == len(arrived)

    asyncio.run(run())
    assert most_in_a_window(arrived) <= ALLOWED


@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_the_pace_is_kept(seed: int) -> None:
    """Two hundred calls at once leave at 8.5 a second or more, also with timers that are up to 15 ms late."""
    chance = random.Random(seed)
    clock = FakeClock(late=lambda: chance.uniform(0, 0.015))
    quota = Quota(RATE, clock=clock)

    async def run() -> list[tuple[int, float]]:
        return await in_order(quota, "".join(chance.choice("ib") for _ in range(200)))

    times = [time for _, time in asyncio.run(run())]
    assert len(times) == 200
    assert len(times) / (times[-1] - 1000.0) >= 8.5


async def test_one_call_alone_goes_at_once() -> None:
    """A call that finds the quota unused does not wait, and neither does one after a pause."""
    clock = FakeClock()
    quota = Quota(RATE, clock=clock)
    for _ in range(5):
        await quota.acquire()
        await clock.sleep(1.0)
    assert clock.sleeps == [1.0] * 5


async def test_a_pause_earns_nothing() -> None:
    """After a long silence a burst is paced as ever: nothing was saved up."""
    clock = FakeClock()
    quota = Quota(RATE, clock=clock)
    await quota.acquire()
    await clock.sleep(3600)
    start = clock.time
    times = [time - start for _, time in await in_order(quota, "i" * 20)]
    assert times == pytest.approx([(number + 1) / RATE for number in range(20)], abs=0.021)


@pytest.mark.parametrize("lanes", ["i" * 30, "b" * 30])
async def test_first_come_first_served(lanes: str) -> None:
    """Within a lane calls leave in the order in which they came."""
    assert [number for number, _ in await in_order(Quota(RATE, clock=FakeClock()), lanes)] == list(range(30))


async def test_nobody_overtakes_the_queue() -> None:
    """A call that comes when the next turn is free still queues behind those who wait for it."""
    clock = FakeClock()
    quota = Quota(RATE, clock=clock)
    await quota.acquire()
    waiting = asyncio.ensure_future(quota.acquire())
    await asyncio.sleep(0)
    clock.time += 10
    assert not quota.try_acquire()
    await waiting
    assert not quota.try_acquire()
    clock.time += 1
    assert quota.try_acquire()


@given(st.integers(2, 9), st.data())
@settings(deadline=None, max_examples=60)
def test_a_cancelled_wait_costs_nobody_a_turn(count: int, data: st.DataObject) -> None:
    """Head, middle, last or all cancelled: the others leave in order, and as soon as if these had never come."""
    lanes = data.draw(st.text("ib", min_size=count, max_size=count))
    cancel = tuple(data.draw(st.sets(st.integers(0, count - 1))))

    async def run() -> list[tuple[int, float]]:
        return await in_order(Quota(RATE, clock=FakeClock()), lanes, cancel=cancel)

    left = asyncio.run(run())
    assert {number for number, _ in left} == set(range(count)) - set(cancel)
    for lane in "ib":
        mine = [number for number, _ in left if lanes[number] == lane]
        assert mine == sorted(mine)
    assert [time - 1000.0 for _, time in left] == pytest.approx([(n + 1) / RATE for n in range(len(left))], abs=0.021)


async def test_all_cancelled_leaves_the_quota_usable() -> None:
    """When everybody has given up, the next call goes as soon as its turn is there."""
    clock = FakeClock()
    quota = Quota(RATE, clock=clock)
    assert await in_order(quota, "iibb", cancel=(3, 0, 2, 1)) == []
    clock.time += 1
    assert quota.try_acquire()
    assert await in_order(quota, "b")


async def test_a_sleeping_bulk_head_yields_and_comes_back() -> None:
    """Bulk work that slept at the head lets an interactive call pass; if that gives up, bulk loses no time by it."""
    clock = FakeClock()
    quota = Quota(RATE, clock=clock)
    await quota.acquire()
    bulk = asyncio.ensure_future(quota.acquire_bulk())
    await asyncio.sleep(0)
    passing = asyncio.ensure_future(quota.acquire())
    await asyncio.sleep(0)
    passing.cancel()
    await bulk
    assert clock.time - 1000.0 == pytest.approx(1 / RATE, abs=0.021)
    later = asyncio.ensure_future(quota.acquire_bulk())
    await asyncio.sleep(0)
    await quota.acquire()
    assert not later.done()
    await later
    assert clock.time - 1000.0 == pytest.approx(3 / RATE, abs=0.021)


async def test_both_lanes_get_their_share() -> None:
    """While both lanes wait, interactive calls get most turns, and bulk work at least every fifth."""
    lanes = "b" * 40 + "i" * 40
    order = [lanes[number] for number, _ in await in_order(Quota(RATE, clock=FakeClock()), lanes)]
    contended = "".join(order[: order.index("i", 0) + 45])
    assert contended.count("i") >= len(contended) / 2
    for start in range(40):
        assert "b" in order[start : start + 5]
        assert "i" in order[start : start + 5]


async def test_bulk_work_is_not_starved_by_a_stream() -> None:
    """Interactive calls that never stop coming do not keep bulk work out."""
    clock = FakeClock()
    quota = Quota(RATE, clock=clock)
    over = False

    async def stream() -> None:
        while not over:
            await quota.acquire()

    streams = [asyncio.ensure_future(stream()) for _ in range(3)]
    await settle()
    for _ in range(5):
        start = clock.time
        await quota.acquire_bulk()
        assert clock.time - start <= 6 / RATE + 0.01
    over = True
    await asyncio.gather(*streams)


async def test_a_429_stops_everybody_and_then_spreads_them() -> None:
    """After `penalize` nobody leaves for so long, whoever waits already; then they leave apart, and slower."""
    clock = FakeClock()
    quota = Quota(RATE, clock=clock)
    left = await in_order(quota, "iibbi", after=lambda: quota.penalize(7))
    times = [time - 1000.0 for _, time in left]
    assert times[0] >= 7
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert min(gaps) > 1 / RATE
    assert max(gaps) <= 1 / (0.7 * RATE) + 0.001


async def test_a_shorter_penalty_does_not_shorten_a_longer_one() -> None:
    """The longest pause that the service asked for counts."""
    clock = FakeClock()
    quota = Quota(RATE, clock=clock)
    quota.penalize(10)
    quota.penalize(1)
    assert not quota.try_acquire()
    await quota.acquire()
    assert clock.time >= 1010.0


@pytest.mark.parametrize("seconds", [5.0, 1.0, 0.0])
async def test_the_pace_drops_once_for_an_incident_and_recovers(seconds: float) -> None:
    """The 429s of ten calls that were under way are one incident: the pace drops once, and comes back, no higher."""
    clock = FakeClock()
    quota = Quota(RATE, clock=clock)
    for _ in range(10):
        quota.penalize(seconds)
        await clock.sleep(0.005)  # they do not all come in the same instant
    await clock.sleep(seconds)
    assert quota.requests_per_second == pytest.approx(0.7 * RATE, rel=0.01)
    await clock.sleep(5)
    assert 0.7 * RATE < quota.requests_per_second < RATE
    await clock.sleep(60)
    assert quota.requests_per_second == RATE


async def test_the_pace_never_drops_to_nothing() -> None:
    """However often the service says 429, a quarter of the pace is left."""
    clock = FakeClock()
    quota = Quota(RATE, clock=clock)
    for _ in range(50):
        quota.penalize(0.5)
        await clock.sleep(0.6)
    assert RATE / 4 <= quota.requests_per_second < RATE / 2


async def test_a_turn_given_back_does_not_break_a_penalty() -> None:
    """A call that gives its turn back after a 429 does not bring anybody's turn before the end of the pause."""
    clock = FakeClock()
    quota = Quota(RATE, clock=clock)
    await quota.acquire()
    quota.penalize(5)
    give_back(quota)
    await quota.acquire()
    assert clock.time >= 1005.0


async def test_a_turn_given_back_late_does_not_make_a_burst() -> None:
    """A turn that was taken long ago and comes back unused cannot be spent now: the service's window has moved on."""
    clock = FakeClock()
    quota = Quota(RATE, clock=clock)
    for _ in range(5):
        await asyncio.create_task(quota.acquire())
    await clock.sleep(30)
    times = []
    for number in range(15):
        await asyncio.create_task(quota.acquire())
        times.append(clock.time)
        if number < 5:
            give_back(quota)  # one of those of half a minute ago gives up
    assert most_in_a_window(times) <= ALLOWED


async def test_expected_wait_tells_the_truth() -> None:
    """What a new call is told to expect is what it then waits."""
    clock = FakeClock()
    quota = Quota(RATE, clock=clock)
    assert quota.expected_wait() == 0.0
    told: list[float] = []
    left = await in_order(quota, "i" * 10, after=lambda: told.append(quota.expected_wait()))
    assert told[0] == pytest.approx(left[-1][1] - 1000.0 + 1 / RATE, abs=0.03)


def test_one_quota_for_each_credential() -> None:
    """The same key is the same quota; the lowest pace that anybody asked for counts for all; others are apart."""
    key, clock = uuid4().hex, SystemClock()
    quota = shared_quota(key, 9.0, clock)
    assert shared_quota(key, 5.0, clock) is quota
    assert quota.requests_per_second == 5.0
    assert shared_quota(key, 8.0, clock) is quota
    assert quota.requests_per_second == 5.0
    assert shared_quota(uuid4().hex, 9.0, clock) is not quota
    assert shared_quota(key, 9.0, FakeClock()) is not quota


async def test_a_client_for_each_call_shares_the_quota_too() -> None:
    """What a quota knows outlives its clients: making a new one for each call is no way around the pace."""
    key, clock = uuid4().hex, FakeClock()
    for _ in range(19):
        await shared_quota(key, RATE, clock).acquire()
        gc.collect(0)
    assert clock.time - 1000.0 == pytest.approx(18 / RATE, abs=0.021)
