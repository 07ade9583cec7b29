"""All watches of a client share one poll: they cost no more than one, and do not disturb each other."""

import asyncio
import gc
import itertools
import json
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tools.account import TICK, Account, told
from tools.clock import EPOCH

from g2a_async import ServerError, SessionChange, UnauthorizedError
from g2a_async.clock import SystemClock
from g2a_async.records import ENDED

LIFE = ("waiting", "active", "complete")
LIMIT = 60.0
NAMES = ("s0", "s1", "s2", "s3", "s4")


@dataclass(kw_only=True)
class Consumer:
    """One watch among others, and what it was given."""

    names: frozenset[str] | None
    interval: float
    start: float
    """Seconds after the first."""
    slow: float
    """Seconds that it takes over each change."""
    patience: float | None
    """Seconds after which it is cancelled."""
    given: list[SessionChange] = field(default_factory=list)
    joined: int = 0
    """How many answers had come when it began."""
    began: float = 0.0
    left: float = 0.0
    finished: bool = False
    """It was not cancelled."""

    async def run(self, account: Account) -> None:
        """Watch."""
        await account.clock.sleep(self.start)
        self.joined, self.began = len(account.events), account.clock.monotonic()
        task = asyncio.create_task(self._watch(account))
        if self.patience is not None:
            await account.clock.sleep(self.patience)
            task.cancel()
        await asyncio.wait([task])
        self.finished = not task.cancelled()
        if self.finished:
            assert isinstance(task.exception(), TimeoutError | None)

    async def _watch(self, account: Account) -> None:
        try:
            async for change in account.watch(self.names, interval=self.interval, timeout=LIMIT):
                self.given.append(change)
                await account.clock.sleep(self.slow)
        finally:
            self.left = account.clock.monotonic()

    def of(self, name: str) -> list[str]:
        """The statuses that it was given of a session."""
        return [change.session.status for change in self.given if change.session.session_id == name]


def visible(events: list[Any], consumer: Consumer) -> dict[str, list[str]]:
    """The statuses that these answers show to a consumer, by session."""
    found: dict[str, list[str]] = {name: [] for name in consumer.names or NAMES}
    for _, asked, statuses in events:
        for name in found.keys() & statuses.keys():
            seen, status = found[name], statuses[name]
            if asked is not None and consumer.names is None and not seen:
                continue  # the list never held it
            if not seen or (seen[-1] != status and seen[-1] not in ENDED):
                seen.append(status)
    return found


STATUSES = st.sampled_from(["waiting", "active", "onHold"])
LIVES = st.builds(
    lambda absent, life, end: (*[None] * absent, *life, end),
    st.integers(0, 3),
    st.lists(STATUSES, max_size=8),
    st.sampled_from(["complete", "abandoned"]),
)
CONSUMERS = st.builds(
    Consumer,
    names=st.none() | st.frozensets(st.sampled_from(NAMES), min_size=1),
    interval=st.sampled_from([2.0, 5.0, 7.0]),
    start=st.floats(0, 30),
    slow=st.sampled_from([0.0, 0.0, 1.5, 11.0]),
    patience=st.none() | st.floats(0.1, 60),
    given=st.builds(list),
)


