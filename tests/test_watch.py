"""A watch sees every status in order and once, at the price of one list call a tick."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tools.account import TICK, Account, told

from g2a_async import (
    ConnectError,
    DecodeError,
    ForbiddenError,
    G2AError,
    NotFoundError,
    RateLimitedError,
    ServerError,
    UnauthorizedError,
)

LIFE = ("waiting", "active", "complete")
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


async def test_trouble_that_lasts_is_told_when_the_time_is_over() -> None:
    """A watch that could never ask ends as a TimeoutError that says what was in the way."""
    account = Account(a=LIFE)
    trouble = ServerError(503)
    account.fails = dict.fromkeys(range(100), trouble)
    with pytest.raises(TimeoutError) as caught:
        _ = [change async for change in account.watch(["a"], timeout=60)]
    assert caught.value.__cause__ is trouble


@pytest.mark.parametrize("error", [UnauthorizedError(401), DecodeError("$", "text"), NotFoundError(404)])
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
    assert [tick for tick, _ in account.lookups] == [0, 1, 3, 7, 15, 31, 63]
    assert {name for _, name in account.lookups} == {"a"}


async def test_a_session_that_leaves_the_list_is_not_lost() -> None:
    """Of a watch of everybody, one that the list holds no more is looked up until it has ended."""
    account = Account(a=("waiting",) * 9 + ("complete",))
    changes = account.watch(None)
    assert (await anext(changes)).session.session_id == "a"
    account.hidden = {"a"}
    assert told([await anext(changes)]) == [("a", "waiting", "complete")]
    await changes.aclose()


async def test_what_only_one_of_list_and_look_up_tells_is_no_change() -> None:
    """What the list tells more, or less, than a look-up is silent when a session goes from one to the other."""
    account = Account(a=("waiting",) * 6 + ("complete",))
    account.more = {"a": {"sessionStartToken": 17}}
    account.hidden = {"a"}
    changes = account.watch(["a"])
    first = (await anext(changes)).session
    account.hidden, account.more = set(), {"a": {"notes": "by the list alone"}}
    last = await anext(changes)
    assert first.session_start_token == "17"
    assert (last.session.status, last.previous and last.previous.notes) == ("complete", "by the list alone")
    await changes.aclose()


async def test_a_look_up_that_failed_is_made_again_soon() -> None:
    """Troubles of a look-up do not count as an answer: when they are over, the next tick or two ask again."""
    account = Account(a=("waiting",) * 30 + ("complete",), b=("waiting",))
    account.hidden = {"a", "b"}
    account.lookup_fails = dict.fromkeys(range(20), ServerError(503))
    changes = account.watch(["a", "b"])
    assert {(await anext(changes)).session.session_id for _ in range(2)} == {"a", "b"}
    assert account.tick <= 22
    assert len(account.lookups) <= 22  # one that fails is enough for a tick
    await changes.aclose()


async def test_a_look_up_that_is_refused_ends_the_watch() -> None:
    """A session that the user may not see is told as that."""
    account = Account(a=LIFE)
    account.hidden, account.lookup_fails = {"a"}, {0: ForbiddenError(403)}
    with pytest.raises(ForbiddenError):
        _ = [change async for change in account.watch(["a"])]


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


@pytest.mark.parametrize("token", [9223372036854775809, "9223372036854775809"])
async def test_a_token_that_the_list_tells_costs_no_look_up(token: Any) -> None:
    """The list's `sessionStartToken` is the name that a session is watched by, as a number or as text."""
    account = Account(a=LIFE, b=LIFE)
    account.more = {"a": {"sessionStartToken": token}, "b": {"sessionStartToken": 5}}
    changes = told([change async for change in account.watch([str(token)])])
    assert changes == [("a", None, "waiting"), ("a", "waiting", "active"), ("a", "active", "complete")]
    assert account.lookups == []


async def test_a_token_and_its_id_are_one_session() -> None:
    """Watched by token and by ID at once, a session is told once."""
    account = Account(a=LIFE)
    account.tokens = {"tok": "a"}
    changes = told([change async for change in account.watch(["a", "tok"])])
    assert changes == [("a", None, "waiting"), ("a", "waiting", "active"), ("a", "active", "complete")]


