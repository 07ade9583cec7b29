"""The emulator against its OpenAPI document, which was written from the API's reference, not from the handlers."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import schemathesis
from emulator_asking import asking
from schemathesis.openapi.loaders import from_dict
from schemathesis.specs.openapi.checks import positive_data_acceptance

from g2a_async.emulator import Emulator, EmulatorClock, Shapes
from g2a_async.emulator.keys import key_of
from g2a_async.emulator.openapi import document
from g2a_async.emulator.router import BASE
from g2a_async.endpoints import ENDPOINTS, Endpoint

ORIGIN, CALLBACK_URL = "http://127.0.0.1", "http://127.0.0.2/desk"

HELP_DESK = Emulator(seed=1, clock=EmulatorClock(datetime(2024, 5, 8, 12, tzinfo=UTC)))
STATE = HELP_DESK.state
STATE.max_url_bytes = 1 << 17  # a proxy's limit would hide the API's own
for smallest in (0, 1):  # what generated numbers begin with
    STATE.add_recording(recording_id=smallest)
TOLD = next(each for each in STATE.sessions.values() if each.transcript)
KINDS = {
    (each.status, each.machine_uuid is None, each.recording_id is None, bool(each.collaborators)): each
    for each in STATE.sessions.values()
}
MACHINE = next(iter(STATE.machines.values()))
TICKET = next(iter(STATE.tickets))
LATELY = f"{HELP_DESK.clock.start - timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}"
DOMAIN = "desk.example"

KNOWN: dict[str, list[Any]] = {
    "path.sessionId": [TOLD.session_id, TOLD.session_token],
    "path.companyId": [MACHINE.company_id],
    "query.accountKey": list(STATE.accounts),
    "query.userKey": [int(key) for key in sorted(STATE.user_keys)],
    "query.companyId": [MACHINE.company_id],
    "query.systemDomain": [DOMAIN],
    "query.userToken": [HELP_DESK.user_token],
    "body.userToken": [HELP_DESK.user_token],
    "body.machineUuid": [MACHINE.machine_uuid],
    "body.partnerObject": [TICKET],
}
"""Values by place and name that the help desk does not turn away as unknown."""


def load(described: dict[str, Any]) -> Any:
    """Load a document, to generate the same data from it in each run, half of it with values that are known."""
    config = {
        "seed": 1,
        "generation": {"max-examples": 12, "deterministic": True, "with-security-parameters": False},
        "dictionaries": {name: {"values": values} for name, values in KNOWN.items()},
        "parameters": {name: {"dictionary": name, "probability": 0.5} for name in KNOWN},
    }
    return from_dict(described, config=schemathesis.Config.from_dict(config))


def closed(schema: Any) -> Any:
    """Copy a document so that no object has other attributes than are written there."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {name: closed(each) for name, each in schema.items()}
    return copy | {"additionalProperties": False} if isinstance(copy.get("properties"), dict) else copy


API = load(document(ORIGIN, BASE, CALLBACK_URL))
CLOSED = load(closed(document(ORIGIN, BASE, CALLBACK_URL)))


@pytest.fixture(scope="module", autouse=True)
def emulator() -> Iterator[Emulator]:
    """Run the help desk."""
    with HELP_DESK:
        yield HELP_DESK


def sending(case: Any) -> dict[str, Any]:
    """Say where a request goes, and as whom."""
    definition = case.operation.definition.raw
    return {
        "base_url": HELP_DESK.callback_url if case.operation.path == "/" else HELP_DESK.url,
        "headers": {"Authorization": f"Bearer {HELP_DESK.access_token}"} if definition["security"] else {},
    }


def contradicts_itself(case: Any) -> bool:
    """Whether a query breaks a rule between parameters, for which OpenAPI has no words."""
    query = case.query or {}
    if case.operation.definition.raw["operationId"] == "recordings.available" and not query.keys() & {
        "accountKey",
        "userKey",
        "companyId",
    }:
        return True
    try:
        return datetime.fromisoformat(query["fromTime"]) > datetime.fromisoformat(query["toTime"])
    except (KeyError, TypeError, ValueError):
        return False


@API.parametrize()  # type: ignore[untyped-decorator]
def test_whatever_is_asked(case: Any) -> None:
    """Good data are accepted, bad data and credentials refused, and every answer is one that the document has."""
    if contradicts_itself(case):
        response = case.call_and_validate(**sending(case), excluded_checks=[positive_data_acceptance])
        assert response.status_code in {400, 405}
    else:
        case.call_and_validate(**sending(case))


