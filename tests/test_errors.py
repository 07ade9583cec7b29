"""Errors are plain values: they pickle, copy, amend, and tell what they know."""

import copy
import inspect
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from g2a_async import (
    BadRequestError,
    ConnectError,
    DeadlineExceededError,
    DecodeError,
    ForbiddenError,
    G2AError,
    MethodNotAllowedError,
    NotFoundError,
    OutcomeUnknownError,
    RateLimitedError,
    ServerError,
    StatusError,
    TransportError,
    UnauthorizedError,
    errors,
)

KINDS: list[type[G2AError]] = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, G2AError)
]
STATUS = [kind for kind in KINDS if issubclass(kind, StatusError)]
TRANSPORT = [kind for kind in KINDS if issubclass(kind, TransportError)]
PLAIN = [kind for kind in KINDS if kind not in [*STATUS, *TRANSPORT, DecodeError]]

TEXTS = st.text(max_size=20)
SECONDS = st.floats(0, 1e9)
BODIES = st.none() | TEXTS | st.dictionaries(TEXTS, st.integers() | TEXTS, max_size=3)


@st.composite
def any_error(draw: st.DrawFn) -> G2AError:
    """An error of any class with anything in it."""
    kind: Any = draw(st.sampled_from(KINDS))
    if kind in STATUS:
        names: dict[str, Any] = {
            "headers": draw(st.dictionaries(TEXTS, TEXTS, max_size=2)),
            "body": draw(BODIES),
            "code": draw(st.none() | TEXTS),
            "description": draw(st.none() | TEXTS),
            "attempts": draw(st.integers(1, 9)),
            "retry_after": draw(st.none() | SECONDS),
        }
        if kind is ForbiddenError:
            names["rejected"] = tuple(draw(st.lists(st.integers(), max_size=9)))
        error = kind(draw(st.integers(300, 599)), draw(TEXTS), draw(TEXTS), **names)
    elif kind is DeadlineExceededError:
        error = kind(draw(TEXTS), "quota", draw(st.integers(1, 9)), draw(SECONDS), draw(TEXTS))
    elif kind in TRANSPORT:
        error = kind(draw(TEXTS), draw(st.integers(1, 9)), draw(SECONDS), draw(TEXTS))
    elif kind is DecodeError:
        error = kind(draw(TEXTS), draw(TEXTS), draw(st.none() | TEXTS))
    else:
        error = kind(draw(TEXTS))
    for note in draw(st.lists(TEXTS, max_size=2)):
        error.add_note(note)
    assert isinstance(error, G2AError)
    return error


@given(any_error())
def test_every_error_is_copied_with_all_it_knows(error: G2AError) -> None:
    """Through pickle, copy and deepcopy an error stays itself: class, arguments, attributes, notes and text."""
    copies = [copy.copy(error), copy.deepcopy(error), *[pickle.loads(pickle.dumps(error, n)) for n in range(2, 6)]]
    for one in copies:
        assert type(one) is type(error)
        assert one.args == error.args
        assert vars(one) == vars(error)
        assert (str(one), repr(one)) == (str(error), repr(error))


@given(any_error())
def test_an_error_that_learns_more_is_copied_with_it(error: G2AError) -> None:
    """What `amend` adds is in the copies too."""
    if isinstance(error, StatusError | TransportError):
        again = pickle.loads(pickle.dumps(error.amend(attempts=77)))
        assert again.attempts == 77
        assert again.args == error.args
    else:
        assert error.amend() is error


@given(any_error())
def test_an_error_matches_by_its_names(error: G2AError) -> None:
    """The arguments are the attributes that the class names, so that `match` can take errors apart."""
    assert error.args == tuple(getattr(error, name) for name in error.__match_args__)


def test_headers_are_found_in_any_case() -> None:
    """A proxy that writes names in lower case changes nothing; the headers are a dict, which result backends take."""
    headers = StatusError(429, headers={"retry-after": "3"}).headers
    assert (headers["Retry-After"], headers.get("RETRY-AFTER"), "Retry-After" in headers) == ("3", "3", True)
    assert (headers.get("Date"), headers.get("Date", ""), "Date" in headers) == (None, "", False)
    with pytest.raises(KeyError, match="Date"):
        headers["Date"]
    assert json.dumps(headers) == '{"retry-after": "3"}'


STATUSES: dict[int, type[StatusError]] = {
    400: BadRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    405: MethodNotAllowedError,
    429: RateLimitedError,
    500: ServerError,
    502: ServerError,
    503: ServerError,
    599: ServerError,
    302: StatusError,
    409: StatusError,
    418: StatusError,
}


@pytest.mark.parametrize(("status", "kind"), STATUSES.items())
def test_each_status_has_its_class(status: int, kind: type[StatusError]) -> None:
    """The statuses of the reference have classes of their own; the others have their family's."""
    assert StatusError.kind(status) is kind


def test_one_root_and_nothing_foreign() -> None:
    """Every error has the one root, and no base that is not ours or Python's own."""
    for kind in KINDS:
        assert issubclass(kind, G2AError)
        assert {base.__module__ for base in kind.__mro__} <= {"builtins", "g2a_async.errors"}
    assert issubclass(DeadlineExceededError, TimeoutError)
    assert not issubclass(OutcomeUnknownError, ConnectError)


def test_messages_tell_what_matters() -> None:
    """The text of an error has the call, the place and the service's own words."""
    assert str(ConnectError("sessions.get", 3, 1.5, "refused")) == "sessions.get: refused (3 attempts, 1.50 s)"
    late = DeadlineExceededError("sessions.get", "quota", 1, 2.0)
    assert str(late) == "sessions.get: deadline exceeded (1 attempt, 2.00 s) in phase quota"
    assert str(DecodeError("$.a", "text", "sessions.get")) == "sessions.get: expected text at $.a"
    limited = RateLimitedError(429, "GET", "http://h/x", code="Slow", description="Too fast", attempts=2, retry_after=3)
    assert str(limited) == "429 on GET http://h/x, Slow: Too fast, 2 attempts, asks to wait 3 s"
    refused = ForbiddenError(403, "PUT", "http://h/x", rejected=tuple(range(7)))
    assert str(refused) == "403 on PUT http://h/x, 7 IDs refused: 0, 1, 2, 3, 4, …"


@pytest.mark.parametrize("kind", PLAIN, ids=lambda kind: kind.__name__)
def test_a_plain_error_is_its_message(kind: type[G2AError]) -> None:
    """Errors without attributes of their own are made of a message, and of none."""
    assert (str(kind("so it is")), kind("so it is").args) == ("so it is", ("so it is",))
    assert str(kind()) == ""