@given(
    st.lists(LIVES, min_size=5, max_size=5),
    st.lists(CONSUMERS, min_size=1, max_size=6),
    st.sets(st.integers(0, 10), max_size=3),
    st.sets(st.sampled_from(NAMES), max_size=1),
    st.sampled_from([0.0, 0.3]),
)
@settings(deadline=None, max_examples=80)
async def test_each_is_told_every_status_that_was_seen(
    lives: list[tuple[str | None, ...]], consumers: list[Consumer], failing: set[int], hidden: set[str], latency: float
) -> None:
    """Whoever else watches, comes late, dawdles or goes: each status that an answer showed, in order, and once."""
    account = Account(**dict(zip(NAMES, lives, strict=True)))
    account.fails, account.hidden, account.latency = dict.fromkeys(failing, ServerError(503)), hidden, lambda: latency
    await asyncio.gather(*[consumer.run(account) for consumer in consumers])
    for consumer in consumers:
        given = {name: consumer.of(name) for name in consumer.names or NAMES}
        # It may begin with the last list before it, or with one that was under way, or with the next;
        # and end with the last one in its time, or one that was under way then.
        begins = [consumer.joined, consumer.joined + 1]
        begins += [at for at in range(consumer.joined) if account.events[at][1] is None][-1:]
        ends = [consumer.began + LIMIT + late for late in (-1e-9, 0.0, latency)]
        seen = [
            visible([event for event in account.events[begin:] if event[0] <= end], consumer)
            for begin in begins
            for end in ends
        ]
        if consumer.finished:
            assert given in seen
        else:
            assert any(all(full[name][: len(given[name])] == given[name] for name in given) for full in seen)
        for name in given:
            previous = [one.previous for one in consumer.given if one.session.session_id == name]
            assert [one and one.status for one in previous] == [None, *given[name]][: len(previous)]
        for earlier, later in itertools.pairwise(account.listed):
            if consumer.began <= earlier < later <= consumer.left:
                assert later - earlier > min(one.interval for one in consumers) - 1e-6
    await _rest()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def _rest() -> None:
    """Long enough for the loop to close generators that were dropped."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_fifty_waits_cost_one_list_call_a_tick() -> None:
    """However many wait, and whenever they begin, there is one list call a tick."""
    account = Account(**{f"s{number}": ("waiting",) * 8 + ("complete",) for number in range(50)})

    async def one(number: int) -> list[SessionChange]:
        await account.clock.sleep(number * 0.4)
        return [change async for change in account.watch([f"s{number}"])]

    results = await asyncio.gather(*[one(number) for number in range(50)])
    assert [row[2] for changes in results for row in told(changes)] == ["waiting", "complete"] * 50
    assert account.listed == [1000.0 + TICK * tick for tick in range(9)]
    assert account.lookups == []


class Many(Account):
    """10,000 sessions of an account, in one answer: one of them, another each time, is told with other notes."""

    @staticmethod
    def rows() -> Iterator[dict[str, Any]]:
        """The sessions at first."""
        for number in range(10_000):
            yield {"sessionId": 10**9 + number, "status": "active", "sessionStartToken": number}

    def __init__(self) -> None:
        super().__init__()
        self.texts = [json.dumps(row) for row in self.rows()]

    async def list(self, begin: datetime, end: datetime | None) -> bytes:
        """The list call."""
        number = len(self.listed)
        self.listed.append(self.clock.monotonic())
        texts = [text.replace("active", "complete") for text in self.texts] if number >= 59 else [*self.texts]
        texts[number] = texts[number].replace("}", f', "notes": "{number}"}}')
        return f'{{"sessions": [{", ".join(texts)}]}}'.encode()


async def test_ten_thousand_sessions_for_sixty_ticks() -> None:
    """60 list requests, nothing else, and all that changed, while another task is never kept waiting for long."""
    account = Many()
    names = [str(row["sessionId"]) for row in account.rows()]
    changes = [change async for change in account.watch(names)]
    assert len(account.listed) == 60
    assert account.lookups == []
    assert len(changes) == 10_000 + 2 * 58 + 1 + 10_000 - 1 + 0
    assert {change.session.session_id for change in changes if change.session.has_ended} == set(names)


async def test_watches_with_different_intervals_share_ticks() -> None:
    """The shortest interval drives, and serves everybody; when it is over, the next shortest does."""
    account = Account(a=("waiting", "waiting", "complete"), b=("waiting",) * 9 + ("complete",))
    await asyncio.gather(_all(account, ["a"], 5.0), _all(account, ["b"], 20.0))
    assert [time - 1000.0 for time in account.listed] == [0, 5, 10, 30, 50]


async def _all(account: Account, names: list[str] | None, interval: float = TICK) -> list[SessionChange]:
    return [change async for change in account.watch(names, interval=interval)]


async def test_one_look_up_serves_all() -> None:
    """A session that the list does not hold is looked up once for all that watch it."""
    account = Account(a=("waiting", "complete"))
    account.hidden = {"a"}
    results = await asyncio.gather(*[_all(account, ["a"]) for _ in range(20)])
    assert {tuple(told(changes)) for changes in results} == {(("a", None, "waiting"), ("a", "waiting", "complete"))}
    assert account.lookups == [(0, "a"), (1, "a")]


async def test_who_comes_late_is_told_at_once_what_is_known() -> None:
    """A watch that joins others begins with their last tick, without a request, and goes on with theirs."""
    account = Account(a=("waiting", "complete"), b=("active", "complete"))
    first = asyncio.create_task(_all(account, ["a", "b"]))
    await account.clock.sleep(2.0)
    late = account.watch(["b"])
    assert told([await anext(late)]) == [("b", None, "active")]
    assert account.clock.monotonic() == 1002.0
    assert told([change async for change in late]) == [("b", "active", "complete")]
    await first
    assert [time - 1000.0 for time in account.listed] == [0, 5]


async def test_who_comes_late_is_not_told_what_is_old() -> None:
    """What the last tick saw longer ago than a newcomer's interval is not good enough for it."""
    account = Account(a=("waiting", "waiting", "active", "complete"))
    first = asyncio.create_task(_all(account, ["a"], 60.0))
    await account.clock.sleep(11.0)
    late = account.watch(["a"])
    assert told([await anext(late)]) == [("a", None, "active")]
    await late.aclose()
    assert told(await first) == [("a", None, "waiting"), ("a", "waiting", "active"), ("a", "active", "complete")]
    assert [time - 1000.0 for time in account.listed] == [0, 11, 71]


