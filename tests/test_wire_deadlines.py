"""No call outlasts its deadline or its cancellation, wherever it is."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import repeat
from typing import Any

import pytest
from tools.calls import BY_NAME, ONCE, QUICK, REPEATABLE, Call, client_for, each
from tools.peer import Answer, Peer, Script, Seen, drop, first, reply, scripted
from tools.proxy import Fault, Proxy

from g2a_async import BadRequestError, DeadlineExceededError, G2AClient, OutcomeUnknownError, RetryPolicy

SLOW = RetryPolicy(base=1e6, cap=1e6)
GET = BY_NAME["sessions.get"]


class Never:
    """A quota that is used up for good."""

    async def acquire(self) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()

    def penalize(self, seconds: float) -> None:
        """Know already."""


async def in_time(client: G2AClient, call: Call, origin: str) -> DeadlineExceededError:
    """Make a call that cannot succeed within its deadline."""
    begun = time.monotonic()
    with pytest.raises(DeadlineExceededError) as caught:
        await asyncio.wait_for(call.run(client, origin), 5)
    assert time.monotonic() - begun < 2
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.operation == call.name
    assert 0 <= caught.value.elapsed < 2
    return caught.value


@asynccontextmanager
async def warmed(call: Call, script: Script, **changes: Any) -> AsyncGenerator[tuple[Peer, G2AClient]]:
    """Have a connection already: from here on, it is the answer alone that takes time."""
    later = scripted(script)
    warm = False

    def answer(seen: Seen) -> Answer:
        return later(seen) if warm else call.answer(seen)

    async with (
        Peer(answer) as peer,
        client_for(peer, retry=QUICK) as client,
    ):
        await call.run(client, peer.origin)
        warm = True
        peer.requests.clear()
        yield peer, client.with_settings(**changes)


@each(REPEATABLE)
async def test_deadline_while_reading(call: Call) -> None:
    """A server that never answers costs no more than the deadline."""
    async with warmed(call, lambda _: drop("stall"), deadline=0.03) as (peer, client):
        assert (await in_time(client, call, peer.origin)).phase == "read"


STUCK = {
    "in the head": Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Le", then="stall"),
    "in the body": Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{", then="stall"),
    "dripping": Answer(body=b"{" + b" " * 10_000, drip=1, pause=0.001),
}


@pytest.mark.parametrize("answer", STUCK.values(), ids=STUCK)
async def test_deadline_within_an_answer(answer: Answer) -> None:
    """An answer that stops or drips does not outlast the deadline either."""
    async with warmed(GET, lambda _: answer, deadline=0.03) as (peer, client):
        assert (await in_time(client, GET, peer.origin)).phase == "read"


async def test_deadline_within_a_refusal() -> None:
    """A refusal whose body stops is still that refusal: nobody has to wonder what became of a create."""
    stuck = Answer(raw=b"HTTP/1.1 400 No\r\nContent-Length: 90\r\n\r\n{", then="stall")
    create = BY_NAME["sessions.start"]
    async with warmed(create, lambda _: stuck, deadline=0.03) as (peer, client):
        with pytest.raises(BadRequestError):
            await create.run(client, peer.origin)


async def test_deadline_while_connecting() -> None:
    """A handshake that is never answered does not outlast the deadline."""
    async with Proxy(0, repeat(Fault(at="accept", act="stall"))) as mute:
        origin = mute.origin.replace("http:", "https:")
        async with client_for(origin) as client:
            # Several, because a busy machine may blur where one of them was when its time was over.
            hasty = [client.with_settings(deadline=0.01 * number) for number in range(1, 6)]
            errors = await asyncio.gather(*(in_time(one, GET, origin) for one in hasty))
    phases = {error.phase for error in errors}
    assert "connect" in phases
    assert phases <= {"connect", "read"}


async def test_deadline_in_the_quota() -> None:
    """Waiting for the quota counts, and nothing is sent after it."""
    async with Peer(GET.answer) as peer, client_for(peer, limiter=Never(), deadline=0.02) as client:
        assert (await in_time(client, GET, peer.origin)).phase == "quota"
    assert peer.requests == []


async def test_deadline_in_the_pool() -> None:
    """Waiting for a connection counts, when all are in use."""
    async with Peer(lambda _: drop("stall")) as peer, client_for(peer, max_connections=1) as client:
        task = asyncio.ensure_future(client.sessions.get("1"))
        await peer.received()
        other = client.with_settings(deadline=0.02)
        assert (await in_time(other, GET, peer.origin)).phase == "pool"
        assert len(peer.requests) == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_deadline_in_the_back_off() -> None:
    """A wait that does not fit into the deadline is not begun."""
    async with Peer(lambda _: reply({}, 500)) as peer, client_for(peer, retry=SLOW, deadline=5) as client:
        assert (await in_time(client, GET, peer.origin)).phase == "backoff"
    assert len(peer.requests) == 1


@each(ONCE)
async def test_deadline_of_a_creation(call: Call) -> None:
    """A call that creates and gets no answer in time is told as unknown, or as late while reading."""
    async with warmed(call, lambda _: drop("stall"), deadline=0.03) as (peer, client):
        with pytest.raises((OutcomeUnknownError, DeadlineExceededError)) as caught:
            await asyncio.wait_for(call.run(client, peer.origin), 5)
        assert getattr(caught.value, "phase", "read") == "read"
        assert len(peer.requests) == 1


async def test_an_attempt_has_its_own_time() -> None:
    """An attempt that takes too long is given up and repeated, within the deadline."""
    async with warmed(GET, first(drop("stall"), then=GET.answer), attempt_timeout=0.04) as (peer, client):
        assert (await client.sessions.get("1")).session_id == "4217"
    assert len(peer.requests) >= 2


@each(ONCE)
async def test_an_attempt_of_a_creation_that_takes_too_long(call: Call) -> None:
    """A call that creates and does not answer in the attempt's time has an unknown outcome."""
    async with warmed(call, first(drop("stall"), then=call.answer), attempt_timeout=0.04) as (peer, client):
        with pytest.raises(OutcomeUnknownError):
            await call.run(client, peer.origin)
        assert len(peer.requests) == 1


@each()
async def test_cancellation_passes_at_once(call: Call) -> None:
    """A cancelled call ends with CancelledError, is not repeated, and leaves the client usable."""
    script = first(drop("stall"), then=call.answer)
    async with Peer(script) as peer, client_for(peer, retry=QUICK) as client:
        task = asyncio.ensure_future(call.run(client, peer.origin))
        await peer.received()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)
        assert len(peer.requests) == 1
        assert await call.run(client, peer.origin) == call.value


async def test_cancellation_in_the_back_off() -> None:
    """A call that waits before its next attempt is cancelled at once, too."""
    async with Peer(lambda _: reply({}, 500)) as peer, client_for(peer, retry=SLOW, deadline=None) as client:
        task = asyncio.ensure_future(client.sessions.get("1"))
        await peer.received()
        done, _ = await asyncio.wait({task}, timeout=0.02)
        assert done == set()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)
    assert len(peer.requests) == 1


async def test_cancellation_in_the_quota() -> None:
    """A call that waits for the quota is cancelled at once, and never sent."""
    async with Peer(GET.answer) as peer, client_for(peer, limiter=Never()) as client:
        task = asyncio.ensure_future(client.sessions.get("1"))
        await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert peer.requests == []
