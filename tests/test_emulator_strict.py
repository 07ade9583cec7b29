"""What the emulator refuses, so that a client's mistake is seen."""

from typing import Any

import pytest
from emulator_asking import asking

from g2a_async.emulator.handlers import HANDLERS
from g2a_async.emulator.keys import key_of
from g2a_async.endpoints import ENDPOINTS, Endpoint

START: dict[str, Any] = {"sessionType": "SCREEN_SHARING"}
SERVED = [each for each in ENDPOINTS if not each.partner]


def path_of(endpoint: Endpoint) -> str:
    """The path, with something in place of the names."""
    return endpoint.fill(sessionId=1, companyId=1, recordingIds=1)


def url_of(endpoint: Endpoint, base: str, callback_url: str) -> str:
    """The whole URL."""
    return (callback_url if endpoint.partner else base) + path_of(endpoint)


def test_every_row_of_the_table_has_a_handler() -> None:
    """And no handler is for a call that is not there."""
    assert HANDLERS.keys() == {each.name for each in ENDPOINTS}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=key_of)
async def test_every_row_of_the_table_is_served(endpoint: Endpoint) -> None:
    """A request to its URL is known as that row, even when it is refused."""
    async with asking() as ask:
        await ask(endpoint.method, url_of(endpoint, ask.emulator.url, ask.emulator.callback_url))

        [entry] = ask.emulator.journal
        assert (entry.endpoint, entry.key) == (endpoint, key_of(endpoint))


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=key_of)
async def test_credentials_go_where_they_belong(endpoint: Endpoint) -> None:
    """Without a valid token a call is a 401; with one, a call that needs none is a 400."""
    async with asking() as ask:
        url = url_of(endpoint, ask.emulator.url, ask.emulator.callback_url)
        statuses = [
            (await ask(endpoint.method, url, headers={"Authorization": each} if each else {})).status
            for each in ("", "Bearer wrong", "Basic eDp5", f"Bearer {ask.emulator.access_token}")
        ]

        if endpoint.authorized:
            assert statuses[:3] == [401, 401, 401]
            assert statuses[3] != 401
        else:
            assert statuses[1:] == [400, 400, 400]


async def test_the_older_form_of_the_header_works_too() -> None:
    """`OAuth oauth_token=` opens the API, and other words do not."""
    async with asking() as ask:
        ask.emulator.state.add_company()
        token = ask.emulator.access_token
        forms = f"OAuth oauth_token={token}", f"OAuth token={token}", f"OAuth {token}", token

        assert [(await ask("GET", "/companies", authorization=each)).status for each in forms] == [200, 401, 401, 401]


@pytest.mark.parametrize("endpoint", [each for each in ENDPOINTS if each.required], ids=key_of)
async def test_each_required_name_is_required(endpoint: Endpoint) -> None:
    """A call without any of them is a 400 that names them."""
    async with asking() as ask:
        url = url_of(endpoint, ask.emulator.url, ask.emulator.callback_url)
        headers = {"Authorization": f"Bearer {ask.emulator.access_token}"} if endpoint.authorized else {}
        reply = await ask(endpoint.method, url, headers=headers, body={} if endpoint.body else None)

        assert reply.status == 400
        assert reply.json()["description"] == f"Missing: {', '.join(sorted(endpoint.required))}"


@pytest.mark.parametrize("endpoint", SERVED, ids=key_of)
async def test_an_unknown_parameter_is_refused(endpoint: Endpoint) -> None:
    """Whatever the call, a name that the table does not know is a 400."""
    async with asking() as ask:
        authorization = "" if endpoint.authorized else None
        reply = await ask(endpoint.method, path_of(endpoint), authorization=authorization, colour="green")

        assert (reply.status, reply.json()["description"]) == (400, "Unknown parameter: colour")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/companies", "limit=0"),
        ("/companies", "limit=51"),
        ("/companies", "limit=x"),
        ("/companies", "limit="),
        ("/companies", "limit=5&limit=5"),
        ("/companies", "offset=-1"),
        ("/companies", "offset=1.5"),
        ("/companies", "sortField=name"),
        ("/companies", "sortOrder=DESC"),
        ("/companies", "q"),
        ("/companies", "q=%FF"),
        ("/companies/1/machines", "limit=51"),
        ("/sessions", "sessionType=screen_sharing"),
        ("/sessions", "sessionType=SCREEN_SHARING&fromTime=yesterday"),
        ("/sessions", "sessionType=SCREEN_SHARING&fromTime=2024-05-06"),
        ("/sessions", "sessionType=SCREEN_SHARING&fromTime=2024-05-06T12:00:00"),
        ("/sessions", "sessionType=SCREEN_SHARING&fromTime=2024-05-06T12:00:00+00:00"),
        ("/sessions", "sessionType=SCREEN_SHARING&fromTime=2024-02-30T12:00:00Z"),
        ("/sessions", "sessionType=SCREEN_SHARING&fromTime=2024-05-06T12:00:00.1234567890Z"),
        ("/sessions", "sessionType=SCREEN_SHARING&fromTime=2024-05-06T12:00:01Z&toTime=2024-05-06T12:00:00Z"),
        ("/archive/recordings", "sessionType=0"),
        ("/archive/recordings", "accountKey=x"),
        ("/archive/recordings", "accountKey={}&sessionType=SCREEN_SHARING"),
        ("/archive/recordings", "accountKey={}&archived=true"),
        ("/archive/recordings", "accountKey={}&timePeriod=0"),
        ("/archive/recordings/urls", "recordingIds="),
        ("/archive/recordings/urls", "recordingIds=1,2"),
        ("/archive/recordings/urls", "recordingIds=-1"),
        ("/archive/recordings/urls", f"recordingIds={1 << 64}"),
        ("/systemLinks", "systemDomain="),
    ],
)
async def test_a_wrong_query_is_refused(path: str, query: str) -> None:
    """Each is a 400. A plus sign that is not encoded is a space, as everywhere."""
    async with asking() as ask:
        query = query.format(ask.emulator.state.account_key)

        assert (await ask("GET", f"{path}?{query}")).status == 400


