"""Sessions in bulk, over real sockets: many by ID, lists in windows, waiting and watching."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import frozen

from g2a_async import (
    ClientClosedError,
    G2AClient,
    NotFoundError,
    RetryPolicy,
    ServerError,
    SessionChange,
    SessionStatus,
    Settings,
)
from g2a_async.emulator import Emulator, EmulatorClock

NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SOON = 0.01
LIST, GET = "GET /sessions", "GET /sessions/{sessionId}"


@frozen
class Desk:
    """A service and a client of it."""

    emulator: Emulator
    client: G2AClient

    def session(self, status: str = "waiting", **more: Any) -> str:
        """A new session; its ID."""
        added = self.emulator.state.add_session(status=status, **more)
        assert added.session_id is not None
        return added.session_id

    def turn(self, session_id: str, status: str) -> None:
        """The session goes on."""
        found = self.emulator.state.find_session(session_id)
        assert found is not None
        self.emulator.state.set_status(found, status)

    def asked(self, call: str) -> int:
        """How often."""
        return self.emulator.journal.count(call)

    async def lists(self, number: int) -> None:
        """Until the list was asked for so often again."""
        enough = self.asked(LIST) + number
        while self.asked(LIST) < enough:  # noqa: ASYNC110  the emulator has no event for it
            await asyncio.sleep(0.001)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """An empty account, and a client without a quota that repeats nothing."""
    async with _desk() as made:
        yield made


@asynccontextmanager
async def _desk(clock: EmulatorClock | None = None) -> AsyncIterator[Desk]:
    async with Emulator(clock=clock) as emulator:
        settings = Settings(base_url=emulator.url, requests_per_second=None, retry=RetryPolicy.none())
        async with G2AClient(emulator.access_token, settings=settings) as client:
            yield Desk(emulator, client)


# --- many by ID


async def test_many_come_each_with_its_own_outcome(desk: Desk) -> None:
    """Each session comes once, and one that is not there is an outcome among the others."""
    ids = [desk.session() for _ in range(30)]
    outcomes = [outcome async for outcome in desk.client.sessions.get_many([*ids, "1", ""], concurrency=7)]
    good = {outcome.key: outcome.value.session_id for outcome in outcomes if outcome.value is not None}
    assert good == {one: one for one in ids}
    assert {outcome.key: type(outcome.error) for outcome in outcomes if outcome.key == "1"} == {"1": NotFoundError}
    assert len(outcomes) == 32


async def test_many_takes_ids_as_there_is_room_and_stops_at_once(desk: Desk) -> None:
    """IDs are taken as they are needed, and a consumer that stops leaves nothing running and nothing asked."""
    taken: list[str] = []

    def ids() -> Iterator[str]:
        while True:
            taken.append(desk.session())
            yield taken[-1]

    results = desk.client.sessions.get_many(ids(), concurrency=3)
    await anext(results)
    await results.aclose()
    assert len(taken) <= 7
    asked = desk.asked(GET)
    await asyncio.sleep(0.02)
    assert desk.asked(GET) == asked <= 7


# --- lists in windows


@pytest.mark.parametrize("window", [None, HOUR, timedelta(minutes=7), timedelta(days=2)])
async def test_a_list_in_windows_is_the_list(desk: Desk, window: timedelta | None) -> None:
    """Every session of the range, once each and in order, though many fall on where two windows meet."""
    for minute in range(-60, 13 * 60, 30):
        desk.session("complete", started_at=NOON + timedelta(minutes=minute))
    whole = await desk.client.sessions.list(NOON, NOON + 12 * HOUR).collect()
    assert len(whole) == 25
    requests = desk.asked(LIST)
    assert await desk.client.sessions.list(NOON, NOON + 12 * HOUR, window=window).collect() == whole
    assert desk.asked(LIST) - requests == (1 if window is None else -(-12 * HOUR // window))


async def test_a_consumer_that_stops_early_stops_the_windows(desk: Desk) -> None:
    """Of many windows only those are fetched that are needed, and a few ahead."""
    desk.session("complete", started_at=NOON)
    assert await desk.client.sessions.list(NOON, NOON + 100 * HOUR, window=HOUR).first() is not None
    await asyncio.sleep(0.02)
    assert desk.asked(LIST) <= 9


# --- waiting


async def test_a_session_is_waited_for_by_its_token() -> None:
    """`start` gives a token, which `wait` takes: the list tells whose it is, so that nothing is looked up."""
    clock = EmulatorClock(frozen=True)
    async with _desk(clock) as desk:
        started = await desk.client.sessions.start(customer_name="Ada")
        assert started.session_token is not None
        task = asyncio.create_task(
            desk.client.sessions.wait(started.session_token, until={"active"}, interval=SOON, timeout=5)
        )
        await desk.lists(2)
        clock.advance(1.5)
        assert (await task).status == "active"
        assert desk.asked(GET) == 0


async def test_a_wait_ends_with_the_session(desk: Desk) -> None:
    """By default, `wait` gives the session once it has ended; that it has is told by one list call."""
    session = desk.session("complete")
    assert (await desk.client.sessions.wait(session)).session_id == session
    assert len(desk.emulator.journal) == 1


async def test_a_wait_for_what_does_not_come(desk: Desk) -> None:
    """Another end, or none in time, is a TimeoutError that says which; and so is a session that vanishes."""
    ended, running = desk.session("abandoned"), desk.session()
    sessions = desk.client.sessions
    with pytest.raises(TimeoutError, match="ended as 'abandoned'"):
        await sessions.wait(ended, until={"active"}, timeout=5)
    with pytest.raises(TimeoutError, match="1 of 1"):
        await sessions.wait(running, interval=SOON, timeout=0.03)
    waiting = asyncio.create_task(sessions.wait(running, interval=SOON, timeout=5))
    await desk.lists(2)
    gone = desk.emulator.state.find_session(running)
    assert gone is not None
    desk.emulator.state.remove_session(gone)
    with pytest.raises(TimeoutError, match="'waiting'"):
        await waiting


async def test_a_wait_for_a_status_that_is_new(desk: Desk) -> None:
    """A status that this version does not know can be waited for, where it is told to be one."""
    session = desk.session("onHold")
    assert (await desk.client.sessions.wait(session, until=[SessionStatus("onHold")])).status == "onHold"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"interval": 0}, "interval"),
        ({"interval": float("nan")}, "interval"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": -5.0}, "timeout"),
        ({"until": "complete"}, "until"),
        ({"until": []}, "until must name"),
        ({"until": {"complete", "completed"}}, "'completed'; there are waiting, active, complete"),
    ],
)
async def test_a_wait_that_cannot_work_is_refused(desk: Desk, wrong: dict[str, Any], named: str) -> None:
    """A bad number of seconds, or what is no status or no list of them, is a ValueError, and nothing is sent."""
    with pytest.raises(ValueError, match=named):
        await desk.client.sessions.wait("1", **wrong)
    assert len(desk.emulator.journal) == 0


async def test_fifty_waits_are_one_list_call_a_tick(desk: Desk) -> None:
    """50 waits on one client, and on those made from it by `with_settings`, cost what one costs."""
    ids = [desk.session() for _ in range(50)]
    clients = [desk.client, desk.client.with_settings(deadline=30.0)]
    tasks = [
        asyncio.create_task(clients[number % 2].sessions.wait(one, interval=SOON, timeout=20))
        for number, one in enumerate(ids)
    ]
    await desk.lists(3)
    for one in ids:
        desk.turn(one, "complete")
    asked = desk.asked(LIST)
    ended = await asyncio.gather(*tasks)
    assert [one.session_id for one in ended] == ids
    assert desk.asked(LIST) - asked <= 2
    assert desk.asked(GET) == 0


# --- watching


async def test_a_watch_tells_what_happens(desk: Desk) -> None:
    """Statuses come in order with what was before, new sessions join, and ended ones leave."""
    first = desk.session()
    changes = desk.client.sessions.watch(interval=SOON, timeout=20)
    seen: list[SessionChange] = [await anext(changes)]
    desk.turn(first, "active")
    seen.append(await anext(changes))
    second = desk.session(started_at=datetime.now(UTC))
    seen.append(await anext(changes))
    desk.turn(first, "complete")
    seen.append(await anext(changes))
    desk.turn(second, "onHold")
    seen.append(await anext(changes))
    await changes.aclose()
    assert [(one.session.session_id, one.session.status, one.session.status.is_known) for one in seen] == [
        (first, "waiting", True),
        (first, "active", True),
        (second, "waiting", True),
        (first, "complete", True),
        (second, "onHold", False),
    ]
    assert [one.previous and one.previous.status for one in seen] == [None, "waiting", None, "active", "waiting"]


async def test_a_watch_survives_the_service(desk: Desk) -> None:
    """500s, resets, cut answers and 429s between two ticks are not told; what changes meanwhile is."""
    session = desk.session()
    changes = desk.client.sessions.watch([session], interval=SOON, timeout=20)
    assert (await anext(changes)).session.status == "waiting"
    faults = desk.emulator.faults
    faults.add(LIST, status=500, times=2)
    faults.add(LIST, kind="reset", times=1)
    faults.add(LIST, kind="truncate", times=1)
    desk.turn(session, "complete")
    assert [change.session.status async for change in changes] == ["complete"]
    assert desk.asked(LIST) == 6


async def test_trouble_is_told_when_the_time_is_over(desk: Desk) -> None:
    """A service that fails all the time is what a watch's TimeoutError comes from."""
    desk.emulator.faults.add(LIST, status=503, times=10_000)
    with pytest.raises(TimeoutError) as caught:
        await desk.client.sessions.wait(desk.session(), interval=SOON, timeout=0.04)
    assert isinstance(caught.value.__cause__, ServerError)


