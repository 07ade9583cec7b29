"""From a request's line, headers and body to a call, or to a refusal. The table says what may be asked."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from attrs import frozen

from g2a_async.emulator.keys import AUTHORIZE, DOCUMENT, FILES, LAUNCH, TOKEN, key_of
from g2a_async.emulator.wire import Refusal, Values, bad_request, not_found
from g2a_async.endpoints import ENDPOINTS, Endpoint

BASE: Final = "/G2A/rest/v1"
"""The path of the API on its origin."""

PARTNER: Final = "/desk/g2a"
"""The path of the partner's callback URL on the foreign origin."""

_REPEATED: Final = frozenset({"recordingIds"})
"""Query names that may come more than once."""


@frozen(kw_only=True)
class Route:
    """Where a request goes."""

    key: str
    """`METHOD /path template`."""
    endpoint: Endpoint | None = None
    """None: it is no call of the table."""
    names: Mapping[str, str] = {}
    """What the path names, decoded."""


@frozen
class Place:
    """One method on one path."""

    pattern: re.Pattern[str]
    method: str
    key: str
    endpoint: Endpoint | None


def _place(prefix: str, endpoint: Endpoint) -> Place:
    template = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(prefix + endpoint.path))
    return Place(re.compile(template), endpoint.method, key_of(endpoint), endpoint)


def _other(key: str, pattern: str, methods: tuple[str, ...]) -> list[Place]:
    return [Place(re.compile(pattern), method, key, None) for method in methods]


API: Final = (
    *(_place(BASE, each) for each in ENDPOINTS if not each.partner),
    *_other(TOKEN, "/oauth/token", ("POST",)),
    *_other(AUTHORIZE, "/oauth/authorize", ("GET",)),
    *_other(DOCUMENT, re.escape(f"{BASE}/openapi.json"), ("GET",)),
)
"""What is on the API's origin."""

FOREIGN: Final = (
    *(_place(PARTNER, each) for each in ENDPOINTS if each.partner),
    *_other(FILES, r"/files/[^/]+", ("GET", "HEAD")),
    *_other(LAUNCH, r"/launch\.html", ("GET",)),
)
"""What is on the other origin."""


def route(places: tuple[Place, ...], method: str, path: str) -> Route:
    """Where *method* on *path* (still encoded) goes."""
    allowed = set()
    for place in places:
        found = place.pattern.fullmatch(path)
        if found and place.method == method:
            names = {name: unquote(value) for name, value in found.groupdict().items()}
            return Route(key=place.key, endpoint=place.endpoint, names=names)
        if found:
            allowed.add(place.method)
    if not allowed:
        not_found("There is no such path")
    refusal = Refusal(405, "MethodNotAllowed", f"Not by {method}", {"Allow": ", ".join(sorted(allowed))})
    raise refusal


def read_query(endpoint: Endpoint, text: str, aliases: Mapping[str, str]) -> Values:
    """The query, whose names are the table's. *aliases* are names that the service uses instead."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict")
    except ValueError:
        bad_request("The query cannot be read")
    published = {aliases.get(name, name): name for name in endpoint.query}
    values: dict[str, list[Any]] = {}
    for name, value in pairs:
        if name not in published:
            bad_request(f"Unknown parameter: {name}")
        values.setdefault(published[name], []).append(value)
    for name, each in values.items():
        if len(each) > 1 and name not in _REPEATED:
            bad_request(f"{name} is given more than once")
    _require(endpoint, endpoint.query, values)
    return Values(values=values)


def read_body(endpoint: Endpoint, content_type: str, body: bytes) -> Values:
    """The body: a JSON object whose keys are the table's, or nothing where the table has none."""
    if not endpoint.body:
        if body:
            bad_request("This call has no body")
        return Values()
    if content_type.partition(";")[0].strip().lower() != "application/json":
        bad_request("The body must be application/json")
    try:
        found = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_constant)
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError):
        bad_request("The body is not JSON")
    if not isinstance(found, dict):
        bad_request("The body must be an object")
    if unknown := found.keys() - set(endpoint.body):
        bad_request(f"Unknown key: {', '.join(sorted(unknown))}")
    values = {name: [value] for name, value in found.items()}
    _require(endpoint, endpoint.body, values)
    if nothing := [name for name, value in found.items() if value is None]:
        bad_request(f"{', '.join(nothing)} must not be null")
    return Values(values=values)


def _require(endpoint: Endpoint, names: tuple[str, ...], values: Mapping[str, Any]) -> None:
    if missing := (endpoint.required & set(names)) - values.keys():
        bad_request(f"Missing: {', '.join(sorted(missing))}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        message = "a key is repeated"
        raise ValueError(message)
    return found


def _constant(name: str) -> None:
    message = f"{name} is not JSON"
    raise ValueError(message)