async def test_each_looks_back_as_far_as_it_wants() -> None:
    """Of two watches of everybody, the one that looks back less is not told of older sessions."""
    account = Account(old=("active",), new=("active",))
    account.more = {"old": {"startedAt": "2024-02-25T12:00:00Z"}, "new": {"startedAt": "2024-02-28T12:00:00Z"}}
    day = timedelta(days=1)
    near = asyncio.create_task(_names(account, EPOCH - day))
    await account.clock.sleep(2.0)
    far = asyncio.create_task(_names(account, EPOCH - 9 * day))
    assert await near == [(1000.0, "new")]
    assert sorted(await far) == [(1005.0, "new"), (1005.0, "old")]


async def _names(account: Account, since: datetime) -> list[tuple[float, str]]:
    changes = account.watch(None, since=since, timeout=20.0)
    return [(account.clock.monotonic(), change.session.session_id) async for change in changes]


async def test_a_watch_whose_time_is_over_is_told_nothing_more() -> None:
    """While its consumer was busy others saw more: what came after its end is theirs alone."""
    account = Account(a=("waiting", "active", "active", "active", "complete"))
    others = asyncio.create_task(_all(account, ["a"]))
    given = []
    async for change in account.watch(None, timeout=12.0):
        given.append(change)
        if len(given) == 1:
            await account.clock.sleep(60.0)
    assert told(given) == [("a", None, "waiting"), ("a", "waiting", "active")]
    assert len(await others) == 3


async def test_who_has_no_time_for_the_next_tick_is_served_before() -> None:
    """A watch whose time ends before the next tick, and of whom nothing is known, gets one of its own."""
    account = Account(a=("waiting",) * 3 + ("complete",))
    first = asyncio.create_task(_all(account, ["a"]))
    await account.clock.sleep(1.0)
    account.lives["b"] = ("complete",)
    assert told([change async for change in account.watch(["b"], timeout=2.0)]) == [("b", None, "complete")]
    await first
    assert [time - 1000.0 for time in account.listed] == [0, 1, 6, 11, 16]


async def test_nothing_is_remembered_when_nobody_watches() -> None:
    """A watch that begins after all others have gone asks anew."""
    account = Account(a=("complete",))
    assert len(await _all(account, ["a"])) == len(await _all(account, ["a"])) == 1
    assert account.listed == [1000.0, 1000.0]


@pytest.mark.parametrize("at", [2.0, 5.2])
async def test_cancelling_one_does_not_disturb_the_others(at: float) -> None:
    """One that is cancelled, between ticks or while the list is under way, costs the others nothing."""
    account = Account(a=("waiting",) * 3 + ("complete",))
    account.latency = lambda: 0.5
    first, second, third = [asyncio.create_task(_all(account, ["a"])) for _ in range(3)]
    await account.clock.sleep(at)
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    assert told(await second) == told(await third) == [("a", None, "waiting"), ("a", "waiting", "complete")]
    assert account.listed == [1000.0 + TICK * tick for tick in range(4)]


async def test_an_error_is_raised_by_all_who_wait() -> None:
    """What will not pass ends every watch, each with an error object of its own."""
    account = Account(a=LIFE, b=LIFE)
    account.fails = {1: UnauthorizedError(401)}
    results = await asyncio.gather(_all(account, ["a"]), _all(account, None), return_exceptions=True)
    assert [type(result) for result in results] == [UnauthorizedError] * 2
    assert results[0] is not results[1]