GOOD: dict[str, list[dict[str, Any]]] = {
    "sessions.start": [
        {"body": {"sessionType": "SCREEN_SHARING", "customerName": "Ada", "partnerObject": "4711"}},
        {"body": {"sessionType": "SCREEN_SHARING", "machineUuid": MACHINE.machine_uuid}},
    ],
    "sessions.get": [{"path_parameters": {"sessionId": each.session_id}} for each in KINDS.values()],
    "sessions.list": [{"query": {"sessionType": "SCREEN_SHARING", "fromTime": LATELY}}],
    "sessions.browser_launch_url": [{"query": {"sessionType": "SCREEN_SHARING", "layout": "iFrame"}}],
    "sessions.transcript": [{"path_parameters": {"sessionId": TOLD.session_token}}],
    "companies.list": [{"query": {"sortField": "companyName"}}],
    "companies.machines": [{"path_parameters": {"companyId": MACHINE.company_id}}],
    "recordings.available": [{"query": {"accountKey": STATE.account_key}}],
    "recordings.urls": [
        {"query": {"recordingIds": [each for each, found in STATE.recordings.items() if found.ready_at][-2:]}}
    ],
    "recordings.transcode": [{"path_parameters": {"recordingIds": "0,1"}}],
    "recordings.mark_archived": [{"path_parameters": {"recordingIds": "0,1"}}],
    "system_links.register": [
        {
            "body": {
                "systemName": "Desk",
                "systemDomain": DOMAIN,
                "userEmail": "ada@northwind-help.example",
                "userToken": "F5EE645AAA87462523475FFF8576348574",
                "callbackURL": "https://api.desk.example/g2a_prefix",
                "supportedCallbacks": {"createObject": True, "searchObjects": "true"},
            }
        }
    ],
    "system_links.list": [{"query": {"systemDomain": DOMAIN}}],
    "tickets.search": [{"query": {"userToken": HELP_DESK.user_token, "limit": 10}}],
    "tickets.create": [{"body": {"sessionId": "1", "userToken": HELP_DESK.user_token, "title": "VPN", "body": ""}}],
    "tickets.associate": [{"body": {"sessionId": "1", "userToken": HELP_DESK.user_token, "partnerObject": TICKET}}],
}
"""Requests that succeed, by the name of the row."""

BARE = {"sessions.transcript", "recordings.urls", "system_links.list", "tickets.search"}
"""The lists whose envelope is unpublished, so that they may come without."""

SHAPES: list[tuple[dict[str, Any], set[str]]] = [
    ({}, {*GOOD}),
    ({"numbers_as_text": True}, {*GOOD}),
    ({"machines_as_map": True}, {*GOOD}),
    ({"session_token": "outer"}, {*GOOD}),
    ({"session_token": "url"}, {*GOOD}),
    ({"supported_callbacks": True}, {*GOOD}),
    ({"supported_callbacks": True, "flags_as_text": True}, {*GOOD}),
    ({"offset": "+00:00", "fraction": 1}, {*GOOD}),
    ({"offset": "+0000", "fraction": 9}, {*GOOD}),
    ({"bare_lists": True}, BARE),
    ({"totals": False}, BARE),
]
"""The shapes that answers may have, and of which calls."""


def is_a_list_of_nothing(response: Any) -> bool:
    """Whether the answer would fit any schema of its records, because it has none."""
    body = response.json() if response.content else None
    if isinstance(body, dict):
        lists = [each for each in body.values() if isinstance(each, (list, dict))]
        return bool(lists) and not any(lists)
    return body == []


@pytest.mark.parametrize(("shapes", "names"), SHAPES, ids=[",".join(map(str, each.items())) for each, _ in SHAPES])
def test_every_success_has_the_published_shape(
    shapes: dict[str, Any], names: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call succeeds in each shape that is tolerated, with attributes and types of the reference and no others."""
    monkeypatch.setattr(STATE, "shapes", Shapes(**shapes))
    for name in sorted(names):
        for request in GOOD[name]:
            case = CLOSED.find_operation_by_id(name).Case(**request)
            response = case.call_and_validate(**sending(case))
            assert response.status_code in {200, 201, 204, 302}
            assert not is_a_list_of_nothing(response), name


def test_the_document_is_openapi() -> None:
    """It is valid against the specification's own schema, and would not be with a parameter in a wrong place."""
    described = document(ORIGIN, BASE, CALLBACK_URL)
    load(described).validate()
    described["paths"]["/companies"]["get"]["parameters"][0]["in"] = "somewhere"
    with pytest.raises(ValueError, match="somewhere"):
        load(described).validate()


async def test_the_document_is_served() -> None:
    """Anyone can read it beside the API, and it says where the API and the partner system are."""
    async with asking() as ask:
        reply = await ask("GET", "/openapi.json", authorization=None)

        origin = ask.emulator.url.removesuffix(BASE)
        assert reply.json() == document(origin, BASE, ask.emulator.callback_url)
        assert reply.json()["servers"] == [{"url": ask.emulator.url}]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=key_of)
def test_every_row_of_the_table_is_in_the_document(endpoint: Endpoint) -> None:
    """Its operation has the row's names, no others, and requires what the row requires."""
    operation = document(ORIGIN, BASE, CALLBACK_URL)["paths"][endpoint.path][endpoint.method.lower()]
    parameters = {(each["in"], each["name"]) for each in operation["parameters"]}
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    in_path = re.findall(r"\{(\w+)\}", endpoint.path)
    required = {each["name"] for each in operation["parameters"] if each.get("required")} | {*body.get("required", ())}

    assert operation["operationId"] == endpoint.name
    assert parameters == {("query", each) for each in endpoint.query} | {("path", each) for each in in_path}
    assert {*body.get("properties", ())} == {*endpoint.body}
    assert required == endpoint.required | {*in_path}
    assert {str(each) for each in endpoint.errors} <= operation["responses"].keys()


@pytest.mark.parametrize("query", [{"timePeriod": 10**9}, {"timePeriod": 10**30}, {"offset": 10**30}])
async def test_no_limit_is_made_up(query: dict[str, Any]) -> None:
    """A number for which no largest one is published may be any."""
    async with asking(seed=1) as ask:
        path = "/companies" if "offset" in query else "/archive/recordings"
        key: dict[str, Any] = {} if "offset" in query else {"accountKey": ask.emulator.state.account_key}

        assert (await ask("GET", path, **query, **key)).status == 200
