"""Watches that end, are cancelled, dropped or left: the others go on, and nothing runs on."""

import asyncio
import gc
import weakref

import pytest
from tools.account import TICK, Account, rest, told, whole

from g2a_async import SessionChange, UnauthorizedError
from g2a_async.clock import SystemClock

LIFE = ("waiting", "active", "complete")


@pytest.mark.parametrize("at", [2.0, 5.2])
async def test_cancelling_one_does_not_disturb_the_others(at: float) -> None:
    """One that is cancelled, between ticks or while the list is under way, costs the others nothing."""
    account = Account(a=("waiting",) * 3 + ("complete",))
    account.latency = lambda: 0.5
    first, second, third = [asyncio.create_task(whole(account, ["a"])) for _ in range(3)]
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
    results = await asyncio.gather(whole(account, ["a"]), whole(account, None), return_exceptions=True)
    assert [type(result) for result in results] == [UnauthorizedError] * 2
    assert results[0] is not results[1]


async def test_a_bug_is_raised_and_does_not_hang() -> None:
    """An error that is none of ours comes out of the watch as it is."""
    account = Account(a=LIFE)
    account.wrap = lambda rows: 1 / 0
    with pytest.raises(ZeroDivisionError):
        await whole(account, ["a"])


async def test_whoever_cancels_the_poll_cancels_its_watches() -> None:
    """When all other tasks are cancelled, as at the end of programs, no watch waits for ever; a busy one goes on."""
    account = Account(a=("waiting", "complete"))
    busy = account.watch(["a"])
    await anext(busy)
    task = asyncio.create_task(whole(account, ["a"]))
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
    first, second = [asyncio.create_task(whole(account, [name])) for name in ("a", "b")]
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
        task = asyncio.create_task(whole(account, None))
        await account.clock.sleep(5.2)
        task.cancel()
        await asyncio.wait([task])
    await rest()
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
    first = asyncio.create_task(whole(account, ["a"]))
    await account.clock.sleep(0.2)
    first.cancel()
    for _ in range(turns):
        await asyncio.sleep(0)
    assert told(await whole(account, ["a"])) == [("a", None, "waiting"), ("a", "waiting", "complete")]
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
    await whole(account, ["a"])
    reference = weakref.ref(account)
    del account
    gc.collect()
    assert reference() is None
