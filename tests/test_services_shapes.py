"""Each service method, without a network: what it sends, and what it makes of the published answers.

aioresponses bypasses sockets: this shows shapes, and proves nothing about reliability.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from aiohttp import ClientSession
from aioresponses import aioresponses
from attrs import frozen
from tools.aioresponses_compat import Responses

from g2a_async import (
    BadRequestError,
    ForbiddenError,
    G2AClient,
    MethodNotAllowedError,
    NotFoundError,
    RetryPolicy,
    ServerError,
    SessionKind,
    Settings,
    StatusError,
    UnauthorizedError,
)

BASE = "https://api.getgo.com/G2A/rest/v1"
DESK = "https://desk.example/g2a"
FROM = datetime(2021, 4, 30, 6, tzinfo=UTC)
TO = FROM + timedelta(days=1)
LAUNCH = "https://launch.getgo.com/launch.html?token=launch-token"
ROW = {"sessionId": 4217, "sessionType": "screen_sharing", "status": "active", "accountKey": 77}
LIMITS = {"limit": "50", "offset": "0"}
LINK = {"systemName": "Desk", "systemDomain": "desk.example", "userEmail": "a@desk.example", "userToken": "ut"}


@frozen(kw_only=True)
class Shape:
    """One call as it is written, sent, answered and read."""

    make: Callable[[G2AClient], Awaitable[Any]]
    method: str = "GET"
    url: str
    query: Mapping[str, str] = MappingProxyType({})
    body: bytes | None = None
    answer: Any = None
    status: int = 200
    gives: Callable[[Any], Any] = lambda result: result
    result: Any = None
    authorized: bool = True
    errors: tuple[int, ...] = ()


SHAPES: dict[str, Shape] = {
    "sessions.start": Shape(
        make=lambda c: c.sessions.start(customer_name="Ann", partner_object="17", machine_uuid="m-1"),
        method="POST",
        url=f"{BASE}/sessions",
        body=b'{"sessionType":"SCREEN_SHARING","partnerObject":"17","customerName":"Ann","machineUuid":"m-1"}',
        answer={"startScreenSharing": {"launchUrl": LAUNCH}},
        gives=lambda started: (started.launch_url, started.session_token),
        result=(LAUNCH, "launch-token"),
        errors=(400, 401, 403, 404, 405, 500),
    ),
    "sessions.get": Shape(
        make=lambda c: c.sessions.get("4217"),
        url=f"{BASE}/sessions/4217",
        answer=ROW,
        gives=lambda session: (session.session_id, session.status, session.account_key),
        result=("4217", "active", 77),
        errors=(401, 404, 405, 500),
    ),
    "sessions.list": Shape(
        make=lambda c: c.sessions.list(FROM, TO).collect(),
        url=f"{BASE}/sessions",
        query={
            "sessionType": "SCREEN_SHARING",
            "fromTime": "2021-04-30T06:00:00Z",
            "toTime": "2021-05-01T06:00:00Z",
        },
        answer={"totalNumSessions": 1, "sessions": [ROW | {"sessionStartToken": 99}]},
        gives=lambda rows: [(row.session_id, row.session_start_token) for row in rows],
        result=[("4217", "99")],
        errors=(401, 405, 500),
    ),
    "sessions.browser_launch_url": Shape(
        make=lambda c: c.sessions.browser_launch_url(layout="iFrame"),
        url=f"{BASE}/session",
        query={"sessionType": "SCREEN_SHARING", "layout": "iFrame"},
        status=302,
        result=LAUNCH,
        authorized=False,
        errors=(400, 500),
    ),
    "sessions.transcript": Shape(
        make=lambda c: c.sessions.transcript("4217"),
        url=f"{BASE}/sessions/4217/events",
        answer={"sessionId": 4217, "events": [{"timeStamp": "2021-04-30T06:00:00.5Z", "content": "Hi"}]},
        gives=lambda chat: (chat.session_id, [(event.content, event.time_stamp) for event in chat.events]),
        result=("4217", [("Hi", FROM + timedelta(milliseconds=500))]),
        errors=(401, 404, 500),
    ),
    "companies.list": Shape(
        make=lambda c: c.companies.list("A&B", sort_field="companyId", sort_order="desc").collect(),
        url=f"{BASE}/companies",
        query={"q": "A&B", "sortField": "companyId", "sortOrder": "desc", **LIMITS},
        answer={"totalNumCompanies": 1, "companies": [{"companyId": 9, "companyName": "A&B"}]},
        gives=lambda rows: [(row.company_id, row.company_name) for row in rows],
        result=[(9, "A&B")],
        errors=(400, 401, 403, 405, 500),
    ),
    "companies.machines": Shape(
        make=lambda c: c.companies.machines(9).collect(),
        url=f"{BASE}/companies/9/machines",
        query=LIMITS,
        answer={
            "totalNumMachines": 1,
            "machines": [{"machineUuid": "m-1", "machineStatus": "ONLINE", "companyId": "9"}],
        },
        gives=lambda rows: [(row.machine_uuid, row.machine_status.is_known, row.company_id) for row in rows],
        result=[("m-1", True, 9)],
        errors=(401, 403, 405, 500),
    ),
    "recordings.available": Shape(
        make=lambda c: c.recordings.available(
            company_id="9", session_type=SessionKind.UNATTENDED, from_time=FROM, time_period=3, archived=True
        ),
        url=f"{BASE}/archive/recordings",
        query={
            "companyId": "9",
            "sessionType": "1",
            "archived": "1",
            "timePeriod": "3",
            "fromTime": "2021-04-30T06:00:00Z",
        },
        answer={"readyForTranscode": [1], "readyForDownload": [*range(500)]},
        gives=lambda found: (found.ready_for_transcode, len(found.ready_for_download), found.truncated),
        result=((1,), 500, True),
        errors=(400, 403, 500),
    ),
    "recordings.all_available": Shape(
        make=lambda c: c.recordings.all_available(account_key=77, from_time=FROM, to_time=TO, session_type=0),
        url=f"{BASE}/archive/recordings",
        query={
            "accountKey": "77",
            "sessionType": "0",
            "fromTime": "2021-04-30T06:00:00Z",
            "toTime": "2021-05-01T06:00:00Z",
        },
        answer={"readyForTranscode": [], "readyForDownload": [3, 1, 2]},
        gives=lambda found: (found.ready_for_download, found.truncated),
        result=((3, 1, 2), False),
        errors=(400, 403, 500),
    ),
    "recordings.urls": Shape(
        make=lambda c: c.recordings.urls(["5"]).collect(),
        url=f"{BASE}/archive/recordings/urls",
        query={"recordingIds": "5"},
        answer=[{"recordingId": 5, "recordingUrl": "https://files.example/5", "recordingSize": "12"}],
        gives=lambda rows: [(row.recording_id, row.recording_url, row.recording_size) for row in rows],
        result=[(5, "https://files.example/5", 12)],
        errors=(400, 500),
    ),
    "recordings.transcode": Shape(
        make=lambda c: c.recordings.transcode([5, "6", 5]),
        method="POST",
        url=f"{BASE}/archive/recordings/transcode/5,6",
        status=204,
        errors=(400, 500),
    ),
    "recordings.mark_archived": Shape(
        make=lambda c: c.recordings.mark_archived([5]),
        method="PUT",
        url=f"{BASE}/archive/recordings/archived/5",
        status=204,
        errors=(400, 403, 500),
    ),
    "system_links.register": Shape(
        make=lambda c: c.system_links.register(
            system_name="Desk",
            system_domain="desk.example",
            user_email="a@desk.example",
            user_token="ut",
            callback_url=DESK,
            create_object=True,
        ),
        method="POST",
        url=f"{BASE}/systemLinks",
        body=b'{"systemName":"Desk","systemDomain":"desk.example","userEmail":"a@desk.example","userToken":"ut",'
        b'"callbackURL":"https://desk.example/g2a",'
        b'"supportedCallbacks":{"createObject":true,"searchObjects":false,"associateObject":false}}',
        errors=(400, 401, 500),
    ),
    "system_links.list": Shape(
        make=lambda c: c.system_links.list("desk.example"),
        url=f"{BASE}/systemLinks",
        query={"systemDomain": "desk.example"},
        answer={"links": [{**LINK, "callbackURL": DESK}]},
        gives=lambda links: [(link.system_name, link.user_token, link.callback_url) for link in links],
        result=[("Desk", "ut", DESK)],
        errors=(400, 401, 500),
    ),
    "tickets.search": Shape(
        make=lambda c: c.tickets(DESK + "/", "ut").search("disk", page_size=5).collect(),
        url=f"{DESK}/",
        query={"userToken": "ut", "q": "disk", "limit": "5", "offset": "0"},
        answer={"total": 1, "tickets": [{"id": 31, "title": "Disk full"}]},
        gives=lambda rows: [(row.id, row.title) for row in rows],
        result=[("31", "Disk full")],
        authorized=False,
    ),
    "tickets.create": Shape(
        make=lambda c: c.tickets(DESK, "ut").create(session_id="4217", title="Disk", body="It is full"),
        method="POST",
        url=f"{DESK}/",
        body=b'{"sessionId":"4217","userToken":"ut","title":"Disk","body":"It is full"}',
        answer={"ticket": {"id": 31}},
        gives=lambda ticket: ticket.id,
        result="31",
        authorized=False,
    ),
    "tickets.associate": Shape(
        make=lambda c: c.tickets(DESK, "ut").associate(session_id="4217", partner_object="31"),
        method="PUT",
        url=f"{DESK}/",
        body=b'{"sessionId":"4217","userToken":"ut","partnerObject":"31"}',
        authorized=False,
    ),
}
each = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
FAILURES = [(name, status) for name, shape in SHAPES.items() for status in shape.errors]
KINDS: dict[int, type[StatusError]] = {
    400: BadRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    405: MethodNotAllowedError,
    500: ServerError,
}


@pytest.fixture
def network() -> Iterator[Responses]:
    """Answers instead of a network."""
    network = Responses()
    with network:
        yield network


def client() -> G2AClient:
    """A client of the real address, which nothing reaches."""
    return G2AClient("token-1", settings=Settings(requests_per_second=None, retry=RetryPolicy.none()))


def anything(shape: Shape) -> re.Pattern[str]:
    """The call's address with any query."""
    return re.compile(re.escape(shape.url) + r"(\?.*)?$")


