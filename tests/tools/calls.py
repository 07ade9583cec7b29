"""The 16 calls of the API, once each: how they are made, what goes over the wire, what comes out.

Written from the reference, not from the package's own table, so that a mistake there shows here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from g2a_async import G2AClient, G2AError, RateLimiter, RetryPolicy, Settings
from tools.peer import BASE, Answer, Peer, Seen, reply

CALLBACK = "/desk/g2a"
USER_TOKEN = "user-token-F5EE645AAA87462523475FFF8576348574"
LAUNCH_TOKEN = "launch-8c1fd2a07be94e63"
LAUNCH_URL = f"https://launch.getgo.com/launch.html?token={LAUNCH_TOKEN}"
FROM = datetime(2021, 4, 30, 6, tzinfo=UTC)
TO = datetime(2021, 5, 1, 6, 30, 15, tzinfo=UTC)

SESSION = {"sessionId": "4217", "sessionType": "screen_sharing", "status": "active"}
SESSIONS_QUERY = (
    ("sessionType", "SCREEN_SHARING"),
    ("fromTime", "2021-04-30T06:00:00Z"),
    ("toTime", "2021-05-01T06:30:15Z"),
)
LINK = {
    "systemName": "Desk",
    "systemDomain": "desk.example",
    "userEmail": "ann@desk.example",
    "userToken": USER_TOKEN,
    "callbackURL": "https://desk.example/g2a",
}
CALLBACKS = {"createObject": True, "searchObjects": True, "associateObject": False}


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call, made in its smallest useful form."""

    name: str
    make: Callable[[G2AClient, str], Awaitable[Any]]
    """From a client and the partner's callback URL."""
    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    answer: Callable[[Seen], Answer]
    """What the service says when all is well."""
    shows: Callable[[Any], Any] = lambda result: result
    """Reduces the result to what is compared with `value`."""
    value: Any = None
    repeatable: bool = True
    authorized: bool = True

    @property
    def target(self) -> str:
        """The path as the server sees it."""
        return (CALLBACK if self.name.startswith("tickets.") else BASE) + self.path

    async def run(self, client: G2AClient, origin: str) -> Any:
        """Make the call and reduce its result. What hangs fails."""
        async with asyncio.timeout(10):
            return self.shows(await self.make(client, origin + CALLBACK))


def says(value: Any, *headers: tuple[str, str]) -> Callable[[Seen], Answer]:
    """Answer with this JSON, always."""
    return lambda _: reply(value, 200, *headers)


def nothing(status: int = 204) -> Callable[[Seen], Answer]:
    """Answer without a body, always."""
    return lambda _: Answer(status=status)


def redirect(location: str, status: int = 302) -> Callable[[Seen], Answer]:
    """Redirect, always."""
    return lambda _: Answer(status=status, headers=(("Location", location),))


def rows(items: list[Any], name: str | None = None, total: str | None = None) -> Callable[[Seen], Answer]:
    """Answer with what `offset` and `limit` ask for, bare or under a name, with or without a total."""

    def answer(seen: Seen) -> Answer:
        query = dict(seen.query)
        offset = int(query.get("offset", "0"))
        part = items[offset : offset + int(query.get("limit", "50"))]
        return reply(part if name is None else {name: part} | ({total: len(items)} if total else {}))

    return answer


def names(attribute: str) -> Callable[[Any], Any]:
    """Reduce items to this attribute."""
    return lambda items: [getattr(item, attribute) for item in items]


