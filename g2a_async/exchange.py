"""One answer, and what it means: no I/O here."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import quote, quote_plus

from attrs import define

from g2a_async.codec import parse
from g2a_async.endpoints import Endpoint
from g2a_async.errors import DecodeError, StatusError

BODY_CAP: Final = 65_536
"""Bytes of an error's body that are kept."""

SECRET_NAME: Final = re.compile(r"token|secret|password|callback_?url", re.IGNORECASE)
"""What a name has in it whose value is secret."""
_SECRET_QUERY = re.compile(rf"(?<=[?&])([^=&#]*(?:{SECRET_NAME.pattern})[^=&#]*|code)=[^&#]*", re.IGNORECASE)
_SHORTEST: Final = 4
"""Characters of what is worth masking in a text."""
_USER = re.compile(r"(?<=//)[^/?#]*@")
_SECRET_SEGMENT = re.compile(r"(?<=/sessions/)(?![\d,]+(?:[/?]|$))[^/?]{21,}")
_SECRET_HEADERS: Final = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie"})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


@define(eq=False)  # frozen would cost more than all the rest of it
class Exchange:
    """What the service answered."""

    status: int
    """The HTTP status."""
    headers: Mapping[str, str]
    """Its headers; names in any case."""
    body: bytes
    """Its body."""


def mask_url(url: str) -> str:
    """*url* with what may be secret replaced: tokens, callback addresses, user information."""
    return _SECRET_SEGMENT.sub("***", _SECRET_QUERY.sub(r"\1=***", _USER.sub("***@", url)))


def spellings(secrets: Iterable[str]) -> tuple[str, ...]:
    """*secrets* in every form in which a body or an address may hold them."""
    forms = {
        form
        for one in secrets
        if one
        for form in (
            one,
            json.dumps(one)[1:-1],
            json.dumps(one, ensure_ascii=False)[1:-1],
            quote(one, safe=""),
            quote(one, safe=":,"),
            quote_plus(one),
        )
    }
    return tuple(forms)


def scrub(value: Any, secrets: Iterable[str]) -> Any:
    """*value*, text or JSON, without *secrets*, should the other side have sent one back."""
    if isinstance(value, str):
        # The longest first, as one may begin as another does; a short one would shred every word that it is part of.
        for secret in sorted((one for one in secrets if len(one) >= _SHORTEST), key=len, reverse=True):
            value = value.replace(secret, "***")
        return value
    if isinstance(value, dict):
        return {scrub(name, secrets): scrub(item, secrets) for name, item in value.items()}
    return [scrub(item, secrets) for item in value] if isinstance(value, list) else value


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that the service asks to wait. A date counts from the service's own clock, where it shows one.

    Junk is None: it must not stop a call that could go on.
    """
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,15}(\.\d{1,9})?", value):
        return float(value)
    until, sent = http_date(value), http_date(headers.get("Date", ""))
    return None if until is None else max(0.0, (until - (sent or now)).total_seconds())


def http_date(value: str) -> datetime | None:
    """The time that a header tells, aware. None: it is no date."""
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _find_text(body: Any, *names: str) -> str | None:
    if isinstance(body, dict):
        for name in names:
            value = body.get(name)
            if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
                return str(value)
    return None


def _body_of(answer: Exchange, secrets: Iterable[str]) -> Any:
    text = answer.body[:BODY_CAP].decode("utf-8", "replace")
    if not text.strip():
        return None
    try:
        return scrub(parse(text.encode()), secrets)
    except (DecodeError, RecursionError):
        return scrub(text, secrets)


def _texts(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Plain texts that can be printed: the names are of a class of multidict's, the values may have stray bytes."""
    for name, value in headers.items():
        yield str(name), value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def status_error(
    endpoint: Endpoint, url: str, answer: Exchange, now: datetime, secrets: Iterable[str] = ()
) -> StatusError:
    """The error for an answer that is not a success."""
    body = _body_of(answer, secrets)
    headers = {
        name: mask_url(scrub(value, secrets)) if name.lower() == "location" else scrub(value, secrets)
        for name, value in _texts(answer.headers)
        if name.lower() not in _SECRET_HEADERS
    }
    return StatusError.kind(answer.status)(
        answer.status,
        endpoint.method,
        scrub(mask_url(url), secrets),
        headers,
        body,
        _find_text(body, "errorCode", "int_err_code", "error", "code"),
        _find_text(body, "description", "msg", "error_description", "message"),
        retry_after=retry_after(answer.headers, now),
    )


def is_success(endpoint: Endpoint, status: int) -> bool:
    """Whether *endpoint* succeeded: 2xx, or the redirect that it answers with."""
    return status in _REDIRECTS if endpoint.redirects else 200 <= status < 300  # noqa: PLR2004  2xx
