"""What each call raises for each status, and what the error tells."""

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from tools.calls import CALLS, LAUNCH_TOKEN, Call, client_for, each, failure, nothing
from tools.peer import Answer, Peer, drop, page, reply, typed
from tools.proxy import Proxy

from g2a_async import (
    BadRequestError,
    ForbiddenError,
    G2AError,
    MethodNotAllowedError,
    NotFoundError,
    RateLimitedError,
    ServerError,
    StatusError,
    UnauthorizedError,
)

KINDS: dict[int, type[StatusError]] = {
    400: BadRequestError,
    401: UnauthorizedError,
    402: StatusError,
    403: ForbiddenError,
    404: NotFoundError,
    405: MethodNotAllowedError,
    409: StatusError,
    414: StatusError,
    429: RateLimitedError,
    500: ServerError,
    501: ServerError,
    502: ServerError,
    503: ServerError,
    504: ServerError,
}
# The exceptions that the reference makes: no records, and a batch refused for its IDs, which is looked into.
OTHERWISE = {
    ("companies.list", 404),
    ("companies.machines", 404),
    ("recordings.urls", 403),
}


def state(error: Any) -> dict[str, Any]:
    """Collect what is public of an error."""
    values = {name: getattr(error, name, None) for name in dir(error) if name[0] != "_"}
    return {name: value for name, value in values.items() if not callable(value)}


PAIRS = [(call, status) for call in CALLS for status in KINDS if (call.name, status) not in OTHERWISE]


@pytest.mark.parametrize(("call", "status"), PAIRS, ids=[f"{call.name} {status}" for call, status in PAIRS])
async def test_each_status_has_its_error(call: Call, status: int) -> None:
    """Each status of each call raises its own class, which tells status, method, address, headers and body."""
    body = {"errorCode": "Odd", "description": "It is so"}
    async with Peer(lambda _: reply(body, status, ("X-Trace", "t-1"))) as peer, client_for(peer) as client:
        with pytest.raises(StatusError) as caught:
            await call.run(client, peer.origin)
        assert len(peer.requests) == 1
    error = caught.value
    assert type(error) is KINDS[status]
    assert (error.status, error.method, error.attempts) == (status, call.method, 1)
    assert error.url.startswith(peer.origin + call.target)
    assert {name.lower(): value for name, value in error.headers.items()}["x-trace"] == "t-1"
    assert (error.body, error.code, error.description) == (body, "Odd", "It is so")
    assert str(status) in str(error)


@each(but=("sessions.browser_launch_url",))
async def test_a_redirect_is_an_error(call: Call) -> None:
    """No call follows a redirect; only the browser's call expects one."""
    async with Peer(nothing()) as other:
        answer = Answer(status=307, headers=(("Location", other.origin + "/x?token=" + LAUNCH_TOKEN),))
        error = await failure(call.name, answer)
    assert other.connections == 0
    assert (type(error), error.status) == (StatusError, 307)
    assert LAUNCH_TOKEN not in f"{error} {error!r}"


BODIES: dict[str, tuple[Answer, Any, Any, Any]] = {
    "errorCode": (reply({"errorCode": "A", "description": "d", "incident": "i"}, 400), ..., "A", "d"),
    "a number as code": (reply({"errorCode": 17, "description": "d"}, 400), ..., "17", "d"),
    "int_err_code": (reply({"int_err_code": "B", "msg": "m"}, 400), ..., "B", "m"),
    "OAuth": (reply({"error": "invalid", "error_description": "e"}, 400), ..., "invalid", "e"),
    "nulls": (reply({"errorCode": None, "description": None}, 400), ..., None, None),
    "objects where text belongs": (reply({"errorCode": {}, "description": [1]}, 400), ..., ..., ...),
    "another object": (reply({"weird": [1]}, 400), ..., None, None),
    "a list": (reply([1, "x"], 400), ..., None, None),
    "a number": (reply(17, 400), ..., None, None),
    "HTML": (page("<h1>Bad Gateway</h1>", 400), "<h1>Bad Gateway</h1>", None, ...),
    "plain text": (typed(b"no", "text/plain", 400), "no", None, ...),
    "JSON that is none": (typed(b"{", "application/json", 400), "{", None, ...),
    "JSON without a type": (Answer(status=400, body=b'{"msg": "m"}'), ..., None, ...),
    "no UTF-8": (Answer(status=400, body=b"\xff\xfe caf\xe9"), ..., None, ...),
    "an unknown charset": (typed(b"x", "text/plain; charset=nonsense", 400), "x", None, ...),
}


