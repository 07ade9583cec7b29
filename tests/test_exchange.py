"""One answer and what it means: no answer whatever breaks the code that reads it."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from g2a_async import StatusError, endpoints
from g2a_async.exchange import BODY_CAP, Exchange, is_success, mask_url, retry_after, scrub, status_error

NOW = datetime(2024, 2, 29, 12, tzinfo=UTC)
SECRET = "s3cr3t-" + "0123456789abcdef" * 2


def date(seconds: float, zone: str = "GMT") -> str:
    """An HTTP date so many seconds from now."""
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=zone == "GMT").replace("GMT", zone)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": " 7 "}, 7.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "999999999"}, 999_999_999.0),
        ({"Retry-After": date(30)}, 30.0),
        ({"Retry-After": date(-30)}, 0.0),
        ({"Retry-After": date(30, "-0000")}, 30.0),
        ({"Retry-After": date(30), "Date": date(-3600)}, 3630.0),
        ({"Retry-After": date(3600 + 5), "Date": date(3600)}, 5.0),
        ({"Retry-After": date(30), "Date": "yesterday"}, 30.0),
        ({"Retry-After": "Thursday, 29-Feb-24 12:00:09 GMT"}, 9.0),
        ({"Retry-After": "Thu Feb 29 12:00:09 2024"}, 9.0),
        *[({"Retry-After": junk}, None) for junk in ("", "soon", "-1", "1e9", "inf", "nan", "1,5", "9" * 400, "0x10")],
        *[
            ({"Retry-After": junk}, None)
            for junk in ("Thu, 99 Foo 2024 99:99:99 GMT", "Thu, 29 Feb 2024 12:00:00 +9999")
        ],
    ],
)
def test_retry_after(headers: dict[str, str], expected: float | None) -> None:
    """Seconds or a date, by the service's own clock where it shows one; junk is nothing."""
    assert retry_after(headers, NOW) == expected


@given(
    st.text(max_size=40) | st.from_regex(r"\A\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \S{1,5}\Z"), st.text(max_size=40)
)
def test_retry_after_takes_anything(value: str, sent: str) -> None:
    """Whatever the headers hold: nothing, or a finite number of seconds, zero or more."""
    seconds = retry_after({"Retry-After": value, "Date": sent}, NOW)
    assert seconds is None or 0.0 <= seconds < 1e12


NAMES = [
    "token",
    "userToken",
    "access_token",
    "refresh_token",
    "sessionToken",
    "code",
    "client_secret",
    "sessionStatusCallbackUrl",
]


@given(
    st.sampled_from(NAMES),
    st.lists(st.sampled_from(["q=1", "limit=50", "x="]), max_size=2),
    st.lists(st.sampled_from(["offset=0", "q=%20"]), max_size=2),
    st.booleans(),
)
def test_secrets_of_a_query_are_masked(name: str, before: list[str], after: list[str], upper: bool) -> None:
    """A secret parameter is masked wherever it stands, and nothing else of the address is lost."""
    name = name.upper() if upper else name
    url = "https://h.example/x?" + "&".join([*before, f"{name}={SECRET}", *after])
    assert mask_url(url) == url.replace(SECRET, "***")


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        (f"https://ann:{SECRET}@h.example/x", "https://***@h.example/x"),
        (f"https://h/sessions/{SECRET}", "https://h/sessions/***"),
        (f"https://h/sessions/{SECRET}/events?x=1", "https://h/sessions/***/events?x=1"),
        ("https://h/sessions/123456789012345678901234567890", "https://h/sessions/123456789012345678901234567890"),
        ("https://h/sessions/4217", "https://h/sessions/4217"),
        ("https://h/companies?q=a%26token%3D1", "https://h/companies?q=a%26token%3D1"),
    ],
)
def test_secrets_of_an_address_are_masked(url: str, masked: str) -> None:
    """User information and session tokens are masked; IDs are not."""
    assert mask_url(url) == masked


@given(st.text(max_size=60) | st.from_regex(r"\Ahttps?://[\[\]@:/?#=&a-z0-9.%]{0,40}\Z"))
@example("http://[")
@example("http://h℀.example/")
def test_masking_takes_anything(url: str) -> None:
    """Whatever stands where an address is expected: masking it gives text."""
    assert isinstance(mask_url(url), str)


@given(st.text(max_size=20), st.lists(st.uuids().map(str), max_size=4), st.text(max_size=20))
def test_scrubbing_leaves_no_secret(before: str, secrets: list[str], after: str) -> None:
    """No secret is left in the text, and nothing else is lost."""
    text = before + "-".join(secrets) + after
    clean = scrub(text, ["", *secrets])
    assert not any(secret in clean for secret in secrets)
    assert clean.startswith(before)
    assert clean.endswith(after)


HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "Date", "Location", "Content-Type", "X-Trace", "Set-Cookie"]) | st.text(max_size=9),
    st.text(max_size=30) | st.from_regex(r"\Ahttps?://[\[\]@:a-z]{0,9}\Z"),
    max_size=4,
)
WORDS = st.text(max_size=9) | st.integers() | st.none() | st.booleans() | st.lists(st.integers(), max_size=2)
ERROR_BODIES = st.dictionaries(
    st.sampled_from(["errorCode", "description", "int_err_code", "msg", "error", "error_description", "incident"]),
    WORDS,
)