async def test_a_bug_is_raised_and_does_not_hang() -> None:
    """An error that is none of ours comes out of the watch as it is."""
    account = Account(a=LIFE)
    account.wrap = lambda rows: 1 / 0
    with pytest.raises(ZeroDivisionError):
        await _all(account, ["a"])


async def test_whoever_cancels_the_poll_cancels_its_watches() -> None:
    """When all other tasks are cancelled, as at the end of programs, no watch waits for ever; a busy one goes on."""
    account = Account(a=("waiting", "complete"))
    busy = account.watch(["a"])
    await anext(busy)
    task = asyncio.create_task(_all(account, ["a"]))
    await account.clock.sleep(2.0)
    for one in asyncio.all_tasks() - {asyncio.current_task(), task}:
        one.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert told([change async for change in busy]) == [("a", "waiting", "complete")]


async def test_who_has_gone_is_not_looked_up() -> None:
    """A session that nobody watches any more when its turn comes costs no look-up."""
    account = Account(a=("waiting", "complete"), b=("waiting",))
    account.hidden, account.lookup_latency = {"a", "b"}, 1.0
    first, second = [asyncio.create_task(_all(account, [name])) for name in ("a", "b")]
    await account.clock.sleep(0.5)
    second.cancel()
    assert told(await first) == [("a", None, "waiting"), ("a", "waiting", "complete")]
    assert [name for _, name in account.lookups] == ["a", "a"]


@pytest.mark.parametrize("way", ["break", "close", "cancel"])
async def test_an_early_exit_leaves_nothing_running(way: str) -> None:
    """After the first change, or while it waits: no task is left, and no request is made."""
    account = Account(a=("waiting",))
    account.latency = lambda: 0.5
    if way == "break":
        await anext(account.watch(None))
        gc.collect()
    elif way == "close":
        changes = account.watch(None)
        await anext(changes)
        await changes.aclose()
    else:
        task = asyncio.create_task(_all(account, None))
        await account.clock.sleep(5.2)
        task.cancel()
        await asyncio.wait([task])
    await _rest()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    asked = len(account.listed)
    await account.clock.sleep(60.0)
    assert len(account.listed) == asked


async def test_nothing_is_asked_while_the_consumer_is_busy() -> None:
    """A consumer that takes a minute over a change is not polled for meanwhile."""
    account = Account(a=LIFE)
    changes = account.watch(["a"])
    await anext(changes)
    await account.clock.sleep(60.0)
    assert len(account.listed) == 1
    assert told([change async for change in changes]) == [("a", "waiting", "complete")]


@pytest.mark.parametrize("turns", range(6))
async def test_a_watch_that_begins_while_the_last_one_ends(turns: int) -> None:
    """One that joins while the last other one takes its leave is served as any other."""
    account = Account(a=("waiting", "waiting", "complete"))
    account.latency = lambda: 0.5
    first = asyncio.create_task(_all(account, ["a"]))
    await account.clock.sleep(0.2)
    first.cancel()
    for _ in range(turns):
        await asyncio.sleep(0)
    assert told(await _all(account, ["a"])) == [("a", None, "waiting"), ("a", "waiting", "complete")]
    assert first.cancelled()


def test_each_loop_has_its_own() -> None:
    """Watches of one client in two event loops, one after the other, do not meet, however the first one ended."""
    account = Account(SystemClock(), a=("waiting",))

    async def first() -> None:
        await anext(account.watch(["a"]))  # never closed

    async def second() -> SessionChange:
        changes = account.watch(["a"])
        try:
            return await anext(changes)
        finally:
            await changes.aclose()

    for _ in range(2):
        asyncio.run(first())
        assert told([asyncio.run(second())]) == [("a", None, "waiting")]
    assert len(account.listed) == 4


async def test_other_services_have_their_own() -> None:
    """Clients that share connections, but ask another service, do not share the poll."""
    account = Account(a=("complete",))
    one, other = account.watch(["a"]), account.watch(["a"], service="https://elsewhere.example")
    assert told([await anext(one), await anext(other)]) == [("a", None, "complete")] * 2
    assert len(account.listed) == 2
    await one.aclose()
    await other.aclose()


async def test_a_forgotten_client_is_freed() -> None:
    """The poll does not keep what it belongs to alive."""
    account = Account(a=("complete",))
    await _all(account, ["a"])
    reference = weakref.ref(account)
    del account
    gc.collect()
    assert reference() is None
