"""What is repeated and what never is, when the server answers badly or not at all."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from tools.calls import BY_NAME, ONCE, QUICK, REPEATABLE, Call, client_for, each
from tools.peer import Answer, Peer, Seen, Then, drop, first, page, reply
from tools.proxy import Proxy

from g2a_async import (
    ConnectError,
    DecodeError,
    NotFoundError,
    OutcomeUnknownError,
    RateLimitedError,
    RetryPolicy,
    ServerError,
    StatusError,
    TransportError,
)

SLOW = RetryPolicy(base=30, cap=30)
GET = BY_NAME["sessions.get"]
START = BY_NAME["sessions.start"]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@each(REPEATABLE)
async def test_repeats_what_may_be_repeated(call: Call, status: int) -> None:
    """A repeatable call goes on through the service's troubles, and gives the right result."""
    trouble = page("<h1>trouble</h1>", status)
    async with Peer(first(trouble, trouble, then=call.answer)) as peer, client_for(peer, retry=QUICK) as client:
        assert await call.run(client, peer.origin) == call.value
    assert len(peer.repeats) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 501])
async def test_repeats_nothing_else(status: int) -> None:
    """An answer that another attempt would not change is not asked for again."""
    async with Peer(lambda _: reply({}, status)) as peer, client_for(peer, retry=QUICK) as client:
        with pytest.raises(StatusError):
            await client.sessions.get("1")
    assert len(peer.requests) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@each(ONCE)
async def test_never_repeats_a_creation(call: Call, status: int) -> None:
    """A call that creates is sent once, whatever error comes back."""
    answer = reply({}, status, ("Retry-After", "0"))
    async with Peer(first(answer, then=call.answer)) as peer, client_for(peer, retry=QUICK) as client:
        with pytest.raises(ServerError) as caught:
            await call.run(client, peer.origin)
    assert caught.value.attempts == len(peer.requests) == 1


@each(ONCE)
async def test_a_429_is_repeated_even_for_a_creation(call: Call) -> None:
    """A 429 says that nothing was done, so also a call that creates is sent again."""
    async with Peer(first(reply({}, 429), then=call.answer)) as peer, client_for(peer, retry=QUICK) as client:
        assert await call.run(client, peer.origin) == call.value
    assert len(peer.repeats) == 2


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimitedError), (500, ServerError), (503, ServerError)])
async def test_gives_up_with_the_last_error(status: int, kind: type[StatusError]) -> None:
    """After the last attempt the service's own error is raised, and says how many there were."""
    retry = RetryPolicy(attempts=3, base=0.001, cap=0.002)
    async with Peer(lambda _: reply({"msg": "m"}, status)) as peer, client_for(peer, retry=retry) as client:
        with pytest.raises(kind) as caught:
            await client.sessions.get("1")
    assert caught.value.attempts == len(peer.requests) == 3
    assert caught.value.description == "m"