@given(
    st.sampled_from(endpoints.ENDPOINTS),
    st.integers(100, 999),
    HEADERS,
    st.binary(max_size=200) | ERROR_BODIES.map(lambda body: __import__("json").dumps(body).encode()),
    st.lists(st.uuids().map(str), max_size=2),
)
@example(endpoints.GET_SESSION, 302, {"Location": "http://["}, b"", [])
@example(endpoints.GET_SESSION, 500, {}, b'{"code":' + b"1" * 5000 + b"}", [])
@example(endpoints.GET_SESSION, 500, {}, b"[" * 70_000, [])
@example(endpoints.GET_SESSION, 500, {}, "é".encode() * 40_000, [])
def test_any_answer_is_an_error_that_can_be_made(
    endpoint: endpoints.Endpoint, status: int, headers: dict[str, str], body: bytes, secrets: list[str]
) -> None:
    """Whatever the service or a proxy answers: the error of that status, with text or JSON in it, and never another."""
    url = f"https://h/x?userToken={SECRET}"
    error = status_error(endpoint, url, Exchange(status, headers, body), NOW, secrets)
    assert type(error) is StatusError.kind(status)
    assert (error.status, error.method) == (status, endpoint.method)
    assert error.code is None or error.code
    assert len(error.body) <= BODY_CAP if isinstance(error.body, str) else True
    assert "Set-Cookie" not in error.headers
    assert SECRET not in f"{error} {error!r}"


BODIES: dict[str, bytes] = {
    "as it is": f'{{"description": "no such token: {SECRET}"}}'.encode(),
    "as text": f"<h1>{SECRET}</h1>".encode(),
    "in a list": f'{{"errors": ["{SECRET}"], "code": 1}}'.encode(),
    "as a name": f'{{"{SECRET}": 1}}'.encode(),
    "escaped": b'{"description": "no such token: ' + "".join(f"\\u{ord(c):04x}" for c in SECRET).encode() + b'"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_secret_that_comes_back_is_masked(body: bytes) -> None:
    """A secret that the service repeats, however it writes it, is in no part of the error."""
    error = status_error(endpoints.GET_SESSION, "https://h/x", Exchange(400, {"X-Echo": SECRET}, body), NOW, [SECRET])
    assert SECRET not in f"{error} {error!r} {error.headers} {error.description}"


def test_a_callback_address_that_comes_back_is_masked() -> None:
    """Many services escape the slashes of an address in JSON: that is the same address."""
    hook = f"https://desk.example/hook/{SECRET}"
    body = b'{"description": "invalid callback ' + hook.replace("/", "\\/").encode() + b'"}'
    error = status_error(endpoints.START_SESSION, "https://h/x", Exchange(400, {}, body), NOW, [hook])
    assert SECRET not in f"{error} {error!r}"
    assert error.description == "invalid callback ***"


@pytest.mark.parametrize(
    ("body", "code", "description"),
    [
        (b'{"errorCode": "Bad", "description": "it is", "incident": "1"}', "Bad", "it is"),
        (b'{"int_err_code": "Bad", "msg": "it is"}', "Bad", "it is"),
        (b'{"error": "invalid_grant", "error_description": "it is"}', "invalid_grant", "it is"),
        (b'{"errorCode": 17}', "17", None),
        (b'{"errorCode": true, "description": []}', None, None),
        (b"[1]", None, None),
        (b"no JSON", None, None),
        (b"", None, None),
    ],
)
def test_the_service_s_own_words(body: bytes, code: Any, description: Any) -> None:
    """Code and description are found in each of the vendor's shapes."""
    error = status_error(endpoints.GET_SESSION, "https://h/x", Exchange(400, {}, body), NOW)
    assert (error.code, error.description) == (code, description)


def test_success_is_what_the_call_expects() -> None:
    """2xx is success, a redirect only where the call answers with one."""
    for endpoint in endpoints.ENDPOINTS:
        good = {status for status in range(100, 600) if is_success(endpoint, status)}
        assert good == ({301, 302, 303, 307, 308} if endpoint.redirects else set(range(200, 300)))
    assert [one.name for one in endpoints.ENDPOINTS if one.redirects] == ["sessions.browser_launch_url"]


def test_the_table_is_consistent() -> None:
    """Each row of the API's table fills its own path, and requires only what it has."""
    for endpoint in endpoints.ENDPOINTS:
        names = re.findall(r"{(\w+)}", endpoint.path)
        assert endpoint.fill(**dict.fromkeys(names, "a/b c%")) == re.sub(r"{\w+}", "a%2Fb%20c%25", endpoint.path)
        assert endpoint.required <= {*endpoint.query, *endpoint.body}
        for name in names:
            with pytest.raises(ValueError, match=name):
                endpoint.fill(**{name: ".."})
