"""What is answered: statuses, their headers and their bodies."""

from collections.abc import Mapping
from typing import Any, Final

from g2a_async.emulator.openapi.records import COUNT, TEXT, TIME, URL, Schema, listed, record, ref
from g2a_async.endpoints import Endpoint

_JSON: Final = "application/json"

_ALWAYS: Final = (400,)
"""Statuses that any call may have, beside those that are published for it."""
_AUTHORIZED: Final = (401, 429)
"""Those of a call that carries a token."""
_BY_IDS: Final = (414,)
"""Those of a call whose line grows with the recordings that it is for."""
_PARTNER: Final = {"tickets.search": (401,), "tickets.create": (401,), "tickets.associate": (401, 404)}
"""Those of the emulated partner: for a partner, nothing is published."""

_MEANINGS: Final = {
    200: "Done",
    201: "Created",
    204: "Done, whatever the state of the recordings",
    302: "The page that starts the session",
    400: "Malformed, or a property is missing or invalid",
    401: "The token is invalid, or the technician has no Remote Support seat",
    403: "A required role is missing, or a key or a recording ID is invalid",
    404: "Not found; for a list, no records",
    405: "The wrong HTTP method",
    414: "A proxy's page: the URL is too long",
    429: "Over the rate limit",
    500: "An unhandled error",
}
_HEADERS: Final[Mapping[int, Mapping[str, Any]]] = {
    302: {"Location": {"required": True, "schema": URL}},
    401: {"WWW-Authenticate": {"schema": TEXT}},
    405: {"Allow": {"required": True, "schema": TEXT}},
    429: {"Retry-After": {"description": "Seconds, or an HTTP date", "schema": TEXT}},
}

_PAGE: Final[Schema] = {"text/html": {"schema": TEXT}}
_MACHINES: Final = {"anyOf": [listed(ref("Machine")), {"type": "object", "additionalProperties": ref("Machine")}]}


def _wrapped(name: str, item: Schema, **beside: Schema) -> Schema:
    """A list of *item* that may also come bare."""
    return {"anyOf": [listed(item), record({name: listed(item)}, **beside)]}


_SUCCESSES: Final[Mapping[str, tuple[int, Schema | None]]] = {
    "sessions.start": (200, ref("Started")),
    "sessions.get": (200, ref("Session")),
    "sessions.list": (200, record({"totalNumSessions": COUNT, "sessions": listed(ref("ListedSession"))})),
    "sessions.browser_launch_url": (302, None),
    "sessions.transcript": (
        200,
        _wrapped("events", ref("Event"), sessionId=TEXT, startTime=TIME, endTime=TIME),
    ),
    "companies.list": (200, record({"totalNumCompanies": COUNT, "companies": listed(ref("Company"))})),
    "companies.machines": (200, record({"totalNumMachines": COUNT, "machines": _MACHINES})),
    "recordings.available": (200, ref("Available")),
    "recordings.urls": (200, _wrapped("recordings", ref("RecordingFile"))),
    "recordings.transcode": (204, None),
    "recordings.mark_archived": (204, None),
    "system_links.register": (200, {}),
    "system_links.list": (200, _wrapped("systemLinks", ref("SystemLink"))),
    "tickets.search": (200, _wrapped("tickets", ref("Ticket"), total=COUNT)),
    "tickets.create": (201, ref("Ticket")),
    "tickets.associate": (200, ref("Ticket")),
}
"""Status and body, by the name of the row."""


def responses(endpoint: Endpoint) -> dict[str, Any]:
    """Everything that the call may be answered."""
    success, schema = _SUCCESSES[endpoint.name]
    found = {str(success): _response(success, None if schema is None else {_JSON: {"schema": schema}})}
    for status in sorted(_errors(endpoint)):
        content = _PAGE if status in _BY_IDS else {_JSON: {"schema": ref("Problem")}}
        found[str(status)] = _response(status, content)
    return found


def _errors(endpoint: Endpoint) -> set[int]:
    by_ids = _BY_IDS if "recordingIds" in {*endpoint.query} or "{recordingIds}" in endpoint.path else ()
    authorized = _AUTHORIZED if endpoint.authorized else ()
    return {*_ALWAYS, *endpoint.errors, *authorized, *by_ids, *_PARTNER.get(endpoint.name, ())}


def _response(status: int, content: Schema | None) -> dict[str, Any]:
    found: dict[str, Any] = {"description": _MEANINGS[status]}
    if status in _HEADERS:
        found["headers"] = dict(_HEADERS[status])
    if content is not None:
        found["content"] = content
    return found
