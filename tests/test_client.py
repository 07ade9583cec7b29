"""The session manager: made without I/O, shared where it should be, and silent about secrets."""

import asyncio
import logging
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from tools.calls import SESSION, client_for
from tools.peer import BASE, Answer, Peer, reply

import g2a_async
from g2a_async import (
    BadRequestError,
    ClientClosedError,
    ConfigError,
    DecodeError,
    G2AClient,
    OutcomeUnknownError,
    RetryPolicy,
    Settings,
    StaticToken,
)

TOKEN = f"s3cr3t-{uuid4().hex}"

# The names of the contract, written down here so that none of them is lost unnoticed.
PUBLIC = [
    "G2AClient",
    "Settings",
    "RetryPolicy",
    "RateLimiter",
    "Auth",
    "StaticToken",
    "Page",
    "Pager",
    "Outcome",
    "Sessions",
    "Companies",
    "Recordings",
    "RecordingUrls",
    "SystemLinks",
    "Tickets",
    "SessionStatus",
    "Session",
    "StartedSession",
    "SessionChange",
    "Transcript",
    "Company",
    "Machine",
    "SessionKind",
    "AvailableRecordings",
    "RecordingFiles",
    "SystemLink",
    "Ticket",
    "G2AError",
    "ConfigError",
    "ClientClosedError",
    "WrongLoopError",
    "TransportError",
    "ConnectError",
    "DeadlineExceededError",
    "OutcomeUnknownError",
    "StatusError",
    "BadRequestError",
    "UnauthorizedError",
    "ForbiddenError",
    "NotFoundError",
    "MethodNotAllowedError",
    "RateLimitedError",
    "ServerError",
    "DecodeError",
    "PagingStalledError",
    "ReauthorizationRequiredError",
    "OAuth2",
    "Token",
    "TokenStore",
    "MemoryTokenStore",
    "FileTokenStore",
]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_of_the_contract_is_there(name: str) -> None:
    """What the contract names can be imported from the package, is listed, and knows its meaning."""
    assert getattr(g2a_async, name).__doc__
    assert name in vars(g2a_async)["__all__"]
    assert name in dir(g2a_async)


def test_no_other_name_is_there() -> None:
    """A name that the package does not have is an AttributeError."""
    with pytest.raises(AttributeError, match="Nonsense"):
        _ = g2a_async.Nonsense  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def test_making_a_client_does_nothing() -> None:
    """Without a loop, without I/O: a client can be made at import time, and so can its services, pagers and links."""
    code = """if True:
        import socket, sys
        import g2a_async
        assert "aiohttp" not in sys.modules
        import aiohttp, asyncio
        asyncio.new_event_loop = aiohttp.ClientSession.__init__ = socket.socket.__init__ = None
        client = g2a_async.G2AClient("token")
        pager = client.companies.list("x").limit(3)
        urls = client.recordings.urls([1, 2])
        tickets = client.tickets("https://desk.example/", "user").search()
        print(repr(client), client.sessions.browser_url(layout="iFrame"))
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.startswith("G2AClient(")


def test_each_service_is_made_once() -> None:
    """A service is the same object each time, and its repr tells where it goes."""
    client = G2AClient(TOKEN)
    for name in ("sessions", "companies", "recordings", "system_links"):
        assert getattr(client, name) is getattr(client, name)
        assert "api.getgo.com" in repr(getattr(client, name))


@pytest.mark.parametrize("auth", [object(), 17, b"token", "", "a b", "a\nb", "é"])
def test_an_unusable_credential_is_told(auth: Any) -> None:
    """What is no credential is a ConfigError at once, which does not show it."""
    with pytest.raises(ConfigError) as caught:
        G2AClient(auth)
    assert "a\nb" not in str(caught.value)


def test_nothing_shows_a_secret() -> None:
    """Neither the client nor what hangs on it shows a token or a password."""
    settings = Settings(proxy=f"http://ann:{TOKEN}@proxy.example:3128")
    client = G2AClient(TOKEN, settings=settings)
    tickets = client.tickets("https://desk.example/g2a", TOKEN)
    shown = [client, client.settings, client.sessions, tickets, tickets.search(), client.recordings.urls([1])]
    for one in [*shown, StaticToken(TOKEN), client.with_settings(deadline=1.0)]:
        assert TOKEN not in f"{one!r} {one}"


def test_a_password_in_a_callback_url_is_not_shown() -> None:
    """A partner's address may hold a password: the repr of its client does not show it."""
    try:
        tickets = G2AClient(TOKEN).tickets(f"https://ann:{TOKEN}@desk.example/g2a", "user")
    except ValueError as error:
        assert TOKEN not in str(error)  # noqa: PT017  refusing it is as right
    else:
        assert TOKEN not in repr(tickets)