CALLS = (
    Call(
        name="sessions.start",
        make=lambda client, _: client.sessions.start(customer_name="Ann"),
        method="POST",
        path="/sessions",
        body={"sessionType": "SCREEN_SHARING", "customerName": "Ann"},
        answer=says({"startScreenSharing": {"launchUrl": LAUNCH_URL}}),
        shows=attrgetter("launch_url", "session_token"),
        value=(LAUNCH_URL, LAUNCH_TOKEN),
        repeatable=False,
    ),
    Call(
        name="sessions.get",
        make=lambda client, _: client.sessions.get("4217"),
        method="GET",
        path="/sessions/4217",
        answer=says(SESSION),
        shows=attrgetter("session_id", "status"),
        value=("4217", "active"),
    ),
    Call(
        name="sessions.list",
        make=lambda client, _: client.sessions.list(FROM, TO).collect(),
        method="GET",
        path="/sessions",
        query=SESSIONS_QUERY,
        answer=says({"totalNumSessions": 1, "sessions": [SESSION]}),
        shows=names("session_id"),
        value=["4217"],
    ),
    Call(
        name="sessions.browser_launch_url",
        make=lambda client, _: client.sessions.browser_launch_url(partner_object="17"),
        method="GET",
        path="/session",
        query=(("sessionType", "SCREEN_SHARING"), ("partnerObject", "17")),
        answer=redirect(LAUNCH_URL),
        value=LAUNCH_URL,
        repeatable=False,
        authorized=False,
    ),
    Call(
        name="sessions.transcript",
        make=lambda client, _: client.sessions.transcript("4217"),
        method="GET",
        path="/sessions/4217/events",
        answer=says({"events": [{"timeStamp": "2021-04-30T06:00:00Z", "content": "Hello", "participantName": "Ann"}]}),
        shows=lambda transcript: [(event.content, event.participant_name) for event in transcript.events],
        value=[("Hello", "Ann")],
    ),
    Call(
        name="companies.list",
        make=lambda client, _: client.companies.list(sort_field="companyId", sort_order="asc").collect(),
        method="GET",
        path="/companies",
        query=(("limit", "50"), ("offset", "0"), ("sortField", "companyId"), ("sortOrder", "asc")),
        answer=rows([{"companyId": 9, "companyName": "Nine"}], "companies", "totalNumCompanies"),
        shows=names("company_id"),
        value=[9],
    ),
    Call(
        name="companies.machines",
        make=lambda client, _: client.companies.machines(9).collect(),
        method="GET",
        path="/companies/9/machines",
        query=(("limit", "50"), ("offset", "0")),
        answer=rows([{"machineUuid": "m-1", "machineName": "One"}], "machines", "totalNumMachines"),
        shows=names("machine_uuid"),
        value=["m-1"],
    ),
    Call(
        name="recordings.available",
        make=lambda client, _: client.recordings.available(account_key=77),
        method="GET",
        path="/archive/recordings",
        query=(("accountKey", "77"),),
        answer=says({"readyForTranscode": [1], "readyForDownload": [2, 3]}),
        shows=attrgetter("ready_for_transcode", "ready_for_download", "truncated"),
        value=((1,), (2, 3), False),
    ),
    Call(
        name="recordings.urls",
        make=lambda client, _: client.recordings.urls([5]).collect(),
        method="GET",
        path="/archive/recordings/urls",
        query=(("recordingIds", "5"),),
        answer=says([{"recordingId": 5, "recordingUrl": "https://files.example/5.mp4?secret=1"}]),
        shows=names("recording_id"),
        value=[5],
    ),
    Call(
        name="recordings.transcode",
        make=lambda client, _: client.recordings.transcode([5]),
        method="POST",
        path="/archive/recordings/transcode/5",
        answer=nothing(),
    ),
    Call(
        name="recordings.mark_archived",
        make=lambda client, _: client.recordings.mark_archived([5]),
        method="PUT",
        path="/archive/recordings/archived/5",
        answer=nothing(),
    ),
    Call(
        name="system_links.register",
        make=lambda client, _: client.system_links.register(
            system_name="Desk",
            system_domain="desk.example",
            user_email="ann@desk.example",
            user_token=USER_TOKEN,
            callback_url="https://desk.example/g2a",
            create_object=True,
            search_objects=True,
        ),
        method="POST",
        path="/systemLinks",
        body=LINK | {"supportedCallbacks": CALLBACKS},
        answer=nothing(200),
    ),
    Call(
        name="system_links.list",
        make=lambda client, _: client.system_links.list("desk.example"),
        method="GET",
        path="/systemLinks",
        query=(("systemDomain", "desk.example"),),
        answer=says([LINK]),
        shows=names("user_token"),
        value=[USER_TOKEN],
    ),
    Call(
        name="tickets.search",
        make=lambda client, callback: client.tickets(callback, USER_TOKEN).search("disk").collect(),
        method="GET",
        path="/",
        query=(("userToken", USER_TOKEN), ("q", "disk"), ("limit", "10"), ("offset", "0")),
        answer=rows([{"id": 31, "title": "Disk full"}], "tickets", "total"),
        shows=names("id"),
        value=["31"],
        authorized=False,
    ),
    Call(
        name="tickets.create",
        make=lambda client, callback: client.tickets(callback, USER_TOKEN).create(
            session_id="4217", title="Disk", body="It is full"
        ),
        method="POST",
        path="/",
        body={"sessionId": "4217", "userToken": USER_TOKEN, "title": "Disk", "body": "It is full"},
        answer=says({"id": 31, "title": "Disk"}),
        shows=attrgetter("id"),
        value="31",
        repeatable=False,
        authorized=False,
    ),
    Call(
        name="tickets.associate",
        make=lambda client, callback: client.tickets(callback, USER_TOKEN).associate(
            session_id="4217", partner_object="31"
        ),
        method="PUT",
        path="/",
        body={"sessionId": "4217", "userToken": USER_TOKEN, "partnerObject": "31"},
        answer=nothing(200),
        authorized=False,
    ),
)

BY_NAME = {call.name: call for call in CALLS}


def each(calls: tuple[Call, ...] = CALLS, *, but: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    """One test for each of these calls."""
    chosen = [call for call in calls if call.name not in but]
    return pytest.mark.parametrize("call", chosen, ids=lambda call: call.name)


REPEATABLE = tuple(call for call in CALLS if call.repeatable)
ONCE = tuple(call for call in CALLS if not call.repeatable)
QUICK = RetryPolicy(base=0.001, cap=0.002)


def client_for(
    peer: Peer | str,
    *,
    token: str | None = None,
    http: aiohttp.ClientSession | None = None,
    limiter: RateLimiter | None = None,
    **changes: Any,
) -> G2AClient:
    """Make a client of this peer (or origin), without a quota; it repeats nothing unless told to.

    Each has a token of its own: what a 429 does to one credential must not reach another test.
    """
    origin = peer if isinstance(peer, str) else peer.origin
    settings: dict[str, Any] = {"base_url": origin + BASE, "requests_per_second": None, "retry": RetryPolicy.none()}
    return G2AClient(
        token or f"token-{uuid4().hex}", settings=Settings(**settings | changes), http=http, limiter=limiter
    )


async def failure(name: str, answer: Answer) -> Any:
    """Make a call that is answered so, and give what it raises."""
    async with Peer(lambda _: answer) as peer, client_for(peer) as client:
        with pytest.raises(G2AError) as caught:
            await BY_NAME[name].run(client, peer.origin)
        assert len(peer.repeats) == 1
    return caught.value
