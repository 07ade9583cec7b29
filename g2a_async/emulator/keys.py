"""What calls are named here: `METHOD /path template`, as in the table, and what is beside it."""

from typing import Final

from g2a_async.endpoints import ENDPOINTS, Endpoint

ANY: Final = "*"

TOKEN: Final = "POST /oauth/token"  # noqa: S105 - the name of a call
AUTHORIZE: Final = "GET /oauth/authorize"
LAUNCH: Final = "GET /launch.html"
FILES: Final = "GET /files"
DOCUMENT: Final = "GET /openapi.json"


def key_of(call: Endpoint | str) -> str:
    """The name of *call*, a row of the table or already a name. ValueError: there is no such call."""
    key = _named(call)
    if key not in KEYS:
        message = f"no such call: {key!r}; there are {', '.join(sorted(KEYS))}"
        raise ValueError(message)
    return key


def _named(call: Endpoint | str) -> str:
    return call if isinstance(call, str) else f"{call.method} {call.path}"


KEYS: Final = frozenset({ANY, TOKEN, AUTHORIZE, LAUNCH, FILES, DOCUMENT, *map(_named, ENDPOINTS)})
"""Every name that there is."""