@pytest.mark.parametrize(("answer", "body", "code", "description"), BODIES.values(), ids=BODIES)
async def test_reads_every_error_body(answer: Answer, body: Any, code: Any, description: Any) -> None:
    """Code and description are found in each of the vendor's shapes, and no body whatever hides the status."""
    error = await failure("sessions.get", answer)
    assert (type(error), error.status) == (BadRequestError, 400)
    if body is not ...:
        assert error.body == body
    elif answer.headers:
        assert error.body == json.loads(answer.body)
    if code is not ...:
        assert error.code == code
    if description is not ...:
        assert error.description == description
    assert isinstance(error.code, str | None)
    assert isinstance(error.description, str | None)


async def test_an_empty_body() -> None:
    """A status without a body is told by its class alone."""
    error = await failure("sessions.get", Answer(status=500))
    assert (type(error), error.status, error.code, error.description) == (ServerError, 500, None, None)
    assert not error.body


@pytest.mark.parametrize("kind", ["text/plain", "application/json"])
async def test_keeps_no_more_than_64_kib(kind: str) -> None:
    """A huge body is cut, whatever it claims to be."""
    body = json.dumps({"msg": "x" * 500_000}).encode()
    error = await failure("sessions.get", typed(body, kind, 400))
    assert len(pickle.dumps(error)) < 140_000
    assert len(error.body if isinstance(error.body, str) else json.dumps(error.body)) <= 65_536
    assert len(str(error)) < 2_000


def http(name: str, answer: Answer) -> Callable[[], Any]:
    """Fail later."""
    return lambda: failure(name, answer)


async def late() -> Any:
    """Let the deadline pass."""
    async with Peer([drop("stall")]) as peer, client_for(peer, deadline=0.02) as client:
        with pytest.raises(G2AError) as caught:
            await client.sessions.get("1")
    return caught.value


async def closed() -> Any:
    """Call a client that is closed."""
    client = client_for("http://127.0.0.1:1")
    await client.aclose()
    with pytest.raises(G2AError) as caught:
        await client.sessions.get("1")
    return caught.value


async def refused() -> Any:
    """Call where nobody listens."""
    async with Proxy(0, refuse=True) as nobody, client_for(nobody.origin) as client:
        with pytest.raises(G2AError) as caught:
            await client.sessions.get("1")
    return caught.value


ERRORS: dict[str, Callable[[], Any]] = {
    **{str(status): http("sessions.get", reply({"errorCode": "A"}, status)) for status in KINDS},
    "429 with wait": http("sessions.get", reply({}, 429, ("Retry-After", "3600"))),
    "HTML": http("sessions.get", page("<h1>x</h1>", 500)),
    "decode": http("sessions.list", reply({"sessions": [{}]})),
    "outcome unknown": http("sessions.start", drop("fin")),
    "lost": http("sessions.get", drop("rst")),
    "deadline": late,
    "closed": closed,
    "refused": refused,
}


@pytest.mark.parametrize("fail", ERRORS.values(), ids=ERRORS)
async def test_errors_pickle_and_copy(fail: Callable[[], Any]) -> None:
    """Every error goes through pickle, copy and deepcopy as itself, with all that it tells."""
    error = await fail()
    whole = state(error)
    twins = [copy.copy(error), copy.deepcopy(error)]
    twins += [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    for twin in twins:
        assert type(twin) is type(error)
        assert state(twin) == whole
        assert (str(twin), repr(twin)) == (str(error), repr(error))
