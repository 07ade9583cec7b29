"""`sessions.get_many` with sources of IDs that behave badly, and `companies.list` where the service has no order."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tools.peer import Answer, Peer, Seen, reply

from g2a_async import G2AClient, NotFoundError, RetryPolicy, Settings


def client(peer: Peer) -> G2AClient:
    """A client without a quota that repeats nothing."""
    return G2AClient("token", settings=Settings(base_url=peer.url, requests_per_second=None, retry=RetryPolicy.none()))


def session(seen: Seen) -> Answer:
    """The session that is asked for; there are none with odd numbers."""
    name = seen.raw_path.rpartition("/")[2]
    return reply({}, 404) if int(name) % 2 else reply({"sessionId": name, "status": "active"})


async def test_ids_may_come_from_an_asynchronous_source() -> None:
    """Such as a queue: each ID is asked for once it is there, and outcomes do not wait for the next one."""
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    async def ids() -> AsyncIterator[str]:
        while (one := await queue.get()) is not None:
            yield one

    async with Peer(session) as peer, client(peer) as g2a:
        outcomes = g2a.sessions.get_many(ids(), concurrency=3)
        for name in ("2", "3", "4"):
            queue.put_nowait(name)
            outcome = await anext(outcomes)
            assert (outcome.key, isinstance(outcome.error, NotFoundError)) == (name, name == "3")
        queue.put_nowait(None)
        assert [one async for one in outcomes] == []


async def test_a_source_that_fails_is_told_after_the_outcomes() -> None:
    """An error of the source is raised as it is; the sessions before it have been given, and none is asked after it."""

    def ids() -> Iterator[str]:
        yield from ("2", "3", "4")
        raise LookupError("the database is gone")

    async with Peer(session) as peer, client(peer) as g2a:
        outcomes = g2a.sessions.get_many(ids())
        assert sorted([str((await anext(outcomes)).key) for _ in range(3)]) == ["2", "3", "4"]
        with pytest.raises(LookupError, match="gone"):
            await anext(outcomes)
        assert len(peer.requests) == 3


@pytest.mark.parametrize("how", ["aclose", "cancel"])
async def test_an_early_exit_stops_an_endless_source(how: str) -> None:
    """Of an endless source no more is taken than there is room for, and an exit leaves nothing running or asked."""
    taken = 0

    def ids() -> Iterator[str]:
        nonlocal taken
        for taken in itertools.count(1):
            yield str(taken)

    async with Peer(session) as peer, client(peer) as g2a:
        before = asyncio.all_tasks()
        outcomes = g2a.sessions.get_many(ids(), concurrency=4)
        if how == "aclose":
            for _ in range(10):
                await anext(outcomes)
            await outcomes.aclose()
        else:
            task = asyncio.create_task(_count(outcomes))
            await peer.received(10)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
        left = {one for one in asyncio.all_tasks() - before if not one.get_coro().__qualname__.startswith("Peer.")}  # type: ignore[union-attr]
        assert left == set()
        asked = len(peer.requests)
        assert asked <= taken <= asked + 4
        await asyncio.sleep(0.02)
        assert len(peer.requests) <= asked + 4


async def _count(outcomes: Any) -> int:
    return sum([1 async for _ in outcomes])


@pytest.mark.parametrize("odd", ["", ".", "..", None, b"2", ["2"], "a/b?c#d%2F"])
async def test_what_is_no_id_is_an_outcome_among_others(odd: Any) -> None:
    """An ID that cannot be one is told as the outcome of that one, unsent; any text goes into the path as it is."""
    async with Peer(lambda seen: session(seen) if seen.raw_path[-1].isdigit() else reply({}, 404)) as peer:
        async with client(peer) as g2a:
            outcomes = [one async for one in g2a.sessions.get_many(["2", odd, "4"])]
        (failed,) = [one for one in outcomes if one.error is not None]
        assert {one.key for one in outcomes if one.value is not None} == {"2", "4"}
        assert failed.key == odd
        sent = [seen.path for seen in peer.requests if seen.path[-1] not in "24"]
        assert sent == ([f"/G2A/rest/v1/sessions/{odd}"] if odd == "a/b?c#d%2F" else [])


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (("123",), "session_ids"),
        ((b"123",), "session_ids"),
        ((None,), "session_ids"),
        ((7,), "session_ids"),
        ((["1"], 0), "concurrency"),
        ((["1"], -1), "concurrency"),
        ((["1"], True), "concurrency"),
        ((["1"], 2.5), "concurrency"),
        ((["1"], "3"), "concurrency"),
    ],
)
async def test_arguments_that_cannot_be_are_refused(wrong: tuple[Any, ...], named: str) -> None:
    """One text for a list, or no number, is a ValueError that names the argument, and nothing is sent."""
    async with Peer([]) as peer, client(peer) as g2a:
        with pytest.raises(ValueError, match=named):
            await anext(g2a.sessions.get_many(wrong[0], **dict(zip(["concurrency"], wrong[1:], strict=False))))
        assert peer.requests == []


@pytest.mark.parametrize("asked", [{}, {"sort_order": "desc"}, {"q": "Company"}])
async def test_a_walk_has_an_order_that_stays(asked: dict[str, Any]) -> None:
    """A service that orders nothing by itself shuffles each page; sorted by ID, which is asked for, each comes once."""
    chance = random.Random(5)

    def companies(seen: Seen) -> Answer:
        query = dict(seen.query)
        rows: list[dict[str, Any]] = [{"companyId": one, "companyName": f"Company {one}"} for one in range(330)]
        if query.get("sortField") == "companyId":
            rows.sort(key=lambda row: row["companyId"], reverse=query.get("sortOrder") == "desc")
        else:
            chance.shuffle(rows)
        offset, limit = int(query["offset"]), int(query["limit"])
        return reply({"totalNumCompanies": len(rows), "companies": rows[offset : offset + limit]})

    async with Peer(companies) as peer, client(peer) as g2a:
        found = [one.company_id for one in await g2a.companies.list(**asked).collect()]
        assert found == sorted(range(330), reverse=bool(asked.get("sort_order")))
