"""What a watch asks the list call for, and what it makes of the answer."""

import itertools
from datetime import timedelta
from typing import Any

import pytest
from tools.account import Account, told
from tools.clock import EPOCH

from g2a_async import DecodeError, G2AError, ServerError

LIFE = ("waiting", "active", "complete")
DAY = timedelta(days=1)


async def test_the_list_begins_where_it_must() -> None:
    """The list goes back a day, or as far as asked; then only as far as the oldest session that still runs."""
    started = EPOCH + timedelta(minutes=3)
    account = Account(a=LIFE, b=(*LIFE, *LIFE[1:]))
    account.more = {"a": {"startedAt": started.isoformat()}, "b": {"startedAt": (started + DAY / 24).isoformat()}}
    _ = [change async for change in account.watch(["a", "b"])]
    day_ago = EPOCH + timedelta(seconds=1000) - DAY
    assert account.ranges == [(begin, None) for begin in [day_ago, started, started]]
    account = Account(a=("complete",))
    _ = [change async for change in account.watch(["a"], since=EPOCH - 3 * DAY)]
    assert account.ranges == [(EPOCH - 3 * DAY, None)]


async def test_the_list_goes_back_for_an_old_session() -> None:
    """A session that began before the range is in the list as soon as a look-up has told when it began."""
    account = Account(a=("active",) * 9 + ("complete",))
    account.more = {"a": {"startedAt": (EPOCH - 5 * DAY).isoformat()}}
    changes = [change async for change in account.watch(["a"])]
    assert told(changes) == [("a", None, "active"), ("a", "active", "complete")]
    assert len(account.lookups) == 1
    assert {begin for begin, _ in account.ranges[1:]} == {EPOCH - 5 * DAY}


async def test_a_watch_of_everybody_leaves_what_has_ended_behind() -> None:
    """With everybody watched, the range moves on to the oldest session that runs, but no nearer than a day."""
    account = Account(old=("waiting", "complete"), older=("complete",), new=("active",))
    for name, days in {"old": 5, "older": 6, "new": 0}.items():
        account.more[name] = {"startedAt": (EPOCH - days * DAY).isoformat()}
    changes = account.watch(None, since=EPOCH - 9 * DAY)
    assert sorted(told([await anext(changes) for _ in range(4)]), key=str) == [
        ("new", None, "active"),
        ("old", "waiting", "complete"),
        ("old", None, "waiting"),
        ("older", None, "complete"),
    ]
    account.lives["late"] = ("waiting",)
    account.more["late"] = {"startedAt": (EPOCH - DAY / 2).isoformat()}
    assert told([await anext(changes)]) == [("late", None, "waiting")]
    assert [(EPOCH - begin) / DAY for begin, _ in account.ranges] == [9, 5, 1]
    await changes.aclose()


async def test_a_session_without_a_start_keeps_the_range() -> None:
    """Nobody knows where one that was never started falls, so the range that held it stays, until it ends."""
    account = Account(a=("notStarted", "notStarted", "notStarted", "abandoned"), b=("complete",))
    account.more["b"] = {"startedAt": EPOCH.isoformat()}
    since = EPOCH - 3 * DAY
    _ = [change async for change in account.watch(None, since=since, timeout=27.0)]
    assert [begin for begin, _ in account.ranges] == [since] * 4 + [EPOCH - DAY] * 2


async def test_a_range_that_is_refused_is_sliced_from_then_on() -> None:
    """A 400 halves the range until the service takes it; all ticks after ask for such slices, and nothing is lost."""
    account = Account(a=LIFE, b=(None, "active", "complete"))
    account.more = {"a": {"startedAt": (EPOCH - DAY / 2).isoformat()}, "b": {"startedAt": EPOCH.isoformat()}}
    account.longest = 9 * 3600
    changes = told([change async for change in account.watch(None, timeout=14.0, since=EPOCH - DAY)])
    assert [row for row in changes if row[0] == "a"] == [
        ("a", None, "waiting"),
        ("a", "waiting", "active"),
        ("a", "active", "complete"),
    ]
    assert [row for row in changes if row[0] == "b"] == [("b", None, "active"), ("b", "active", "complete")]
    good = [(begin, end or EPOCH) for begin, end in account.ranges[-5:]]
    assert len(account.ranges) <= 1 + 3 + 3 * 5
    assert good[0][0] == EPOCH - DAY
    assert all(before[1] == after[0] for before, after in itertools.pairwise(good))
    assert account.ranges[-1][1] is None