@pytest.mark.parametrize("url", ["", "desk.example", "ftp://desk.example", "https://desk.example/?a=1", "https://h/#x"])
def test_a_callback_url_is_checked(url: str) -> None:
    """A callback URL that cannot be one is refused before anything is sent; so is an empty user token."""
    with pytest.raises(ValueError, match="callback_url"):
        G2AClient(TOKEN).tickets(url, "user")
    with pytest.raises(ValueError, match="user_token"):
        G2AClient(TOKEN).tickets("https://desk.example", "")


async def test_other_settings_share_what_costs() -> None:
    """`with_settings` gives a client with its own settings over the same connections, quota and credentials."""
    async with Peer(lambda _: reply(SESSION)) as peer, client_for(peer, requests_per_second=50.0) as client:
        other = client.with_settings(user_agent="mine/1", deadline=None)
        assert type(other) is type(client)
        await client.sessions.get("4217")
        await other.sessions.get("4217")
        assert [seen.header("User-Agent") for seen in peer.requests] == [client.settings.user_agent, "mine/1"]
        assert peer.requests[0].header("Authorization") == peer.requests[1].header("Authorization")
        assert other.sessions is not client.sessions
        assert peer.connections == 1
        assert other._transport.limiter is client._transport.limiter
        assert client.settings.deadline == 60.0
        await client.aclose()
        with pytest.raises(ClientClosedError):
            await other.sessions.get("4217")
        with pytest.raises(ClientClosedError):
            await other.__aenter__()


@pytest.mark.parametrize("changes", [{"max_connections": 3}, {"requests_per_second": 3.0}, {"deadline": -1}])
def test_what_is_shared_cannot_differ(changes: dict[str, Any]) -> None:
    """A setting of the shared pool or quota is refused, and so is a bad one."""
    with pytest.raises(ValueError, match=next(iter(changes))):
        G2AClient(TOKEN).with_settings(**changes)


def test_clients_of_one_credential_share_the_quota() -> None:
    """Two clients of a token have one quota; another token, another service or no limit have none of it."""
    first, second = G2AClient(TOKEN), G2AClient(TOKEN)
    assert first._transport.limiter is second._transport.limiter is not None
    assert G2AClient(uuid4().hex)._transport.limiter is not first._transport.limiter
    elsewhere = G2AClient(TOKEN, settings=Settings(base_url="http://127.0.0.1:1"))
    assert elsewhere._transport.limiter is not first._transport.limiter
    slash = G2AClient(TOKEN, settings=Settings(base_url=first.settings.base_url + "/"))
    assert slash._transport.limiter is first._transport.limiter
    assert G2AClient(TOKEN, settings=Settings(requests_per_second=None))._transport.limiter is None