async def test_a_token_of_a_session_that_has_been_told_is_done_with() -> None:
    """A token that leads to a session whose end was told already ends, too, and tells nothing."""
    account = Account(a=("complete",))
    account.tokens = {"tok": "a"}
    assert told([change async for change in account.watch(["a", "tok"])]) == [("a", None, "complete")]


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
    assert account.clock.monotonic() == 1052.0
    assert account.lookups == []


async def test_what_has_ended_does_not_come_back() -> None:
    """A list that lags behind and tells an ended session as active again is not believed."""
    account = Account(a=("active", "complete", "active", "complete", "complete"))
    changes = told([change async for change in account.watch(None, timeout=30)])
    assert changes == [("a", None, "active"), ("a", "active", "complete")]


@pytest.mark.parametrize("timeout", [0.5, 12.0, 60.0])
async def test_a_watch_ends_in_time(timeout: float) -> None:
    """A watch whose sessions do not end in time is a TimeoutError, when the time is over; it asked once at least."""
    account = Account(a=("waiting",))
    with pytest.raises(TimeoutError, match="1 of 1"):
        _ = [change async for change in account.watch(["a"], timeout=timeout)]
    assert account.clock.monotonic() == 1000.0 + timeout
    assert len(account.listed) == int(timeout // TICK) + 1


async def test_a_watch_ends_within_a_day() -> None:
    """When no time is given, a watch still does not last for ever."""
    account = Account(a=("waiting",))
    with pytest.raises(TimeoutError):
        _ = [change async for change in account.watch(["a"], interval=600.0, timeout=None)]
    assert account.clock.monotonic() <= 1000.0 + 86_400


async def test_a_slow_service_does_not_pile_up_ticks() -> None:
    """Ticks are as far apart as asked for, also where the list takes long: the next one does not wait twice."""
    account = Account(a=("waiting",) * 6 + ("complete",))
    account.latency = lambda: 2.0 if len(account.listed) < 3 else 7.0
    _ = [change async for change in account.watch(["a"], timeout=90)]
    assert [time - 1000.0 for time in account.listed] == [0, 5, 10, 17, 24]


async def test_a_slow_list_leaves_room_for_look_ups() -> None:
    """Where the list takes longer than the interval, those whom it leaves out still have their turn."""
    account = Account(a=("waiting", "waiting", "complete"), b=("complete",))
    account.latency, account.hidden = (lambda: 7.0), {"a", "b"}
    changes = told([change async for change in account.watch(["a", "b"], timeout=90)])
    assert [row for row in changes if row[0] == "b"] == [("b", None, "complete")]
    assert changes[-1] == ("a", "waiting", "complete")


async def test_nobody_to_watch_costs_nothing() -> None:
    """No names, no request."""
    account = Account()
    assert [change async for change in account.watch([])] == []
    assert account.listed == []


@pytest.mark.parametrize("seconds", [0, 0.0, -1, float("nan"), float("inf")])
def test_seconds_that_are_none_are_refused(seconds: float) -> None:
    """An interval or time-out that is no time is a ValueError, when the watch is asked for."""
    account = Account()
    with pytest.raises(ValueError, match="interval"):
        account.watch(["a"], interval=seconds)
    with pytest.raises(ValueError, match="timeout"):
        account.watch(["a"], timeout=seconds)


def test_a_time_without_a_zone_is_refused() -> None:
    """*since* must say when it is."""
    with pytest.raises(ValueError, match="since"):
        Account().watch(["a"], since=datetime(2024, 2, 1))  # noqa: DTZ001
    Account().watch(["a"], since=datetime(2024, 2, 1, tzinfo=UTC))


@pytest.mark.parametrize("names", ["abc", ["a", ""], [".."], [5]])
def test_names_that_are_none_are_refused(names: Any) -> None:
    """One text is not a list of letters, and what is no text names nobody."""
    with pytest.raises(ValueError, match="session_ids"):
        Account().watch(names)