async def test_a_refused_range_is_sliced(desk: Desk) -> None:
    """A service that answers 400 to a day is asked for half days; both ends meet, and the newest end is open."""
    sessions = [desk.session("complete", started_at=datetime.now(UTC) - hours * HOUR) for hours in (1, 23)]
    desk.emulator.faults.add(LIST, status=400, times=1)
    changes = [change async for change in desk.client.sessions.watch(sessions, timeout=20)]
    assert {change.session.session_id for change in changes} == set(sessions)
    ranges = [dict(entry.query) for entry in desk.emulator.journal.of(LIST)]
    assert len(ranges) == 3
    assert ranges[1]["fromTime"] == ranges[0]["fromTime"]
    assert ranges[1]["toTime"] == ranges[2]["fromTime"]
    assert "toTime" not in ranges[2]


async def test_a_deadline_is_kept_while_the_service_hangs(desk: Desk) -> None:
    """A list call that hangs does not hold up the end of the watch, and is not left running."""
    desk.emulator.faults.add(LIST, kind="slow", seconds=30.0)
    with pytest.raises(TimeoutError, match="1 of 1"):
        await asyncio.wait_for(desk.client.sessions.wait(desk.session(), timeout=0.04), 5)
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "g2a-poll"] == []


async def test_a_client_that_is_closed_ends_its_watches(desk: Desk) -> None:
    """The next tick after `aclose` is a ClientClosedError, not an endless wait."""
    changes = desk.client.sessions.watch([desk.session()], interval=SOON, timeout=20)
    await anext(changes)
    await desk.client.aclose()
    with pytest.raises(ClientClosedError):
        await anext(changes)


def test_one_client_watches_in_two_loops() -> None:
    """Two `asyncio.run` on one client each have a poll of their own, though the first was left in the middle."""
    with Emulator() as emulator:
        session = emulator.state.add_session(status="waiting")
        client = G2AClient(emulator.access_token, settings=Settings(base_url=emulator.url))

        async def first() -> str:
            return (await anext(client.sessions.watch(interval=SOON, timeout=20))).session.session_id

        assert asyncio.run(first()) == asyncio.run(first()) == session.session_id
        asyncio.run(client.aclose())