@each
async def test_each_call_has_its_shape(shape: Shape, network: Responses) -> None:
    """Method, address, query, headers and body are those of the reference, and the answer becomes what it means."""
    headers = {"Location": LAUNCH} if shape.status == 302 else {}
    network.add(anything(shape), method=shape.method, status=shape.status, payload=shape.answer, headers=headers)
    async with client() as g2a:
        assert shape.gives(await shape.make(g2a)) == shape.result
    [(method, url, sent)] = network.sent
    parts = urlsplit(url)
    assert (method, f"{parts.scheme}://{parts.netloc}{parts.path}") == (shape.method, shape.url)
    assert dict(parse_qsl(parts.query)) == shape.query
    assert sent["data"] == shape.body
    assert sent["headers"].get("Authorization") == ("Bearer token-1" if shape.authorized else None)
    assert sent["headers"]["Accept"] == "application/json"
    assert sent["headers"].get("Content-Type") == (None if shape.body is None else "application/json")
    assert sent["allow_redirects"] is False


async def test_a_launch_address_may_be_relative(network: Responses) -> None:
    """A redirect to a path of the service itself is told as an address that a browser can open."""
    shape = SHAPES["sessions.browser_launch_url"]
    network.add(anything(shape), status=302, headers={"Location": "/launch?token=1"})
    async with client() as g2a:
        assert await shape.make(g2a) == urljoin(BASE, "/launch?token=1")


