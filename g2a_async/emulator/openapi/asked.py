"""What may be asked: the types and limits of parameters and of bodies."""

import re
from collections.abc import Mapping
from typing import Any, Final

from g2a_async.emulator.openapi.records import IDENTIFIER_LIMIT, Schema
from g2a_async.endpoints import Endpoint

_TEXT: Final[Schema] = {"type": "string"}
_NEEDED: Final[Schema] = {"type": "string", "minLength": 1}
_NUMBER: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": IDENTIFIER_LIMIT}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_URL: Final[Schema] = {"type": "string", "format": "uri", "pattern": "^https?://[^/?#]"}
_IDS: Final[Schema] = {"type": "array", "items": _NUMBER, "minItems": 1, "maxItems": 500}
_SWITCH: Final[Schema] = {"type": "integer", "enum": [0, 1]}
_OFFSET: Final[Schema] = {"type": "integer", "minimum": 0, "default": 0}
_FLAG: Final[Schema] = {"enum": [True, False, "true", "false"]}

_NAMES: Final[Mapping[str, Schema]] = {
    "accountKey": _NUMBER,
    "archived": _SWITCH | {"description": "1: only archived ones; 0 or absent: only others"},
    "body": _TEXT,
    "callbackURL": _URL,
    "companyId": _NUMBER,
    "customerEmail": _TEXT,
    "customerName": _TEXT,
    "fromTime": _TIME,
    "layout": _TEXT | {"description": "For example `iFrame`; absent: the page fills the window"},
    "limit": {"type": "integer", "minimum": 1, "maximum": 50, "default": 50},
    "machineUuid": _TEXT | {"description": "Present: the session is unattended"},
    "offset": _OFFSET,
    "partnerObject": _TEXT,
    "partnerObjectUrl": _URL,
    "q": _TEXT | {"description": "What the name contains"},
    "recordingIds": _IDS,
    "sessionId": _NEEDED | {"description": "The ID of a session, or its token"},
    "sessionStatusCallbackUrl": _URL,
    "sessionType": {"type": "string", "enum": ["SCREEN_SHARING"]},
    "sortField": {"type": "string", "enum": ["companyId", "companyName"]},
    "sortOrder": {"type": "string", "enum": ["asc", "desc"]},
    "supportedCallbacks": {
        "type": "object",
        "properties": dict.fromkeys(("createObject", "searchObjects", "associateObject"), _FLAG),
        "additionalProperties": False,
    },
    "systemDomain": _NEEDED,
    "systemName": _NEEDED,
    "timePeriod": {"type": "integer", "minimum": 1, "description": "Days back from now"},
    "title": _NEEDED,
    "toTime": _TIME,
    "userEmail": {"type": "string", "format": "email"},
    "userKey": _NUMBER,
    "userToken": _NEEDED,
}

_ELSEWHERE: Final[Mapping[tuple[str, str], Schema]] = {
    ("recordings.available", "sessionType"): _SWITCH | {"description": "0: attended; 1: unattended"},
    ("tickets.associate", "partnerObject"): _NEEDED,
    ("tickets.associate", "sessionId"): {"type": ["string", "integer"], "minLength": 1},
    ("tickets.create", "sessionId"): {"type": ["string", "integer"], "minLength": 1},
    ("tickets.search", "limit"): {"type": "integer", "minimum": 1, "default": 10},
    ("tickets.search", "q"): _TEXT | {"description": "What the ticket contains, in any of its texts"},
}
"""Where one call means something else by a name than the others."""


def parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    """The parameters of its path and of its query."""
    return [
        *(_parameter(endpoint, name, "path") for name in re.findall(r"\{(\w+)\}", endpoint.path)),
        *(_parameter(endpoint, name, "query") for name in endpoint.query),
    ]


def body(endpoint: Endpoint) -> dict[str, Any]:
    """Its body: an object that has no other names."""
    schema = {
        "type": "object",
        "properties": {name: _schema(endpoint, name) for name in endpoint.body},
        "required": sorted(endpoint.required & set(endpoint.body)),
        "additionalProperties": False,
    }
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _parameter(endpoint: Endpoint, name: str, place: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "in": place, "schema": _schema(endpoint, name)}
    if place == "path" or name in endpoint.required:
        found["required"] = True
    if found["schema"].get("type") == "array":  # repeated in a query, with commas in a path
        found |= {"style": "form", "explode": True} if place == "query" else {"style": "simple", "explode": False}
    return found


def _schema(endpoint: Endpoint, name: str) -> dict[str, Any]:
    return _ELSEWHERE.get((endpoint.name, name), _NAMES[name])
