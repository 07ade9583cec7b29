"""The service as an OpenAPI document: the table of calls, and what only the wire knows.

Methods, paths, names and published errors are the table's. What stands behind the names, and what answers look
like, is written out by hand from the API's reference, and from none of the handlers, which are tested against it.
"""

from copy import deepcopy
from typing import Any

from g2a_async.emulator.openapi.answers import responses
from g2a_async.emulator.openapi.asked import body, parameters
from g2a_async.emulator.openapi.records import RECORDS
from g2a_async.endpoints import ENDPOINTS, Endpoint


def document(origin: str, base: str, callback_url: str) -> dict[str, Any]:
    """OpenAPI 3.1 of the API at the path *base* of *origin*, and of the partner system at *callback_url*.

    Whoever gets one may alter it.
    """
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ENDPOINTS:
        item = paths.setdefault(endpoint.path, {"servers": [{"url": callback_url}]} if endpoint.partner else {})
        item[endpoint.method.lower()] = _operation(endpoint)
    found = {
        "openapi": "3.1.0",
        "info": {
            "title": "GoToAssist Remote Support",
            "version": "1",
            "description": "As emulated. Answers may have more attributes than are written here.",
        },
        "servers": [{"url": origin + base}],
        "paths": paths,
        "components": {"schemas": RECORDS, "securitySchemes": _security(origin)},
    }
    return deepcopy(found)  # of schemas that all documents share


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.meaning,
        "security": [{"bearer": []}, {"oauth2": []}, {"older": []}] if endpoint.authorized else [],
        "parameters": parameters(endpoint),
        "responses": responses(endpoint),
    }
    if endpoint.body:
        operation["requestBody"] = body(endpoint)
    return operation


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