LOST: dict[str, Callable[[Answer], Answer]] = {
    "closed": lambda _: drop("fin"),
    "reset": lambda _: drop("rst"),
    "half the head": lambda whole: Answer(raw=whole.wire(), cut=20, then="fin"),
    "half the head, reset": lambda whole: Answer(raw=whole.wire(), cut=20, then="rst"),
    "garbage": lambda _: Answer(raw=b"\x16\x03\x01\x00\xff nothing of HTTP\r\n\r\n", then="fin"),
    "half the body": lambda _: Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{", then="fin"),
    "half a chunk": lambda _: Answer(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{", then="fin"),
    "a bad chunk": lambda _: Answer(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", then="fin"),
}


@pytest.mark.parametrize("lose", LOST.values(), ids=LOST)
@each(REPEATABLE)
async def test_repeats_when_the_answer_is_lost(call: Call, lose: Callable[[Answer], Answer]) -> None:
    """A repeatable call whose answer is lost, cut or garbled is sent again, and gives the right result."""

    def script(seen: Seen) -> Answer:
        answer = call.answer(seen)
        return answer if len(peer.requests) > 1 else lose(answer)

    async with Peer(script) as peer, client_for(peer, retry=QUICK) as client:
        assert await call.run(client, peer.origin) == call.value
    assert len(peer.repeats) == 2


@pytest.mark.parametrize("lose", LOST.values(), ids=LOST)
@each(ONCE)
async def test_a_lost_creation_has_an_unknown_outcome(call: Call, lose: Callable[[Answer], Answer]) -> None:
    """A call that creates is not sent again when its answer is lost: OutcomeUnknownError says so."""

    def script(seen: Seen) -> Answer:
        answer = call.answer(seen)
        return answer if len(peer.requests) > 1 else lose(answer)

    async with Peer(script) as peer, client_for(peer, retry=QUICK) as client:
        with pytest.raises(OutcomeUnknownError) as caught:
            await call.run(client, peer.origin)
    assert (caught.value.operation, caught.value.attempts) == (call.name, 1)
    assert len(peer.requests) == 1


@each(but=("sessions.browser_launch_url",))
async def test_a_broken_compression_is_one_of_our_errors(call: Call) -> None:
    """A body that is not compressed as it claims is told as lost or as unreadable, never as aiohttp tells it."""
    answer = Answer(headers=(("Content-Encoding", "gzip"),), body=b"this is none")
    async with Peer(lambda _: answer) as peer, client_for(peer) as client:
        with pytest.raises((TransportError, DecodeError)):
            await call.run(client, peer.origin)


@pytest.mark.parametrize("then", ["fin", "rst"])
async def test_gives_up_when_answers_stay_lost(then: Then) -> None:
    """A repeatable call that never gets an answer is a TransportError that counts its attempts."""
    async with Peer(lambda _: drop(then)) as peer, client_for(peer, retry=QUICK) as client:
        with pytest.raises(TransportError) as caught:
            await client.sessions.get("1")
    assert type(caught.value) is TransportError
    assert caught.value.attempts == QUICK.attempts
    assert caught.value.operation == "sessions.get"


@pytest.mark.parametrize("then", ["fin", "rst"])
@each()
async def test_no_silent_repeat_on_a_kept_connection(call: Call, then: Then) -> None:
    """What aiohttp would send again by itself, when a kept connection drops, is sent once, or counted."""

    def script(seen: Seen) -> Answer:
        return drop(then) if len(peer.requests) == warm + 1 else call.answer(seen)

    warm = 10**9
    async with Peer(script) as peer, client_for(peer) as client:
        await call.run(client, peer.origin)
        warm = len(peer.requests)
        with pytest.raises(TransportError) as caught:
            await call.run(client, peer.origin)
    assert type(caught.value) is (TransportError if call.repeatable else OutcomeUnknownError)
    assert len(peer.requests) == warm + 1


@each(REPEATABLE)
async def test_a_dropped_kept_connection_does_no_harm(call: Call) -> None:
    """A repeatable call that finds its kept connection dropped is sent again on another."""

    def script(seen: Seen) -> Answer:
        return drop("rst") if len(peer.requests) == warm + 1 else call.answer(seen)

    warm = 10**9
    async with Peer(script) as peer, client_for(peer, retry=QUICK) as client:
        assert await call.run(client, peer.origin) == call.value
        warm = len(peer.requests)
        assert await call.run(client, peer.origin) == call.value


async def test_keeps_connections() -> None:
    """Calls in a row share one connection, also after an error and a repeat."""
    script = first(reply({}, 500), page("x", 404), then=GET.answer)
    async with Peer(script) as peer, client_for(peer, retry=QUICK) as client:
        for _ in range(5):
            try:
                await client.sessions.get("1")
            except NotFoundError:
                continue
    assert len(peer.requests) == 6
    assert peer.connections == 1


@each()
async def test_refused_connections(call: Call) -> None:
    """Where nobody listens, every call is a ConnectError, after as many attempts as may be."""
    async with Proxy(0, refuse=True) as nobody, client_for(nobody.origin, retry=QUICK) as client:
        with pytest.raises(ConnectError) as caught:
            await call.run(client, nobody.origin)
    assert (caught.value.operation, caught.value.attempts) == (call.name, QUICK.attempts)


async def test_no_tls_where_it_should_be() -> None:
    """A handshake that fails is a ConnectError: nothing of the call was sent."""
    async with Peer(GET.answer) as peer:
        async with client_for(peer, base_url=peer.url.replace("http:", "https:")) as client:
            with pytest.raises(ConnectError):
                await client.sessions.start()
        assert (peer.requests, peer.garbage) == ([], [b"\x16"])


def in_seconds(seconds: float) -> str:
    """Write an HTTP date that lies so far ahead."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    "wait",
    [
        "0",
        "Wed, 21 Oct 2015 07:28:00 GMT",
        "soon",
        "",
        "-5",
        "nan",
        "inf",
        "1e999",
        "0x10",
        "Fri, 99 Foo 2026",
        "\u00b2",
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_a_retry_after_without_meaning(wait: str, status: int) -> None:
    """A `Retry-After` that is over, or is no time at all, does no harm."""
    answer = first(reply({}, status, ("Retry-After", wait)), then=GET.answer)
    async with Peer(answer) as peer, client_for(peer, retry=QUICK) as client:
        assert (await client.sessions.get("1")).session_id == "4217"
    assert len(peer.requests) == 2


FAR = {"seconds": lambda: "61", "a date": lambda: in_seconds(61), "for ever": lambda: "9" * 9}


@pytest.mark.parametrize("wait", FAR.values(), ids=FAR)
@each((GET, START))
async def test_a_retry_after_too_long(call: Call, wait: Callable[[], str]) -> None:
    """A wait that does not fit into `max_retry_after` raises RateLimitedError at once, and tells the wait."""
    retry = RetryPolicy(base=0.001, cap=0.002, max_retry_after=30)
    answer = reply({}, 429, ("Retry-After", wait()))
    async with Peer(lambda _: answer) as peer, client_for(peer, retry=retry, deadline=None) as client:
        with pytest.raises(RateLimitedError) as caught:
            await asyncio.wait_for(call.run(client, peer.origin), 5)
    assert len(peer.requests) == 1
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 55


async def test_a_retry_after_beyond_the_deadline() -> None:
    """A wait that does not fit into the deadline raises RateLimitedError at once."""
    answer = reply({}, 429, ("Retry-After", "20"))
    async with Peer(lambda _: answer) as peer, client_for(peer, retry=QUICK, deadline=10) as client:
        with pytest.raises(RateLimitedError) as caught:
            await asyncio.wait_for(client.sessions.get("1"), 5)
    assert (len(peer.requests), caught.value.retry_after) == (1, 20.0)


async def test_a_503_that_asks_for_too_much() -> None:
    """A 503 whose wait does not fit is a ServerError at once."""
    answer = reply({}, 503, ("Retry-After", "3600"))
    async with Peer(lambda _: answer) as peer, client_for(peer, retry=QUICK, deadline=None) as client:
        with pytest.raises(StatusError) as caught:
            await asyncio.wait_for(client.sessions.get("1"), 5)
    assert (len(peer.requests), caught.value.status) == (1, 503)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_retry_after_is_waited_for(status: int) -> None:
    """While the asked wait lasts, nothing is sent, however short our own back-off is."""
    answer = reply({}, status, ("Retry-After", "5"))
    async with Peer(lambda _: answer) as peer, client_for(peer, retry=QUICK) as client:
        task = asyncio.ensure_future(client.sessions.get("1"))
        await peer.received()
        done, _ = await asyncio.wait({task}, timeout=0.03)
        assert (len(peer.requests), done) == (1, set())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