@pytest.mark.parametrize(("name", "status"), FAILURES, ids=[f"{name} {status}" for name, status in FAILURES])
async def test_each_published_status_is_its_error(name: str, status: int, network: Responses) -> None:
    """Each status that is published for a call raises its class, with the service's own words."""
    shape = SHAPES[name]
    payload = {"errorCode": "Odd", "description": "So it is"}
    network.add(anything(shape), method=shape.method, status=status, payload=payload, repeat=True)
    async with client() as g2a:
        with pytest.raises(KINDS[status]) as caught:
            await shape.make(g2a)
    assert (caught.value.status, caught.value.code, caught.value.description) == (status, "Odd", "So it is")


@pytest.mark.parametrize("name", ["companies.list", "companies.machines"])
async def test_no_records_is_an_empty_list(name: str, network: Responses) -> None:
    """For these calls a 404 means that there are none."""
    network.add(anything(SHAPES[name]), status=404, body="<h1>none</h1>")
    async with client() as g2a:
        assert await SHAPES[name].make(g2a) == []


async def test_a_partner_that_counts_pages_is_walked_to_the_end(network: Responses) -> None:
    """A partner's `totalPages` is not the number of tickets: all of its pages are asked for."""

    def answer(url: Any, **_: Any) -> Any:
        offset, limit = int(url.query["offset"]), int(url.query["limit"])
        rows = [{"id": number} for number in range(25)][offset : offset + limit]
        return network.answer({"tickets": rows, "totalPages": 3})

    network.add(re.compile(re.escape(DESK)), callback=answer, repeat=True)
    async with client() as g2a:
        found = await g2a.tickets(DESK, "ut").search().collect()
    assert [ticket.id for ticket in found] == [str(number) for number in range(25)]


async def test_the_helper_is_still_needed() -> None:
    """When this fails, aioresponses works with aiohttp again: remove tools/aioresponses_compat.py (its issue 289)."""
    with aioresponses() as network:
        network.get("http://h.example/", payload={})
        async with ClientSession() as session:
            with pytest.raises(TypeError, match="stream_writer"):
                await session.get("http://h.example/")