async def test_a_range_that_is_not_refused_is_not_sliced() -> None:
    """Where the service takes it, a range of a year is one request."""
    account = Account(a=("complete",))
    account.more = {"a": {"startedAt": (EPOCH - 300 * DAY).isoformat()}}
    _ = [change async for change in account.watch(["a"], since=EPOCH - 365 * DAY)]
    assert account.ranges == [(EPOCH - 365 * DAY, None)]


async def test_a_service_that_refuses_every_range_is_believed() -> None:
    """A 400 that is not about the range is raised after a few halvings."""
    account = Account(a=LIFE)
    account.longest = 0.0
    with pytest.raises(G2AError):
        _ = [change async for change in account.watch(["a"])]
    assert len(account.ranges) <= 40
    account.longest = None
    account.ranges.clear()
    _ = [change async for change in account.watch(["a"])]
    assert [end for _, end in account.ranges] == [None] * 3


SHAPES: dict[str, Any] = {
    "bare": lambda rows: rows,
    "null": lambda rows: rows or None,
    "under another name": lambda rows: {"count": len(rows), "items": rows},
    "numbers": lambda rows: {"sessions": [row | {"sessionId": int(row["sessionId"])} for row in rows]},
    "nothing but a total": lambda rows: {"totalNumSessions": 0} if not rows else {"sessions": rows},
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_list_comes_in_any_shape(shape: str) -> None:
    """Bare, wrapped and empty lists are read as everywhere else, and numbers are IDs too."""
    account = Account(**{"99999999999999999999": (None, *LIFE)})
    account.wrap = SHAPES[shape]
    account.lookup_fails = dict.fromkeys(range(9), ServerError(503))
    changes = told([change async for change in account.watch(["99999999999999999999"])])
    assert [row[2] for row in changes] == [*LIFE]


BROKEN: dict[str, Any] = {
    "$.sessions": lambda rows: {"sessions": "none"},
    "$": lambda rows: "none",
    "$.sessions[1].status": lambda rows: {"sessions": [rows[0], rows[1] | {"status": 5}]},
    "$.sessions[1].sessionId": lambda rows: {"sessions": [rows[0], {"status": "active"}]},
    "$.sessions[1]": lambda rows: {"sessions": [rows[0], None]},
}


@pytest.mark.parametrize("path", BROKEN)
async def test_a_list_that_cannot_be_read_is_a_decode_error(path: str) -> None:
    """It says where, and ends the watch."""
    account = Account(a=LIFE, b=LIFE)
    account.wrap = BROKEN[path]
    with pytest.raises(DecodeError) as caught:
        _ = [change async for change in account.watch(["b"])]
    assert (caught.value.path, caught.value.operation) == (path, "sessions.list")


async def test_somebody_elses_session_that_cannot_be_read_does_no_harm() -> None:
    """Only sessions that are watched are looked at."""
    account = Account(a=LIFE, b=LIFE)
    account.wrap = lambda rows: [rows[0] | {"startedAt": "yesterday"}, rows[1]]
    assert len([change async for change in account.watch(["b"])]) == 3


async def test_a_session_that_the_list_has_twice_is_one() -> None:
    """Told twice in one answer, in the same words or in others, each status is given once."""
    account = Account(a=LIFE)
    account.wrap = lambda rows: rows + rows + [row | {"status": "complete"} for row in rows if account.tick == 1]
    assert [row[1:] for row in told([change async for change in account.watch(["a"])])] == [
        (None, "waiting"),
        ("waiting", "active"),
        ("active", "complete"),
    ]


async def test_the_order_of_the_list_does_not_matter() -> None:
    """The same sessions in another order, or their attributes in another, are no change."""
    account = Account(a=("waiting",), b=("active",))
    account.wrap = lambda rows: [
        dict(sorted(row.items(), reverse=account.tick % 2 == 0)) for row in (rows if account.tick % 3 else rows[::-1])
    ]
    changes = [change async for change in account.watch(None, timeout=60)]
    assert sorted(told(changes)) == [("a", None, "waiting"), ("b", None, "active")]
