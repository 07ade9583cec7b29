"""A watch sees every status in order and once, at the price of one list call a tick."""

from collections.abc import AsyncGenerator, Callable, Collection
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tools.clock import EPOCH, FakeClock

from g2a_async import (
    ConnectError,
    DecodeError,
    G2AError,
    NotFoundError,
    RateLimitedError,
    ServerError,
    Session,
    SessionChange,
    SessionStatus,
    UnauthorizedError,
)
from g2a_async.watch import watch

LIFE = ("waiting", "active", "complete")
TICK = 5.0


def session(name: str, status: str, **more: Any) -> Session:
    """A session as the list tells it."""
    return Session(session_id=name, status=SessionStatus(status), **more)


class Account:
    """A service whose sessions have a status at each tick; None where the list does not hold them."""

    def __init__(self, **lives: tuple[str | None, ...]) -> None:
        self.clock = FakeClock()
        self.lives = lives
        self.tokens: dict[str, str] = {}
        self.hidden: set[str] = set()
        self.fails: dict[int, G2AError] = {}
        self.lookup_fails: dict[int, G2AError] = {}
        self.listed: list[float] = []
        self.begins: list[Any] = []
        self.lookups: list[tuple[int, str]] = []

    @property
    def tick(self) -> int:
        """How many ticks are over."""
        return int((self.clock.time - 1000.0) / TICK)

    def now(self, name: str) -> Session | None:
        """The session as it is at this tick."""
        life = self.lives[name]
        status = life[min(self.tick, len(life) - 1)]
        return None if status is None else session(name, status)

    async def listing(self, begin: Any) -> tuple[Session, ...]:
        """The list call."""
        self.listed.append(self.clock.time)
        self.begins.append(begin)
        if self.tick in self.fails:
            raise self.fails[self.tick]
        rows = [self.now(name) for name in self.lives if name not in self.hidden]
        return tuple(row for row in rows if row is not None)

    async def look_up(self, name: str) -> Session:
        """The call for one session."""
        self.lookups.append((self.tick, name))
        if self.tick in self.lookup_fails:
            raise self.lookup_fails[self.tick]
        found = self.now(self.tokens.get(name, name)) if self.tokens.get(name, name) in self.lives else None
        if found is None:
            raise NotFoundError(404)
        return found

    def watch(
        self, names: Collection[str] | None, *, timeout: float | None = 600.0, since: Any = None
    ) -> AsyncGenerator[SessionChange]:
        """A watch of it."""
        return watch(self.listing, self.look_up, self.clock, names, interval=TICK, since=since, timeout=timeout)


def told(changes: list[SessionChange]) -> list[tuple[str, str | None, str]]:
    """What became of whom."""
    return [
        (
            change.session.session_id,
            change.previous.status.value if change.previous else None,
            change.session.status.value,
        )
        for change in changes
    ]


STATUSES = st.sampled_from(["notStarted", "waiting", "active"])
LIVES = st.tuples(st.lists(STATUSES, max_size=6), st.sampled_from(["complete", "abandoned"])).map(
    lambda life: (*life[0], life[1])
)


@given(st.lists(LIVES, min_size=1, max_size=6), st.sets(st.integers(0, 5), max_size=3))
@settings(deadline=None, max_examples=60)
async def test_every_status_in_order_and_once(lives: list[tuple[str, ...]], failing: set[int]) -> None:
    """Each session's changes are told in order, once each, with what was before, for one list call a tick."""
    account = Account(**{f"s{number}": life for number, life in enumerate(lives)})
    account.fails = dict.fromkeys(failing, ServerError(503))
    changes = [change async for change in account.watch(list(account.lives))]
    for name, life in account.lives.items():
        seen = [life[min(tick, len(life) - 1)] for tick in range(20) if tick not in failing]
        steps = [status for index, status in enumerate(seen) if index == 0 or status != seen[index - 1]]
        assert [row[1:] for row in told(changes) if row[0] == name] == list(zip([None, *steps], steps, strict=False))
    ticks = len(account.listed)
    assert account.listed == [1000.0 + TICK * tick for tick in range(ticks)]
    assert account.lookups == []
    end = max(len(life) - 1 for life in lives)
    assert ticks == next(tick for tick in range(end, 20) if tick not in failing) + 1


@pytest.mark.parametrize("error", [ConnectError("x"), ServerError(500), RateLimitedError(429, retry_after=90.0)])
async def test_a_failed_tick_is_repeated(error: G2AError) -> None:
    """The service's troubles do not end a watch: the next tick asks again."""
    account = Account(a=LIFE)
    account.fails = dict.fromkeys(range(1, 4), error)
    assert told([change async for change in account.watch(["a"])]) == [
        ("a", None, "waiting"),
        ("a", "waiting", "complete"),
    ]


@pytest.mark.parametrize("error", [UnauthorizedError(401), DecodeError("$", "text")])
async def test_what_will_not_pass_ends_the_watch(error: G2AError) -> None:
    """An error that the next tick would meet again is raised."""
    account = Account(a=LIFE)
    account.fails = {1: error}
    with pytest.raises(type(error)):
        _ = [change async for change in account.watch(["a"])]
    assert len(account.listed) == 2


async def test_a_session_that_the_list_does_not_hold_is_looked_up() -> None:
    """What the list leaves out is asked for one by one, ever more rarely, until it has ended."""
    account = Account(a=("waiting",) * 40 + ("complete",), b=LIFE)
    account.hidden = {"a"}
    changes = told([change async for change in account.watch(["a", "b"])])
    assert [row for row in changes if row[0] == "a"] == [("a", None, "waiting"), ("a", "waiting", "complete")]
    assert len(account.lookups) <= 8
    assert {name for _, name in account.lookups} == {"a"}


