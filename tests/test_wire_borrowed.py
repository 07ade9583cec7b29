"""A borrowed session lends its connections and nothing else; an owned one outlives event loops."""

import asyncio
import gc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tools.calls import BY_NAME, ONCE, QUICK, Call, client_for, each, nothing
from tools.peer import Answer, Peer, Seen, Then, drop, reply, threaded
from yarl import URL

from g2a_async import ClientClosedError, G2AError, NotFoundError, OutcomeUnknownError, StatusError, WrongLoopError

GET = BY_NAME["sessions.get"]


async def meddle(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Add a header to whatever passes."""
    request.headers["X-Foreign"] = "1"
    return await handler(request)


def jar() -> aiohttp.CookieJar:
    """Make a jar with a cookie for the host that the peers have."""
    cookies = aiohttp.CookieJar(unsafe=True)
    cookies.update_cookies({"foreign": "1"}, URL("http://127.0.0.1/"))
    return cookies


FOREIGN: dict[str, Callable[[], dict[str, Any]]] = {
    "errors of its own": lambda: {"raise_for_status": True},
    "headers": lambda: {
        "headers": {
            "Authorization": "Foreign s3cr3t",
            "Accept": "text/html",
            "Content-Type": "text/foreign",
            "User-Agent": "foreign",
            "Cookie": "foreign=1",
            "X-Foreign": "1",
        }
    },
    "an address": lambda: {"base_url": "http://127.0.0.1:1/foreign/"},
    "cookies": lambda: {"cookie_jar": jar()},
    "a user": lambda: {"auth": aiohttp.BasicAuth("foreign", "s3cr3t")},
    "no compression": lambda: {"auto_decompress": False},
    "another JSON": lambda: {"json_serialize": lambda _: '"foreign"'},
    "no time": lambda: {"timeout": aiohttp.ClientTimeout(total=1e-9)},
    "no agent": lambda: {"skip_auto_headers": ["User-Agent", "Accept", "Content-Type"]},
    "a middleware": lambda: {"middlewares": [meddle]},
    "the environment": lambda: {"trust_env": True},
}


def plain(seen: Seen, origin: str) -> tuple[Any, ...]:
    """Reduce a request to what must be the same for every session."""
    headers = [(name, value.replace(origin.removeprefix("http://"), "HOST")) for name, value in seen.headers]
    return seen.method, seen.target, sorted(headers), seen.body


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a ~/.netrc with a password for the host that the peers have."""
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login foreign password s3cr3t\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))


@pytest.mark.parametrize("options", FOREIGN.values(), ids=FOREIGN)
@each()
async def test_sends_the_same_as_ever(call: Call, options: Callable[[], dict[str, Any]], netrc: None) -> None:
    """What a borrowed session is set to do changes neither what is sent nor what comes out."""
    async with Peer(call.answer) as peer, client_for(peer, token="tok") as owner:
        assert await call.run(owner, peer.origin) == call.value
        expected = plain(peer.requests[0], peer.origin)
        count = len(peer.requests)
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            http = aiohttp.ClientSession(**options())  # `auth` is one that aiohttp still takes and no longer likes
        async with http, client_for(peer, token="tok", http=http) as client:
            assert await call.run(client, peer.origin) == call.value
            await client.aclose()
            assert not http.closed
        assert plain(peer.requests[count], peer.origin) == expected


async def test_errors_are_ours_also_where_the_session_raises() -> None:
    """A session that raises for statuses does not hide ours."""
    async with (
        Peer(lambda _: reply({"msg": "m"}, 404)) as peer,
        aiohttp.ClientSession(raise_for_status=True) as http,
        client_for(peer, http=http) as client,
    ):
        with pytest.raises(NotFoundError) as caught:
            await client.sessions.get("1")
    assert caught.value.description == "m"


async def test_takes_no_cookies() -> None:
    """A cookie that the service sets reaches neither the next request nor the borrowed session."""

    def script(seen: Seen) -> Answer:
        return reply({"sessionId": "1", "status": "active"}, 200, ("Set-Cookie", "a=1; Path=/"))

    async with Peer(script) as peer, aiohttp.ClientSession(cookie_jar=jar()) as http:
        before = list(http.cookie_jar)
        for session in (http, None):
            async with client_for(peer, http=session) as client:
                await client.sessions.get("1")
                await client.sessions.get("2")
        assert list(http.cookie_jar) == before
    assert [seen.all("Cookie") for seen in peer.requests] == [[]] * 4


async def test_a_borrowed_session_stays_as_it_was() -> None:
    """After our calls a borrowed session is open, and itself repeats what it repeated before."""

    def script(seen: Seen) -> Answer:
        if seen.target == "/own" and seen.target not in [early.target for early in peer.requests[:-1]]:
            return drop("rst")
        return reply({"sessionId": "1", "status": "active"})

    async with Peer(script) as peer, aiohttp.ClientSession(headers={"X-Own": "1"}) as http:
        state = {name: value for name, value in vars(http).items() if name != "_loop"}
        async with client_for(peer, http=http) as client:
            await client.sessions.get("1")
        assert {name: value for name, value in vars(http).items() if name != "_loop"} == state
        await (await http.get(peer.origin + "/warm")).read()
        async with http.get(peer.origin + "/own") as response:
            assert response.status == 200
        assert [seen.target for seen in peer.requests][-2:] == ["/own", "/own"]
        assert peer.last.header("X-Own") == "1"


