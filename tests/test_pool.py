"""One session for each event loop, that ends with it; a borrowed one stays its owner's."""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import pytest
import uvloop
from tools.calls import SESSION, client_for
from tools.peer import Peer, reply, threaded

from g2a_async import ClientClosedError, G2AClient, WrongLoopError
from g2a_async.pool import Pool

LOOPS = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
NewLoop = Callable[[], asyncio.AbstractEventLoop]


@contextmanager
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing that was left open is complained about: not by Python, not by aiohttp, not by asyncio."""
    complaints: list[Any] = []
    before, sys.unraisablehook = sys.unraisablehook, complaints.append
    caplog.set_level(logging.WARNING)
    try:
        yield
        gc.collect()
    finally:
        sys.unraisablehook = before
    assert [str(one.exc_value) for one in complaints] == []
    assert caplog.messages == []


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A server in a thread of its own."""
    with threaded(lambda _: reply(SESSION)) as peer:
        yield peer


def run(main: Any, new_loop: NewLoop = asyncio.new_event_loop) -> Any:
    """Run in a new loop."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(main)


async def status(client: G2AClient) -> str:
    """One call."""
    return (await client.sessions.get("4217")).status


@LOOPS
def test_one_client_in_several_runs(peer: Peer, new_loop: NewLoop, caplog: pytest.LogCaptureFixture) -> None:
    """A client goes from one `asyncio.run` to the next, with a connection for each, and leaves nothing open."""
    with quiet(caplog):
        client = client_for(peer)
        for count in (1, 2, 3):
            assert run(status(client), new_loop) == "active"
            assert run(several(client), new_loop) == ["active"] * 3
            assert peer.connections == 2 * count
        run(client.aclose(), new_loop)
        del client


async def several(client: G2AClient) -> list[str]:
    """Several calls, one after the other."""
    return [await status(client) for _ in range(3)]


@LOOPS
def test_a_forgotten_client_leaves_nothing_open(
    peer: Peer, new_loop: NewLoop, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that nobody closes ends with its loop, or when it is forgotten, without a complaint."""

    async def forget() -> None:
        assert await status(client_for(peer)) == "active"
        gc.collect()
        await asyncio.sleep(0.005)
        assert await status(client_for(peer)) == "active"

    with quiet(caplog):
        run(forget(), new_loop)


def test_a_client_that_was_never_used_needs_no_closing(caplog: pytest.LogCaptureFixture) -> None:
    """Making a client, and closing it, opens nothing."""
    with quiet(caplog):
        client = G2AClient("token")
        run(client.aclose())
        run(client.aclose())
        del client


@LOOPS
def test_several_threads_share_a_client(peer: Peer, new_loop: NewLoop, caplog: pytest.LogCaptureFixture) -> None:
    """Threads with loops of their own call through one client at the same time, each over its own connections."""
    with quiet(caplog):
        client, results, start = client_for(peer), [], threading.Barrier(4)

        def work() -> None:
            start.wait(5)
            results.extend(run(several(client), new_loop))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
        assert results == ["active"] * 12
        assert peer.connections == 4


def test_many_threads_open_at_once() -> None:
    """Loops that open and end at the same moment do not get into each other's way."""
    pool, errors = Pool(None, 10), []
    start = threading.Barrier(12)

    async def lease() -> None:
        assert (await pool.lease()).loop is asyncio.get_running_loop()

    def work() -> None:
        start.wait(5)
        for _ in range(6):
            try:
                run(lease())
            except Exception as error:  # noqa: BLE001  shown by the test
                errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    finally:
        sys.setswitchinterval(interval)
    assert errors == []