@pytest.mark.parametrize(
    "text",
    ["12:00:00Z", "12:00:00%2B00:00", "12:00:00%2B0000", "12:00:00.1Z", "12:00:00.123456789Z", "17:30:00%2B0530"],
)
async def test_every_form_of_a_time_is_read(text: str) -> None:
    """Offsets with and without colon, and one to nine digits of a second, find the session of that second."""
    async with asking() as ask:
        reply = await ask("GET", f"/sessions?sessionType=SCREEN_SHARING&fromTime=2024-05-06T{text}")

        assert reply.status == 200


@pytest.mark.parametrize(
    "change",
    [
        {"sessionType": "screen_sharing"},
        {"sessionType": None},
        {"colour": "green"},
        {"partnerObject": 5},
        {"customerName": ["Ada"]},
        {"customerName": None},
        {"sessionStatusCallbackUrl": "desk"},
        {"partnerObjectUrl": "javascript:alert(1)"},
    ],
)
async def test_a_wrong_start_is_refused(change: dict[str, Any]) -> None:
    """Each is a 400, and no session begins."""
    async with asking() as ask:
        assert (await ask("POST", "/sessions", body=START | change)).status == 400
        assert not ask.emulator.state.sessions


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("text/plain", b'{"sessionType": "SCREEN_SHARING"}'),
        ("application/json", b""),
        ("application/json", b"{"),
        ("application/json", b"[]"),
        ("application/json", b"\xff"),
        ("application/json", b'{"sessionType": NaN}'),
        ("application/json", b'{"sessionType": "SCREEN_SHARING", "sessionType": "SCREEN_SHARING"}'),
        ("application/json", b"[" * 100_000),
        ("application/json", b'{"sessionType": "SCREEN_SHARING", "customerName": "\\ud800"}'),
    ],
)
async def test_a_body_must_be_one_json_object(content_type: str, data: bytes) -> None:
    """Other types, other shapes, broken and doubled ones are a 400."""
    async with asking() as ask:
        assert (await ask("POST", "/sessions", headers={"Content-Type": content_type}, data=data)).status == 400


async def test_a_call_without_a_body_has_none() -> None:
    """A body where the table has none is a 400."""
    async with asking() as ask:
        ask.emulator.state.add_recording(recording_id=1)

        assert (await ask("POST", "/archive/recordings/transcode/1", body={})).status == 400


@pytest.mark.parametrize("ids", ["1,", ",", "x", "1,%31%20"])
async def test_ids_in_the_path_are_numbers(ids: str) -> None:
    """An empty or broken one is a 400."""
    async with asking() as ask:
        ask.emulator.state.add_recording(recording_id=1)

        assert (await ask("PUT", f"/archive/recordings/archived/{ids}")).status == 400


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("DELETE", "/sessions", "GET, POST"), ("HEAD", "/companies", "GET"), ("PUT", "/sessions/1", "GET")],
)
async def test_a_wrong_method_is_a_405(method: str, path: str, allowed: str) -> None:
    """`Allow` tells the right ones."""
    async with asking() as ask:
        reply = await ask(method, path)

        assert (reply.status, reply.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize(
    "path", ["/", "/companies/", "/sessions//events", "/sessions/1/2", "/Companies", "/../companies"]
)
async def test_an_unknown_path_is_a_404(path: str) -> None:
    """With a JSON body, and an entry in the journal that belongs to no call."""
    async with asking() as ask:
        reply = await ask("GET", path)

        assert (reply.status, reply.json()["errorCode"]) == (404, "NotFound")
        assert [each.key for each in ask.emulator.journal] == [None]


async def test_a_name_in_the_path_may_hold_anything() -> None:
    """An escaped slash is part of the name, not of the path."""
    async with asking() as ask:
        ask.emulator.state.add_session(session_id="a/b c")

        assert (await ask("GET", "/sessions/a%2Fb%20c")).json()["sessionId"] == "a/b c"