async def test_uses_the_borrowed_connections() -> None:
    """A borrowed session's pool is what is used: one connection for its requests and ours."""
    async with Peer(GET.answer) as peer, aiohttp.ClientSession() as http:
        await (await http.get(peer.origin + "/own")).read()
        async with client_for(peer, http=http) as client:
            await client.sessions.get("1")
        await (await http.get(peer.origin + "/own")).read()
    assert [seen.connection for seen in peer.requests] == [1, 1, 1]


@pytest.mark.parametrize("then", ["fin", "rst"])
@each(ONCE)
async def test_no_silent_repeat_on_a_borrowed_connection(call: Call, then: Then) -> None:
    """On a borrowed session, too, a call that creates is sent once when its kept connection drops."""

    def script(seen: Seen) -> Answer:
        return drop(then) if len(peer.requests) == warm + 1 else call.answer(seen)

    warm = 10**9
    async with (
        Peer(script) as peer,
        aiohttp.ClientSession() as http,
        client_for(peer, http=http, retry=QUICK) as client,
    ):
        await call.run(client, peer.origin)
        warm = len(peer.requests)
        with pytest.raises(OutcomeUnknownError):
            await call.run(client, peer.origin)
    assert len(peer.requests) == warm + 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("borrowed", [False, True])
@each()
async def test_the_token_stays_with_its_origin(call: Call, status: int, borrowed: bool) -> None:
    """No redirect is followed, on whatever session: the other address hears nothing."""
    async with Peer(nothing()) as other, Peer(lambda _: moved) as peer, aiohttp.ClientSession() as http:
        moved = Answer(status=status, headers=(("Location", other.origin + "/x"),))
        async with client_for(peer, http=http if borrowed else None) as client:
            if call.name == "sessions.browser_launch_url":
                assert await call.run(client, peer.origin) == other.origin + "/x"
            else:
                with pytest.raises(StatusError) as caught:
                    await call.run(client, peer.origin)
                assert caught.value.status == status
    assert other.connections == 0
    assert len(peer.requests) == 1


async def test_a_closed_borrowed_session_is_one_of_our_errors() -> None:
    """A session that its owner has closed raises ours, not aiohttp's."""
    async with Peer(GET.answer) as peer, aiohttp.ClientSession() as http:
        await http.close()
        with pytest.raises(G2AError):
            async with client_for(peer, http=http) as client:
                await client.sessions.get("1")
    assert peer.requests == []


def test_a_borrowed_session_belongs_to_its_loop() -> None:
    """On another loop than its session's, a call raises WrongLoopError, and nothing is sent."""

    async def lend() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    with threaded(GET.answer) as peer, asyncio.Runner() as first, asyncio.Runner() as second:
        http = first.run(lend())
        client = client_for(peer, http=http)
        with pytest.raises(WrongLoopError):
            second.run(GET.run(client, peer.origin))
        assert peer.requests == []
        assert first.run(GET.run(client, peer.origin)) == GET.value
        first.run(client.aclose())
        assert not http.closed
        first.run(http.close())


def test_an_owned_pool_outlives_loops() -> None:
    """One client works through several `asyncio.run`, and leaves nothing open behind."""
    with threaded(GET.answer) as peer:
        client = client_for(peer)
        for _ in range(3):
            assert asyncio.run(GET.run(client, peer.origin)) == GET.value
        asyncio.run(client.aclose())
        gc.collect()
    assert len(peer.requests) == 3


def test_a_client_is_made_without_a_loop() -> None:
    """A client that is made at import time, and never used, opens nothing and needs no closing."""
    client_for("http://127.0.0.1:1")
    gc.collect()


@each()
async def test_a_closed_client_refuses(call: Call) -> None:
    """After `aclose()`, and it may be called twice, each call raises ClientClosedError and sends nothing."""
    async with Peer(call.answer) as peer:
        client = client_for(peer)
        assert await call.run(client, peer.origin) == call.value
        count = len(peer.requests)
        await client.aclose()
        await client.aclose()
        with pytest.raises(ClientClosedError):
            await call.run(client, peer.origin)
        assert len(peer.requests) == count


async def test_closing_while_a_call_runs() -> None:
    """A call that is under way when its client closes ends with one of our errors, soon."""
    async with Peer(lambda _: drop("stall")) as peer:
        client = client_for(peer)
        task = asyncio.ensure_future(client.sessions.get("1"))
        await peer.received()
        await asyncio.wait_for(client.aclose(), 5)
        with pytest.raises((G2AError, asyncio.CancelledError)):
            await asyncio.wait_for(task, 5)