def test_closing_reaches_the_loops_of_other_threads(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    """`aclose()` on one loop ends the sessions of all loops; calls there are told that the client is closed."""
    client = client_for(peer)
    opened, closed = threading.Event(), threading.Event()
    seen: list[Any] = []

    async def elsewhere() -> None:
        seen.append(await status(client))
        session = (await client._transport.pool.lease()).session
        opened.set()
        await asyncio.to_thread(closed.wait, 5)
        seen.append(session.closed)
        try:
            await status(client)
        except ClientClosedError as error:
            seen.append(error)

    with quiet(caplog):
        thread = threading.Thread(target=lambda: run(elsewhere()))
        thread.start()
        assert opened.wait(5)
        run(client.aclose())
        closed.set()
        thread.join(5)
        assert seen[:2] == ["active", True]
        assert isinstance(seen[2], ClientClosedError)


def test_closing_does_not_wait_for_a_loop_that_stands_still(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    """A loop that is idle meanwhile does not hold up `aclose()` of another one."""
    with quiet(caplog):
        client = client_for(peer)
        with asyncio.Runner() as idle:
            assert idle.run(status(client)) == "active"
            run(client.aclose())
            with pytest.raises(ClientClosedError):
                idle.run(status(client))


async def test_a_closed_client_is_opened_again_by_entering_it(peer: Peer) -> None:
    """After `aclose()` calls fail; `async with` opens the client anew."""
    client = client_for(peer)
    assert await status(client) == "active"
    await client.aclose()
    await client.aclose()
    with pytest.raises(ClientClosedError):
        await status(client)
    async with client:
        assert await status(client) == "active"


async def test_no_more_connections_than_allowed(peer: Peer) -> None:
    """Many calls at once open no more connections than `max_connections`."""
    async with client_for(peer, max_connections=3) as client:
        assert await asyncio.gather(*[status(client) for _ in range(30)]) == ["active"] * 30
    assert peer.connections <= 3


def test_a_borrowed_session_stays_on_its_loop(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    """On another loop a borrowed session raises WrongLoopError and sends nothing; on its own it works on."""

    async def borrow() -> tuple[aiohttp.ClientSession, G2AClient]:
        http = aiohttp.ClientSession()
        client = client_for(peer, http=http)
        assert await status(client) == "active"
        return http, client

    with quiet(caplog):
        with asyncio.Runner() as home:
            http, client = home.run(borrow())
            with pytest.raises(WrongLoopError, match="loop"):
                run(status(client))
            assert len(peer.requests) == 1
            assert home.run(status(client)) == "active"
            home.run(client.aclose())
            assert not http.closed
            home.run(http.close())
        del http, client


async def test_a_borrowed_session_is_not_altered(peer: Peer) -> None:
    """Nothing of a borrowed session is different after our calls, and it is still open and of use."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(headers={"X-Mine": "1"}, cookie_jar=jar) as http:
        before = {name: value for name, value in vars(http).items() if name != "_connector"}
        async with client_for(peer, http=http) as client:
            assert await status(client) == "active"
            assert await status(client) == "active"
        assert {name: value for name, value in vars(http).items() if name != "_connector"} == before
        assert not http.closed
        assert len(jar) == 0
        assert peer.last.all("X-Mine") == []
        async with http.get(peer.url) as response:
            assert response.status == 200
        assert peer.last.all("X-Mine") == ["1"]
        assert peer.last.all("Authorization") == []
    assert peer.connections == 1


async def test_a_closed_borrowed_session_is_told() -> None:
    """A borrowed session that its owner has closed is a ClientClosedError."""
    http = aiohttp.ClientSession()
    await http.close()
    with pytest.raises(ClientClosedError, match="borrowed"):
        await status(G2AClient("token", http=http))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_has_connections_of_its_own(peer: Peer) -> None:
    """After a fork the child opens its own connections, and does not end those of the parent."""
    client = client_for(peer, token="forking", requests_per_second=200.0)
    with asyncio.Runner() as home:
        assert home.run(status(client)) == "active"
        child = os.fork()
        if child == 0:
            code = 1
            try:
                signal.alarm(5)
                results = [*run(several(client)), *run(several(client))]
                code = 0 if results == ["active"] * 6 else 2
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert home.run(status(client)) == "active"
        assert [seen.connection for seen in peer.requests] == [1, 2, 2, 2, 3, 3, 3, 1]
        home.run(client.aclose())
