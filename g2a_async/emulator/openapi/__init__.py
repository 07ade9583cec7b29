"""The service as an OpenAPI document: the table of calls, and what only the wire knows.

Methods, paths, names and published errors are the table's. What names and answers look like is written out
beside this file from the API's reference, and by hand: the handlers are tested against it.
"""

from collections.abc import Mapping
from typing import Any, Final

from g2a_async.emulator.openapi.answers import ERRORS, SUCCESSES
from g2a_async.emulator.openapi.asked import schema_of
from g2a_async.emulator.openapi.records import RECORDS, ref
from g2a_async.endpoints import ENDPOINTS, Endpoint

_ALWAYS: Final = (400,)
"""Statuses that any call may have, beside those that are published for it."""

_AUTHORIZED: Final = (401, 429)
"""Those of a call that carries a token."""

_PARTNER: Final = {"tickets.search": (401,), "tickets.create": (401,), "tickets.associate": (401, 404)}
"""Those of the emulated partner; nothing is published."""


def document(origin: str, callback_url: str) -> dict[str, Any]:
    """OpenAPI 3.1 of the API on *origin*, and of the partner system at *callback_url*, which has its own server."""
    from g2a_async.emulator.router import BASE  # noqa: PLC0415

    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ENDPOINTS:
        item = paths.setdefault(endpoint.path, {"servers": [{"url": callback_url}]} if endpoint.partner else {})
        item[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "GoToAssist Remote Support",
            "version": "1",
            "description": "As emulated by g2a_async. Answers may have more attributes than are written here.",
        },
        "servers": [{"url": origin + BASE}],
        "paths": paths,
        "components": {"schemas": RECORDS, "securitySchemes": _security(origin)},
    }


def _security(origin: str) -> dict[str, Any]:
    flow = {
        "authorizationUrl": f"{origin}/oauth/authorize",
        "tokenUrl": f"{origin}/oauth/token",
        "refreshUrl": f"{origin}/oauth/token",
        "scopes": {},
    }
    return {
        "bearer": {"type": "http", "scheme": "bearer"},
        "oauth2": {"type": "oauth2", "flows": {"authorizationCode": flow}},
        "older": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`OAuth oauth_token={access_token}`",
        },
    }