@pytest.mark.parametrize(
    "path",
    [
        "",
        "companies",
        "http://h/x",
        "//",
        "/x?a=1",
        "/x#y",
        "/a b",
        "/../x",
        "/x/..",
        "/./x",
        "/x\n",
        "/\x00",
        "\\x",
        "/{x}",
        "/sessions/{sessionId}",
        "/companies/{companyId}/machines",
        "/é",
        "/%2e%2e/x",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_path_that_is_none_is_refused(method: str, path: str) -> None:
    """`request` takes a path and nothing else: what could lead elsewhere is a ValueError, or goes out as it is."""
    async with Peer(lambda _: reply({})) as peer, client_for(peer) as client:
        try:
            await client.request(method, path)
        except ValueError:
            assert peer.requests == []
        else:
            target = peer.last.raw_path
            assert target.startswith(f"{BASE}/")
            assert target.isascii()
            assert ".." not in peer.last.path


@pytest.mark.parametrize("method", ["", "GE T", "GET\r\nX: y", "1"])
async def test_a_method_that_is_none_is_refused(method: str) -> None:
    """A method that is no word is a ValueError, and nothing is sent."""
    async with Peer(lambda _: reply({})) as peer, client_for(peer) as client:
        with pytest.raises(ValueError, match="method"):
            await client.request(method, "/companies")
    assert peer.requests == []


async def test_a_call_without_a_method_of_its_own() -> None:
    """`request` sends query and JSON as they are meant, and gives decoded JSON, or None where there is none."""
    big = 9999982253621659654
    async with Peer([reply({"a": [big]}), Answer(status=204), reply([], 201)]) as peer, client_for(peer) as client:
        query = {"ids": [1, 2], "q": "a+b&c", "none": None, "text": "é"}
        assert await client.request("get", "/new/thing", query=query) == {"a": [big]}
        assert peer.last.query == [("ids", "1"), ("ids", "2"), ("q", "a+b&c"), ("text", "é")]
        assert (peer.last.method, peer.last.path, peer.last.body) == ("GET", f"{BASE}/new/thing", b"")
        assert peer.last.header("Content-Type") is None
        body = {"at": datetime(2024, 1, 2, 3, tzinfo=UTC), "id": big}
        assert await client.request("POST", "/new/thing", json=body) is None
        assert peer.last.json() == {"at": "2024-01-02T03:00:00Z", "id": big}
        assert await client.request("PUT", "/new/thing", json=[]) == []
        assert peer.last.body == b"[]"


async def test_a_call_without_a_method_keeps_the_guarantees() -> None:
    """`request` repeats what may be repeated and nothing else, and raises the same errors."""
    settings: dict[str, Any] = {"retry": RetryPolicy(base=0.001, cap=0.001)}
    lost = [Answer(cut=0, then="fin"), reply({})]
    async with (
        Peer([*lost, *lost, reply({}, 400), Answer(body=b"<h1>")]) as peer,
        client_for(peer, **settings) as client,
    ):
        assert await client.request("PUT", "/new") == {}
        with pytest.raises(OutcomeUnknownError):
            await client.request("POST", "/new")
        assert await client.request("GET", "/new") == {}
        with pytest.raises(BadRequestError):
            await client.request("GET", "/new")
        with pytest.raises(DecodeError):
            await client.request("GET", "/new")


async def test_a_call_of_the_table_keeps_its_row() -> None:
    """`request` for a call of the table knows what that says: `GET /session` creates, and carries no token."""
    async with Peer([Answer(cut=0, then="fin"), reply({})]) as peer, client_for(peer) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.request("GET", "/session", query={"sessionType": "SCREEN_SHARING"})
        assert peer.last.header("Authorization") is None


def test_a_client_from_variables() -> None:
    """Token and address come from the environment, settings from the call, which win."""
    environ = {"G2A_ACCESS_TOKEN": f" {TOKEN} ", "G2A_BASE_URL": "http://127.0.0.1:1/x"}
    client = G2AClient.from_env(environ, deadline=3.0)
    assert (client.settings.base_url, client.settings.deadline) == ("http://127.0.0.1:1/x", 3.0)
    assert asyncio.run(client._transport.auth.token()) == TOKEN
    assert G2AClient.from_env(environ, base_url="http://h/").settings.base_url == "http://h/"


@pytest.mark.parametrize(
    ("environ", "changes", "said"),
    [
        ({}, {}, "G2A_ACCESS_TOKEN"),
        ({"G2A_ACCESS_TOKEN": "  "}, {}, "G2A_ACCESS_TOKEN"),
        ({"G2A_ACCESS_TOKEN": TOKEN, "G2A_BASE_URL": "nowhere"}, {}, "^G2A_BASE_URL must"),
        ({"G2A_ACCESS_TOKEN": TOKEN}, {"deadline": -1}, "deadline"),
        ({"G2A_ACCESS_TOKEN": TOKEN}, {"nonsense": 1}, "nonsense"),
        ({"G2A_ACCESS_TOKEN": f"{TOKEN}\n{TOKEN}"}, {}, "^G2A_ACCESS_TOKEN is"),
    ],
)
def test_variables_that_do_not_fit_are_told(environ: dict[str, str], changes: dict[str, Any], said: str) -> None:
    """ConfigError names what is missing or wrong, and shows no secret."""
    with pytest.raises(ConfigError, match=said) as caught:
        G2AClient.from_env(environ, **changes)
    assert TOKEN not in f"{caught.value} {caught.value!r}"


async def test_what_is_logged_shows_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """Debug logs tell method, address and status, and no token."""
    caplog.set_level(logging.DEBUG)
    async with Peer(lambda _: reply([])) as peer, client_for(peer, token=TOKEN) as client:
        await client.request("GET", "/x", query={"userToken": TOKEN})
        await client.tickets(peer.origin + "/desk", TOKEN).search().collect()
    assert "GET" in caplog.text
    assert "200" in caplog.text
    assert TOKEN not in caplog.text
