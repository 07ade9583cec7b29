"""Values, and lists of them: tolerant where the documents are silent, strict where guessing would invent something."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from g2a_async.records.base import OpenEnum

T = TypeVar("T")

_DIGITS: Final = re.compile(r"-?[0-9]{1,40}")
_MILLISECONDS: Final = 100_000_000_000
"""A number from here on counts milliseconds: in seconds it would be the year 5138."""


class MismatchError(Exception):
    """A value of another shape than expected; gathers its path on the way out."""

    def __init__(self, expected: str, path: str = "") -> None:
        super().__init__(expected, path)
        self.expected = expected
        self.path = path

    def under(self, step: str) -> "MismatchError":
        """The same, seen from one level up."""
        return MismatchError(self.expected, step + self.path)


def text(value: Any, _: Any = None) -> str:
    """Text, or a whole number as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise MismatchError("text")


def whole(value: Any, _: Any = None) -> int:
    """A whole number, or its decimal digits as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    raise MismatchError("a whole number")


def truth(value: Any, _: Any = None) -> bool:
    """A truth value, also as text."""
    if isinstance(value, bool):
        return value
    known = {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else None
    if known is None:
        raise MismatchError("true or false")
    return known


def moment(value: Any, _: Any = None) -> datetime | None:
    """A time in UTC: ISO 8601, or a number of seconds or milliseconds since 1970. Empty text: none. No zone: UTC."""
    try:
        if isinstance(value, str):
            if not value.strip():
                return None
            time = datetime.fromisoformat(value)
            if time.tzinfo is UTC:
                return time
            return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if abs(value) >= _MILLISECONDS else value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise MismatchError("a time in ISO 8601")


def open_enum(value: Any, kind: type[OpenEnum]) -> OpenEnum:
    """A member of *kind*, which may be one that it does not know."""
    if isinstance(value, str):
        return kind.known(value) or kind(value)
    raise MismatchError("text")


def items(value: Any, item: Callable[[Any, Any], T], kind: Any) -> tuple[T, ...]:
    """A list, each of it read by *item*; null is an empty one."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise MismatchError("a list")
    try:
        return tuple([item(one, kind) for one in value])
    except MismatchError:
        pass
    for index, one in enumerate(value):
        try:
            item(one, kind)
        except MismatchError as error:
            raise error.under(f"[{index}]") from None
    raise MismatchError("a list")  # pragma: no cover - the first pass found one
