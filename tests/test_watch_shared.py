"""All watches of a client share one poll: they cost no more than one, and do not disturb each other."""

import asyncio
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tools.account import TICK, Account, rest, told, whole
from tools.clock import EPOCH

from g2a_async import ServerError, SessionChange
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
    await rest()
    assert asyncio.all_tasks() == {asyncio.current_task()}


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
    await asyncio.gather(whole(account, ["a"], 5.0), whole(account, ["b"], 20.0))
    assert [time - 1000.0 for time in account.listed] == [0, 5, 10, 30, 50]


async def test_one_look_up_serveswhole() -> None:
    """A session that the list does not hold is looked up once for all that watch it."""
    account = Account(a=("waiting", "complete"))
    account.hidden = {"a"}
    results = await asyncio.gather(*[whole(account, ["a"]) for _ in range(20)])
    assert {tuple(told(changes)) for changes in results} == {(("a", None, "waiting"), ("a", "waiting", "complete"))}
    assert account.lookups == [(0, "a"), (1, "a")]


async def test_who_comes_late_is_told_at_once_what_is_known() -> None:
    """A watch that joins others begins with their last tick, without a request, and goes on with theirs."""
    account = Account(a=("waiting", "complete"), b=("active", "complete"))
    first = asyncio.create_task(whole(account, ["a", "b"]))
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
    first = asyncio.create_task(whole(account, ["a"], 60.0))
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
    others = asyncio.create_task(whole(account, ["a"]))
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
    first = asyncio.create_task(whole(account, ["a"]))
    await account.clock.sleep(1.0)
    account.lives["b"] = ("complete",)
    assert told([change async for change in account.watch(["b"], timeout=2.0)]) == [("b", None, "complete")]
    await first
    assert [time - 1000.0 for time in account.listed] == [0, 1, 6, 11, 16]


async def test_nothing_is_remembered_when_nobody_watches() -> None:
    """A watch that begins after all others have gone asks anew."""
    account = Account(a=("complete",))
    assert len(await whole(account, ["a"])) == len(await whole(account, ["a"])) == 1
    assert account.listed == [1000.0, 1000.0]
