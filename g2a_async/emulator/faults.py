"""What goes wrong on purpose: which call, how, and how often."""

import json
import threading
from collections.abc import Mapping
from typing import Any, Literal, get_args

from attrs import define, field

from g2a_async.emulator.keys import ANY, key_of
from g2a_async.emulator.wire import Answer, problem
from g2a_async.endpoints import Endpoint

Kind = Literal["status", "reset", "truncate", "stall", "slow", "html", "garbage", "empty"]

_PAGE = (
    "<html>\r\n<head><title>{0} {1}</title></head>\r\n<body>\r\n<center><h1>{0} {1}</h1></center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
_PHRASES = {413: "Request Entity Too Large", 414: "Request-URI Too Large", 502: "Bad Gateway", 504: "Gateway Time-out"}


def page(status: int) -> Answer:
    """What a reverse proxy says in HTML."""
    text = _PAGE.format(status, _PHRASES.get(status, "Service Temporarily Unavailable"))
    return Answer(status=status, body=text.encode(), headers={"Content-Type": "text/html"})


@define(kw_only=True, eq=False)
class Fault:
    """One thing that goes wrong."""

    key: str
    """The call, as `METHOD /path template`, or `*`."""
    kind: Kind
    status: int | None
    headers: Mapping[str, str]
    body: bytes | None = field(repr=False)
    times: int | None
    """How often it still happens; None: for ever."""
    after: bool
    """It happens once the call was processed: what was to be created exists."""
    seconds: float
    """How long `slow` and `stall` wait."""
    keep: int | None
    """How many bytes of the body `truncate` and `stall` let through; None: half."""
    hits: int = 0
    """How often it happened."""

    def answer(self) -> Answer:
        """What is answered in place of the truth, where the kind has such an answer."""
        match self.kind:
            case "html":
                plain = page(self.status or 502)
            case "garbage":
                plain = Answer(status=self.status or 200, body=b'{"sessions": [{"sessionId": 12')
            case "empty":
                plain = Answer(status=self.status or 200, body=b"")
            case _:
                plain = _plain(self.status or 500)
        body = plain.body if self.body is None else self.body
        return Answer(status=plain.status, body=body, headers={**plain.headers, **self.headers})


def _plain(status: int) -> Answer:
    return problem(status, "Emulated", "A fault that a test asked for") if status >= 400 else Answer(status=status)  # noqa: PLR2004 - where errors begin


class Faults:
    """The faults that are set. The first that fits a request is what it meets."""

    def __init__(self) -> None:
        self._set: list[Fault] = []
        self._lock = threading.Lock()

    def add(
        self,
        call: Endpoint | str,
        kind: Kind = "status",
        *,
        status: int | None = None,
        times: int | None = 1,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        after: bool = False,
        seconds: float = 30.0,
        keep: int | None = None,
    ) -> Fault:
        """Set a fault on *call* (`METHOD /path template`, a row of the table, or `*`) for the next *times* requests.

        - `status`: *status* (500), with *headers* and *body* (bytes, text, or anything for JSON);
        - `reset`: the connection is reset and nothing is answered;
        - `truncate`: the headers come, and the body's first *keep* bytes (half), then the connection closes;
        - `stall`: the same bytes come, and the rest after *seconds*;
        - `slow`: everything comes after *seconds*;
        - `html`: a proxy's page, 502 unless *status* says otherwise;
        - `garbage`: 200 and a body that is not JSON; `empty`: 200 and no body.

        With *after*, the call is processed first. `truncate` and `stall` always process it.
        """
        key = key_of(call)
        if kind not in get_args(Kind):
            message = f"no such fault: {kind!r}; there are {', '.join(get_args(Kind))}"
            raise ValueError(message)
        fault = Fault(
            key=key,
            kind=kind,
            status=status,
            headers=dict(headers or {}),
            body=_encode(body),
            times=times,
            after=after or kind in {"truncate", "stall"},
            seconds=seconds,
            keep=keep,
        )
        with self._lock:
            self._set.append(fault)
        return fault

    def take(self, key: str | None) -> Fault | None:
        """The fault that a request for *key* meets, counted."""
        with self._lock:
            for fault in self._set:
                if fault.key in {ANY, key} and fault.times != 0:
                    fault.hits += 1
                    fault.times = None if fault.times is None else fault.times - 1
                    return fault
        return None

    def clear(self) -> None:
        """Take all of them back."""
        with self._lock:
            self._set = []


def _encode(body: Any) -> bytes | None:
    if body is None or isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()