async def test_a_look_up_that_failed_is_made_again_soon() -> None:
    """Troubles of a look-up do not count as an answer: when they are over, the next tick or two ask again."""
    account = Account(a=("waiting",) * 30 + ("complete",))
    account.hidden = {"a"}
    account.lookup_fails = dict.fromkeys(range(20), ServerError(503))
    changes = account.watch(["a"])
    assert (await anext(changes)).session.session_id == "a"
    assert account.tick <= 22
    await changes.aclose()


async def test_a_session_that_is_gone_has_ended() -> None:
    """A 404 for a session that was seen before ends its watch; for one that never was there, it waits."""
    account = Account(a=("waiting", None), b=(None, None, None, "active", "complete"))
    changes = told([change async for change in account.watch(["a", "b"])])
    assert changes == [("a", None, "waiting"), ("b", None, "active"), ("b", "active", "complete")]


async def test_a_token_is_followed_to_its_session() -> None:
    """A session that is watched by its token is told by its ID, once it is there, and leaves the look-ups."""
    account = Account(a=(None, "waiting", "waiting", "active", "active", "complete"))
    account.tokens = {"tok": "a"}
    changes = told([change async for change in account.watch(["tok"])])
    assert changes == [("a", None, "waiting"), ("a", "waiting", "active"), ("a", "active", "complete")]
    assert [name for _, name in account.lookups] == ["tok", "tok"]


async def test_a_token_and_its_id_are_one_session() -> None:
    """Watched by token and by ID at once, a session is told once."""
    account = Account(a=LIFE)
    account.tokens = {"tok": "a"}
    changes = told([change async for change in account.watch(["a", "tok"])])
    assert changes == [("a", None, "waiting"), ("a", "waiting", "active"), ("a", "active", "complete")]


async def test_only_what_is_watched_is_told() -> None:
    """Other sessions of the list are not told, and do not keep the watch going."""
    account = Account(a=LIFE, b=("waiting",))
    assert {row[0] for row in told([change async for change in account.watch(["a"])])} == {"a"}


async def test_everything_is_watched_when_nobody_is_named() -> None:
    """Without names every session is told, new ones too, until the time is over: that is no error."""
    account = Account(a=LIFE, b=(None, None, None, "waiting", "active"))
    changes = told([change async for change in account.watch(None, timeout=52.0)])
    assert changes == [
        ("a", None, "waiting"),
        ("a", "waiting", "active"),
        ("a", "active", "complete"),
        ("b", None, "waiting"),
        ("b", "waiting", "active"),
    ]
    assert account.clock.time <= 1052.0
    assert account.lookups == []


async def test_what_has_ended_does_not_come_back() -> None:
    """A list that lags behind and tells an ended session as active again is not believed."""
    account = Account(a=("active", "complete", "active", "complete", "complete"))
    changes = told([change async for change in account.watch(None, timeout=30)])
    assert changes == [("a", None, "active"), ("a", "active", "complete")]


@pytest.mark.parametrize("timeout", [0.0, 12.0, 60.0])
async def test_a_watch_ends_in_time(timeout: float) -> None:
    """A watch whose sessions do not end in time is a TimeoutError, which comes no later."""
    account = Account(a=("waiting",))
    with pytest.raises(TimeoutError, match="1 of 1"):
        _ = [change async for change in account.watch(["a"], timeout=timeout)]
    assert 1000.0 <= account.clock.time <= 1000.0 + timeout
    assert len(account.listed) == int(timeout // TICK) + 1


async def test_a_watch_ends_within_a_day() -> None:
    """When no time is given, a watch still does not last for ever."""
    account = Account(a=("waiting",))
    with pytest.raises(TimeoutError):
        _ = [change async for change in account.watch(["a"], timeout=None)]
    assert account.clock.time <= 1000.0 + 86_400


async def test_a_slow_service_does_not_pile_up_ticks() -> None:
    """Ticks are as far apart as asked for, also where the list takes long: the next one does not wait twice."""
    account = Account(a=("waiting",) * 6 + ("complete",))
    quick: Callable[[Any], Any] = account.listing

    async def slow(begin: Any) -> Any:
        rows = await quick(begin)
        await account.clock.sleep(2.0 if len(account.listed) < 3 else 7.0)
        return rows

    _ = [c async for c in watch(slow, account.look_up, account.clock, ["a"], interval=TICK, since=None, timeout=90)]
    assert [time - 1000.0 for time in account.listed] == [0, 5, 10, 17, 24, 31]


async def test_the_list_begins_where_it_must() -> None:
    """The list goes back a day, or as far as asked; then only as far as the oldest session that still runs."""
    account = Account(a=("waiting", "active", "complete"))
    started = EPOCH + timedelta(minutes=3)
    account.now = lambda name: session(name, LIFE[min(account.tick, 2)], started_at=started)  # type: ignore[method-assign]
    _ = [change async for change in account.watch(["a"])]
    assert account.begins == [EPOCH + timedelta(seconds=1000) - timedelta(days=1), started, started]
    account = Account(a=("complete",))
    _ = [change async for change in account.watch(["a"], since=EPOCH)]
    assert account.begins == [EPOCH]


async def test_nobody_to_watch_costs_nothing() -> None:
    """No names, no request; an interval that is none is refused."""
    account = Account()
    assert [change async for change in account.watch([])] == []
    assert account.listed == []
    with pytest.raises(ValueError, match="interval"):
        await anext(watch(account.listing, account.look_up, account.clock, ["a"], interval=0, since=None, timeout=1))
