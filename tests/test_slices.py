"""Session lists in slices of time, while sessions come, start, end and go."""

import asyncio
import gc
import random
from contextlib import aclosing
from datetime import timedelta

import pytest
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from tools.clock import EPOCH, FakeClock

from g2a_async import Session, SessionStatus
from g2a_async.windows import Window, cut, each_once

HOUR = timedelta(hours=1)


@define
class Desk:
    """An account whose sessions are listed under their start; under their creation while they have none."""

    random: random.Random
    changes: float = 0.0
    """How many things happen at a request, on average."""
    clock: FakeClock = field(factory=FakeClock)
    rows: dict[str, Session] = field(factory=dict)
    windows: list[Window] = field(factory=list)
    open: int = 0
    most_open: int = 0

    def add(self, hours: float, status: str) -> None:
        """A session that was made so many hours ago, on the hour as often as not."""
        time = self.clock.now() - hours * HOUR
        if self.random.random() < 0.5:
            time = time.replace(minute=0, second=0, microsecond=0)
        name = str(len(self.rows))
        self.rows[name] = Session(session_id=name, status=SessionStatus(status), started_at=time)

    def happen(self) -> None:
        """One that waits starts, one that runs ends, or one comes."""
        while self.changes > self.random.random() * 2:
            name = self.random.choice([*self.rows])
            row = self.rows[name]
            if row.status == "notStarted":
                self.rows[name] = Session(
                    session_id=name, status=SessionStatus.ACTIVE, started_at=self.clock.now().replace(microsecond=0)
                )
            elif row.status == "active":
                self.rows[name] = Session(session_id=name, status=SessionStatus.COMPLETE, started_at=row.started_at)
            elif self.random.random() < 0.3:
                self.add(self.random.random() * 24, "complete")
            if self.random.random() < 0.3:
                break

    async def fetch(self, window: Window) -> list[Session]:
        """The list as it is when it is made, which may be long after it was asked for; both ends count."""
        self.windows.append(window)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        await self.clock.sleep(self.random.random() * 20)
        self.happen()
        start, end = window
        rows = [row for row in self.rows.values() if row.started_at is not None and start <= row.started_at <= end]
        await self.clock.sleep(self.random.random() * 20)
        self.open -= 1
        return rows

    async def walk(self, whole: Window, length: timedelta) -> list[str]:
        """The IDs that a list in slices gives."""
        slices = cut(whole, length)
        return [row.session_id async for items in each_once(self.fetch, slices, self.clock.now()) for row in items]


def desk(seed: int, changes: float, count: int = 40) -> Desk:
    """An account of the last 24 hours."""
    made = Desk(random.Random(seed), changes)
    for _ in range(count):
        made.add(made.random.random() * 24, made.random.choice(["notStarted", "notStarted", "active", "complete"]))
    return made


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 1.5]), st.sampled_from([20, 30, 60, 61, 240, 3000]))
@settings(deadline=None, max_examples=100)
async def test_each_session_once_while_they_move(seed: int, changes: float, minutes: int) -> None:
    """Sessions that start meanwhile move to the present: they and all others are given once, and none is lost."""
    account = desk(seed, changes)
    now = account.clock.now().replace(microsecond=0)
    lasting = {*account.rows}
    found = await account.walk((now - 25 * HOUR, now + HOUR), timedelta(minutes=minutes))
    assert len(found) == len(set(found))
    assert lasting <= {*found}


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=100)
async def test_each_session_once_while_the_present_moves_on(seed: int) -> None:
    """Slices of seconds, of which one after the other is the present: none slips between two of them."""
    account = desk(seed, 1.0, count=0)
    now, second = account.clock.now(), timedelta(seconds=1)
    for number in range(12):
        name, start = str(number), now - account.random.randrange(15) * second
        account.rows[name] = Session(session_id=name, status=SessionStatus.NOT_STARTED, started_at=start)
    found = await account.walk((now - 25 * second, now + 300 * second), 10 * second)
    assert len(found) == len(set(found))
    assert {str(number) for number in range(12)} <= {*found}


async def test_slices_of_the_past_are_asked_for_ahead() -> None:
    """Up to four of them are under way; those that reach the present come after all others."""
    account = desk(1, 0.0)
    now = account.clock.now().replace(minute=0, second=0, microsecond=0)
    await account.walk((now - 24 * HOUR, now + HOUR), HOUR)
    assert account.most_open == 4
    assert [*account.windows] == cut((now - 24 * HOUR, now + HOUR), HOUR)


async def test_what_was_given_is_not_held() -> None:
    """However many slices there are, no more records are in memory than those of the few that are under way."""
    now = EPOCH

    async def fetch(window: Window) -> list[Session]:
        number = (window[0] - now) // HOUR
        return [
            Session(session_id=str(100 * number + one), status=SessionStatus.COMPLETE, notes="held?")
            for one in range(100)
        ]

    most = number = 0
    async with aclosing(each_once(fetch, cut((now - 50 * HOUR, now), HOUR), now)) as answers:
        async for items in answers:
            number += len(items)
            del items
            if number % 1000 == 0:
                most = max(most, sum(isinstance(one, Session) and one.notes == "held?" for one in gc.get_objects()))
    assert number == 5000
    assert 0 < most <= 600


@pytest.mark.parametrize("hours", [-3, 3])
async def test_a_consumer_that_stops_leaves_nothing_running(hours: int) -> None:
    """In the past or at the present: what is under way is cancelled, and has ended."""
    account = desk(1, 0.0)
    now = account.clock.now()
    before = asyncio.all_tasks()
    async with aclosing(each_once(account.fetch, cut((now - 9 * HOUR, now + hours * HOUR), HOUR), now)) as answers:
        async for _ in answers:
            break
    assert asyncio.all_tasks() == before
