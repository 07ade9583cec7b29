"""Requests and answers as values: what handlers read and give, without I/O."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, NoReturn

from attrs import field, frozen

JSON: Final = {"Content-Type": "application/json;charset=UTF-8"}

dumps = partial(json.dumps, ensure_ascii=False, separators=(",", ":"))


@frozen(kw_only=True)
class Answer:
    """What goes back."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(factory=JSON.copy)


class Refusal(Exception):  # noqa: N818 - it is an answer
    """The service says no."""

    def __init__(self, status: int, code: str, description: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.code = code
        self.description = description
        self.headers = headers or {}

    def answer(self, incident: int = 0) -> Answer:
        """As JSON."""
        return problem(self.status, self.code, self.description, incident=incident, headers=self.headers)


def problem(
    status: int, code: str, description: str, *, incident: int = 0, headers: Mapping[str, str] | None = None
) -> Answer:
    """An error as the service words it."""
    body = {"errorCode": code, "description": description, "incident": f"{incident:012d}"}
    return Answer(status=status, body=dumps(body).encode(), headers={**JSON, **(headers or {})})


def ok(value: Any, status: int = 200) -> Answer:
    """*value* as JSON."""
    return Answer(status=status, body=dumps(value).encode())


def refuse(status: int, code: str, description: str, headers: Mapping[str, str] | None = None) -> NoReturn:
    """Say no."""
    raise Refusal(status, code, description, headers)


def bad_request(description: str) -> NoReturn:
    """Say that the request is wrong."""
    refuse(400, "InvalidRequest", description)


def not_found(description: str) -> NoReturn:
    """Say that it is not there."""
    refuse(404, "NotFound", description)


_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)

_CHARACTERS = r"(?:[\w.~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})"
_URL = re.compile(
    rf"https?://(?:{_CHARACTERS}*@)?(?:\[[0-9A-Fa-f:.]+\]|(?:(?!:){_CHARACTERS})+)(?::\d*)?"
    rf"(?:/(?:{_CHARACTERS}|[@/])*)?(?:\?(?:{_CHARACTERS}|[@/?])*)?(?:#(?:{_CHARACTERS}|[@/?])*)?",
    re.ASCII,
)
"""RFC 3986, with a host."""


def read_time(text: str, name: str = "time") -> datetime:
    """An ISO 8601 time with an offset."""
    found = _TIME.fullmatch(text)
    if found is None:
        bad_request(f"{name} is not an ISO 8601 time")
    day, clock, fraction, offset = found.groups()
    if offset is None:
        bad_request(f"{name} has no offset from UTC")
    try:
        whole = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if offset == 'Z' else offset}").astimezone(UTC)
        return whole + timedelta(microseconds=int((fraction or "0").ljust(6, "0")[:6]))
    except (ValueError, OverflowError):
        bad_request(f"{name} is not a time that exists")


def write_time(moment: datetime, offset: str = "Z", digits: int = 0) -> str:
    """*moment* in UTC, with so many *digits* of a second's fraction (0 to 9)."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    fraction = f".{moment.microsecond:06d}000"[: digits + 1] if digits else ""
    return f"{moment.isoformat()[:19]}{fraction}{offset}"


@frozen(kw_only=True)
class Values:
    """The query or the body of one request: names that the table knows, each read strictly."""

    values: Mapping[str, Sequence[Any]] = field(factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def get(self, name: str) -> Any:
        """The value as it came, or None."""
        return self.values[name][0] if name in self.values else None

    def text(self, name: str) -> str | None:
        """A text, or None."""
        value = self.get(name)
        if value is not None and not isinstance(value, str):
            bad_request(f"{name} must be a string")
        return value

    def needed(self, name: str) -> str:
        """A text that is not empty."""
        value = self.text(name)
        if not value:
            bad_request(f"{name} must not be empty")
        return value

    def integer(self, name: str, low: int, high: int | None = None) -> int | None:
        """A whole number from *low* to *high*, or None."""
        value = self.text(name)
        if value is None:
            return None
        if not re.fullmatch(r"\d{1,4000}", value, re.ASCII):  # Python reads no more digits than 4,300
            bad_request(f"{name} must be a whole number")
        number = int(value)
        if number < low or (high is not None and number > high):
            bad_request(f"{name} must be {low} to {high}" if high is not None else f"{name} must be at least {low}")
        return number

    def choice(self, name: str, *allowed: str) -> str | None:
        """One of *allowed*, or None."""
        value = self.text(name)
        if value is not None and value not in allowed:
            bad_request(f"{name} must be one of {', '.join(allowed)}")
        return value

    def time(self, name: str) -> datetime | None:
        """A time with an offset, or None."""
        value = self.text(name)
        return None if value is None else read_time(value, name)

    def range(self) -> tuple[datetime | None, datetime | None]:
        """`fromTime` and `toTime`."""
        since, until = self.time("fromTime"), self.time("toTime")
        if since and until and since > until:
            bad_request("fromTime is after toTime")
        return since, until

    def url(self, name: str) -> str | None:
        """An absolute http or https URL, or None."""
        value = self.text(name)
        if value is not None and not _URL.fullmatch(value):
            bad_request(f"{name} is not a valid URL")
        return value

    def identifiers(self, name: str) -> list[int]:
        """All values, as numbers of up to 64 bits."""
        return [read_identifier(value, name) for value in self.values.get(name, ())]


def read_identifier(text: str, name: str) -> int:
    """A number of up to 64 bits."""
    if not re.fullmatch(r"\d{1,20}", text, re.ASCII) or int(text) >= 1 << 64:
        bad_request(f"{name} must be a whole number of at most 64 bits")
    return int(text)
