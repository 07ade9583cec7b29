"""What each call sends, to the byte where the byte matters."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from tools.calls import (
    BY_NAME,
    CALLBACK,
    CALLBACKS,
    FROM,
    LAUNCH_URL,
    LINK,
    ONCE,
    REPEATABLE,
    SESSION,
    SESSIONS_QUERY,
    TO,
    USER_TOKEN,
    Call,
    client_for,
    each,
)
from tools.peer import BASE, Answer, Peer, Seen, reply

from g2a_async import G2AClient, SessionKind, __version__

Make = Callable[[G2AClient], Any]
BIG = 9999982253621659654  # over 63 bits, and over what a double holds
NAIVE = datetime(2021, 4, 30, 6)  # noqa: DTZ001  the point of it
PLUS_TWO = timezone(timedelta(hours=2))
CALLBACK_URL = "https://desk.example/g2a?x=1&y=a+b"


def canonical(value: Any) -> str:
    """JSON in one form: unlike `==`, it tells true from 1 and "1" from 1."""
    return json.dumps(value, sort_keys=True)


@each()
async def test_sends_what_the_reference_says(call: Call) -> None:
    """Each call sends one request: this method, path, query, body and headers, and gives this result."""
    async with Peer(call.answer) as peer, client_for(peer, token="tok-1") as client:
        result = await call.run(client, peer.origin)
    seen = peer.requests[0]
    assert (seen.method, seen.raw_path) == (call.method, call.target)
    assert sorted(set(seen.query) - {("archived", "0")}) == sorted(call.query)
    assert seen.all("Authorization") == (["Bearer tok-1"] if call.authorized else [])
    assert seen.all("Accept") == ["application/json"]
    assert seen.all("User-Agent") == [f"g2a-async/{__version__}"]
    if call.body is None:
        assert seen.body == b""
        assert seen.all("Content-Type") == []
    else:
        assert canonical(seen.json()) == canonical(call.body)
        assert (seen.header("Content-Type") or "").split(";")[0] == "application/json"
    assert seen.all("Cookie") == []
    assert result == call.value
    assert len(peer.repeats) == 1


def test_the_table_holds_every_call_of_the_reference() -> None:
    """Sixteen calls, three of them never repeated, four without our credentials."""
    assert len(BY_NAME) == len(REPEATABLE) + len(ONCE) == 16
    assert {call.name for call in ONCE} == {"sessions.start", "sessions.browser_launch_url", "tickets.create"}
    open_to_all = {call.name for call in BY_NAME.values() if not call.authorized}
    assert open_to_all == {"sessions.browser_launch_url", "tickets.search", "tickets.create", "tickets.associate"}


FULL: dict[str, tuple[Make, str, str, list[tuple[str, str]], Any]] = {
    "start, all of it": (
        lambda client: client.sessions.start(
            customer_name="Zoë \N{SNOWMAN}",
            customer_email="zoe+x@example.com",
            partner_object="17",
            partner_object_url="https://desk.example/17",
            status_callback_url=CALLBACK_URL,
            machine_uuid="m-1",
        ),
        "POST",
        BASE + "/sessions",
        [],
        {
            "sessionType": "SCREEN_SHARING",
            "customerName": "Zoë \N{SNOWMAN}",
            "customerEmail": "zoe+x@example.com",
            "partnerObject": "17",
            "partnerObjectUrl": "https://desk.example/17",
            "sessionStatusCallbackUrl": CALLBACK_URL,
            "machineUuid": "m-1",
        },
    ),
    "start, nothing given": (
        lambda client: client.sessions.start(),
        "POST",
        BASE + "/sessions",
        [],
        {"sessionType": "SCREEN_SHARING"},
    ),
    "get, an ID that needs encoding": (
        lambda client: client.sessions.get("a/b ?#%+ü&;="),
        "GET",
        BASE + "/sessions/a/b ?#%+ü&;=",
        [],
        None,
    ),
    "transcript, an ID that needs encoding": (
        lambda client: client.sessions.transcript("a/b%2F"),
        "GET",
        BASE + "/sessions/a/b%2F/events",
        [],
        None,
    ),
    "list, no end": (
        lambda client: client.sessions.list(FROM).collect(),
        "GET",
        BASE + "/sessions",
        list(SESSIONS_QUERY[:2]),
        None,
    ),
    "list, another zone": (
        lambda client: client.sessions.list(FROM.astimezone(PLUS_TWO), TO.astimezone(PLUS_TWO)).collect(),
        "GET",
        BASE + "/sessions",
        list(SESSIONS_QUERY),
        None,
    ),
    "browser, all of it": (
        lambda client: client.sessions.browser_launch_url(
            layout="iFrame",
            partner_object="a+b c",
            partner_object_url="https://desk.example/?q=a+b&r=ü",
            status_callback_url=CALLBACK_URL,
        ),
        "GET",
        BASE + "/session",
        [
            ("sessionType", "SCREEN_SHARING"),
            ("layout", "iFrame"),
            ("partnerObject", "a+b c"),
            ("partnerObjectUrl", "https://desk.example/?q=a+b&r=ü"),
            ("sessionStatusCallbackUrl", CALLBACK_URL),
        ],
        None,
    ),
    "companies, all of it": (
        lambda client: client.companies.list(
            "a+b &c", sort_field="companyName", sort_order="desc", page_size=7
        ).collect(),
        "GET",
        BASE + "/companies",
        [("q", "a+b &c"), ("sortField", "companyName"), ("sortOrder", "desc"), ("limit", "7"), ("offset", "0")],
        None,
    ),
    "machines, 20 digits": (
        lambda client: client.companies.machines(99999822536216596540, page_size=1).collect(),
        "GET",
        BASE + "/companies/99999822536216596540/machines",
        [("limit", "1"), ("offset", "0")],
        None,
    ),
    "machines, an ID as text": (
        lambda client: client.companies.machines(str(BIG)).collect(),
        "GET",
        f"{BASE}/companies/{BIG}/machines",
        [("limit", "50"), ("offset", "0")],
        None,
    ),
    "available, all of it": (
        lambda client: client.recordings.available(
            account_key=BIG,
            user_key=str(BIG),
            company_id=3,
            session_type=SessionKind.ATTENDED,
            from_time=FROM,
            to_time=TO,
            time_period=30,
            archived=True,
        ),
        "GET",
        BASE + "/archive/recordings",
        [
            ("accountKey", str(BIG)),
            ("userKey", str(BIG)),
            ("companyId", "3"),
            ("sessionType", "0"),
            *SESSIONS_QUERY[1:],
            ("timePeriod", "30"),
            ("archived", "1"),
        ],
        None,
    ),
    "available, unattended": (
        lambda client: client.recordings.available(company_id="3", session_type=1, archived=True),
        "GET",
        BASE + "/archive/recordings",
        [("companyId", "3"), ("sessionType", "1"), ("archived", "1")],
        None,
    ),
    "urls, repeated": (
        lambda client: client.recordings.urls(number for number in (1, str(BIG), 3)).collect(),
        "GET",
        BASE + "/archive/recordings/urls",
        [("recordingIds", "1"), ("recordingIds", "3"), ("recordingIds", str(BIG))],
        None,
    ),
    "transcode, one": (
        lambda client: client.recordings.transcode([str(BIG)]),
        "POST",
        f"{BASE}/archive/recordings/transcode/{BIG}",
        [],
        None,
    ),
    "register, no callbacks": (
        lambda client: client.system_links.register(
            system_name="Desk",
            system_domain="desk.example",
            user_email="ann@desk.example",
            user_token=USER_TOKEN,
            callback_url="https://desk.example/g2a",
        ),
        "POST",
        BASE + "/systemLinks",
        [],
        LINK | {"supportedCallbacks": dict.fromkeys(CALLBACKS, False)},
    ),
    "links, a domain that needs encoding": (
        lambda client: client.system_links.list("a&b=c+d.example"),
        "GET",
        BASE + "/systemLinks",
        [("systemDomain", "a&b=c+d.example")],
        None,
    ),
    "any call": (
        lambda client: client.request("POST", "/new/thing", query={"q": "a+b", "n": BIG}, json={"on": True}),
        "POST",
        BASE + "/new/thing",
        [("q", "a+b"), ("n", str(BIG))],
        {"on": True},
    ),
}


WILLING = {
    "sessions": {"startScreenSharing": {"launchUrl": LAUNCH_URL}, "totalNumSessions": 0, "sessions": []},
    "events": [],
    "companies": [],
    "machines": [],
    "recordings": {"readyForTranscode": [], "readyForDownload": []},
    "urls": [],
    "systemLinks": [],
}


def willing(seen: Seen) -> Answer:
    """Satisfy whoever asks."""
    name = seen.path.rpartition("/")[2]
    if name == "session":
        return Answer(status=302, headers=(("Location", LAUNCH_URL),))
    if name in WILLING:
        return reply(WILLING[name])
    return reply(SESSION) if "/sessions/" in seen.path else Answer(status=204)


@pytest.mark.parametrize(("make", "method", "path", "query", "body"), FULL.values(), ids=FULL)
async def test_every_parameter(make: Make, method: str, path: str, query: list[tuple[str, str]], body: Any) -> None:
    """Each parameter goes where the reference puts it, whatever characters it holds, and None goes nowhere."""
    async with Peer(willing) as peer, client_for(peer) as client:
        await make(client)
    seen = peer.requests[0]
    assert (seen.method, seen.path) == (method, path)
    assert sorted(seen.query) == sorted(query)
    assert seen.body == b"" if body is None else canonical(seen.json()) == canonical(body)


async def test_encodes_one_path_segment_and_no_more() -> None:
    """A session ID is one segment of the path: its slash, mark, hash and percent sign are encoded, once."""
    async with Peer(willing) as peer, client_for(peer) as client:
        await client.sessions.get("a/b?c#d%2Fe")
        await client.recordings.mark_archived(range(1, 4))
    assert peer.requests[0].target.upper() == f"{BASE}/sessions/a%2Fb%3Fc%23d%252Fe".upper()
    assert peer.requests[1].target == f"{BASE}/archive/recordings/archived/1,2,3"


async def test_encodes_plus_in_a_query() -> None:
    """A `+` is percent-encoded: bare, it would arrive as a space."""
    async with Peer(willing) as peer, client_for(peer) as client:
        await client.sessions.browser_launch_url(partner_object="a+b")
    assert "partnerObject=a%2Bb" in peer.last.target


@pytest.mark.parametrize("extra", ["", "/"])
async def test_joins_addresses_with_one_slash(extra: str) -> None:
    """A base URL and a callback URL mean the same with and without a slash at the end."""
    async with Peer(willing) as peer, client_for(peer, base_url=peer.url + extra) as client:
        await client.sessions.get("1")
        assert peer.last.target == BASE + "/sessions/1"
        await client.tickets(peer.origin + CALLBACK + extra, USER_TOKEN).associate(session_id="1", partner_object="2")
        assert peer.last.target == CALLBACK + "/"


@each()
async def test_the_older_authorization(call: Call) -> None:
    """With `auth_scheme="OAuth"` the header has the older form, and is still absent where it must be."""
    async with Peer(call.answer) as peer, client_for(peer, token="tok-1", auth_scheme="OAuth") as client:
        await call.run(client, peer.origin)
    assert peer.last.all("Authorization") == (["OAuth oauth_token=tok-1"] if call.authorized else [])


async def test_the_name_of_the_recording_ids_is_a_setting() -> None:
    """`recording_ids_param` replaces the unpublished name."""
    call = BY_NAME["recordings.urls"]
    async with Peer(call.answer) as peer, client_for(peer, recording_ids_param="id") as client:
        assert await call.run(client, peer.origin) == [5]
    assert peer.last.query == [("id", "5")]


async def test_the_browser_url_is_built_without_a_request() -> None:
    """`browser_url` gives the address of `GET /session` with its parameters encoded, and sends nothing."""
    async with Peer(willing) as peer, client_for(peer) as client:
        url = urlsplit(client.sessions.browser_url(layout="iFrame", partner_object="a+b"))
    assert f"{url.scheme}://{url.netloc}{url.path}" == peer.url + "/session"
    assert sorted(parse_qsl(url.query)) == [
        ("layout", "iFrame"),
        ("partnerObject", "a+b"),
        ("sessionType", "SCREEN_SHARING"),
    ]
    assert peer.requests == []


async def test_times_are_whole_seconds_of_utc() -> None:
    """Times are sent as UTC in whole seconds, which is the only form seen to work."""
    exact = datetime(2021, 4, 30, 6, 0, 0, 0, tzinfo=UTC)
    async with Peer(willing) as peer, client_for(peer) as client:
        await client.recordings.available(user_key=1, from_time=exact.replace(microsecond=999_999))
    assert dict(peer.last.query)["fromTime"] in {"2021-04-30T06:00:00Z", "2021-04-30T06:00:01Z"}
