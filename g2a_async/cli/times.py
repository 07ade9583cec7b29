"""Times and lengths of time, as people type them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import typer

TIME_HELP: Final = "ISO 8601, a date, or how long ago (90s, 30m, 2h, 7d, 4w); local time where it names no zone"

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN: Final = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+", re.IGNORECASE | re.ASCII)
_PART: Final = re.compile(r"([\d.]+)([smhdw])", re.IGNORECASE)


def parse_span(text: str) -> timedelta:
    """A length such as `90s` or `1h30m`. BadParameter: it is none, or nothing."""
    text = text.strip()
    parts: dict[str, float] = {}
    if _SPAN.fullmatch(text):
        for number, unit in _PART.findall(text):
            name = _UNITS[unit.lower()]
            parts[name] = parts.get(name, 0) + float(number)
    try:
        length = timedelta(**parts)
    except OverflowError:
        length = timedelta()
    if length <= timedelta():
        raise typer.BadParameter(f"{text!r} is no length of time: write 90s, 30m, 2h, 7d, 4w or 1h30m")
    return length


def parse_seconds(text: str) -> float:
    """The same in seconds; a number alone is seconds."""
    return parse_span(f"{text.strip()}s" if re.fullmatch(r"\s*[\d.]+\s*", text) else text).total_seconds()


def parse_time(text: str) -> datetime:
    """A moment, in UTC: ISO 8601, a date (midnight), `now`, or how long ago. Without a zone it is local time.

    BadParameter: it is none of these, or not on the calendar.
    """
    text = text.strip()
    now = datetime.now(UTC)
    if text.lower() == "now":
        return now
    try:
        if _SPAN.fullmatch(text):
            return now - parse_span(text)
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is no time: write 2026-05-01, 2026-05-01T14:00, 2026-05-01T12:00:00Z, or as 2h how long ago"
        ) from None


def check_range(since: datetime, until: datetime | None) -> None:
    """ValueError: it ends before it begins."""
    if since > (until or datetime.now(UTC)):
        end = "--until" if until else "now"
        raise ValueError(f"--since is later than {end}: the time range would end before it begins")
