"""Bytes to records: one cattrs converter, whose hooks are derived from the records.

Tolerant where the documents are silent (numbers for text, text for numbers, lists bare or wrapped,
times in every ISO 8601 form), strict where guessing would invent something: no `str(None)`, no
`bool("false")`, no identifier through a float. A list that is null is empty.

msgspec reads the JSON: it keeps integers of any size, where orjson makes floats of those over 64 bits.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin

import attrs
import cattrs
import msgspec

from g2a_async.endpoints import Endpoint
from g2a_async.errors import DecodeError
from g2a_async.records import OpenEnum, Record
from g2a_async.records.base import to_wire, wire_name

T = TypeVar("T")

_MILLISECONDS: Final = 100_000_000_000
"""A number from here on counts milliseconds: in seconds it would be the year 5138."""


_TOTAL: Final = re.compile(r"(?i)total_?(count|items|records|results|tickets|num\w*)?")
"""Names under which a partner may count all records."""


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
    if isinstance(value, str) and value.isascii() and value.removeprefix("-").isdigit() and len(value) <= 40:  # noqa: PLR2004  bounded work
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


def _required_moment(value: Any, _: Any = None) -> datetime:
    time = moment(value)
    if time is None:
        raise MismatchError("a time in ISO 8601")
    return time


def open_enum(value: Any, kind: type[OpenEnum]) -> OpenEnum:
    """A member of *kind*, which may be one that it does not know."""
    if isinstance(value, str):
        return kind.known(value) or kind(value)
    raise MismatchError("text")


def _items(value: Any, item: Callable[[Any, Any], T], kind: Any) -> tuple[T, ...]:
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


def _is_optional(kind: Any) -> bool:
    return get_origin(kind) in {Union, UnionType} and NoneType in get_args(kind)


def _compile(record: type[Record], converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    """A structure function for *record*, of one straight line per attribute.

    cattrs' own, with these tolerances, is slower than every peer (a record of 22 attributes: three times).
    The record is filled while it is a plain class of the same slots, then becomes the frozen one.
    """
    names: dict[str, Any] = {"MismatchError": MismatchError, "record": record}
    names["Draft"] = type(record.__name__, (Record,), {"__slots__": record.__slots__})
    lines = [
        "def structure(data, _=None):",
        "    if data.__class__ is not dict:",
        "        raise MismatchError('an object')",
        "    get = data.get",
        "    draft = Draft()",
    ]
    keys = set()
    for attribute in attrs.fields(record):  # type: ignore[arg-type]  # every record is an attrs class
        name, key = attribute.name, wire_name(attribute)
        if key is None:
            names[f"default_{name}"] = attribute.default
            if name != "extra":
                lines.append(f"    draft.{name} = default_{name}")
            continue
        keys.add(key)
        kind = (
            next(part for part in get_args(attribute.type) if part is not NoneType)
            if _is_optional(attribute.type)
            else attribute.type
        )
        names[f"read_{name}"] = converter.get_structure_hook(kind)
        names[f"kind_{name}"] = kind
        names[f"default_{name}"] = None if attribute.default is attrs.NOTHING else attribute.default
        lines.append(f"    value = get({key!r})")
        quick = f"value.__class__ is not {kind.__name__}" if kind in {str, int} else "True"
        if attribute.default is not attrs.NOTHING:
            lines += ["    if value is None:", f"        value = default_{name}", f"    elif {quick}:"]
        else:
            lines.append(f"    if {quick}:")
        lines += [
            "        try:",
            f"            value = read_{name}(value, kind_{name})",
            "        except MismatchError as error:",
            f"            raise error.under({'.' + key!r}) from None",
            f"    draft.{name} = value",
        ]
    names["keys"] = frozenset(keys)
    lines += [
        "    draft.extra = {} if keys.issuperset(data) else {key: data[key] for key in data if key not in keys}",
        "    draft.__class__ = record",
        "    return draft",
    ]
    exec("\n".join(lines), names)  # noqa: S102  attrs and cattrs make their methods so; nothing of the wire gets in
    structure: Callable[[Any, Any], Any] = names["structure"]
    return structure


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=False)
    converter.register_structure_hook(str, text)
    converter.register_structure_hook(int, whole)
    converter.register_structure_hook(bool, truth)
    converter.register_structure_hook(datetime, moment)
    converter.register_structure_hook(OpenEnum, open_enum)
    converter.register_structure_hook_func(lambda kind: kind is Any, lambda value, _: value)

    def is_tuple(kind: Any) -> bool:
        origin: Any = get_origin(kind)
        return origin is tuple

    @converter.register_structure_hook_factory(is_tuple)
    def _(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
        item = get_args(kind)[0]
        hook = converter.get_structure_hook(item)
        return lambda value, _: _items(value, hook, item)

    @converter.register_structure_hook_factory(lambda kind: isinstance(kind, type) and issubclass(kind, Record))
    def _(kind: type[Record], converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
        return _compile(kind, converter)

    converter.register_unstructure_hook_func(
        lambda kind: isinstance(kind, type) and issubclass(kind, Record), lambda record: record.to_dict()
    )
    return converter


converter: Final = _make_converter()
"""Structures every record. Register hooks on a copy, not on this one."""


def parse(body: bytes, operation: str | None = None) -> Any:
    """Decoded JSON. DecodeError: it is none, or empty."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise DecodeError("$", "JSON" if body.strip() else "JSON, not an empty body", operation) from None


def encode(value: Any) -> bytes:
    """*value* as JSON; records in the wire's form. ValueError: JSON cannot hold it."""
    try:
        return msgspec.json.encode(to_wire(value))
    except (TypeError, ValueError) as error:
        raise ValueError(f"cannot be sent as JSON: {error}") from None


def query_value(value: Any) -> Any:
    """*value* as it stands in a query: times and truth values as JSON writes them."""
    return str(value).lower() if isinstance(value, bool) else to_wire(value)


def structure(data: Any, kind: type[T], operation: str | None = None) -> T:
    """*data* as a *kind*. DecodeError with the path where it has another shape."""
    try:
        result: T = converter.get_structure_hook(kind)(data, kind)
    except MismatchError as error:
        raise DecodeError("$" + error.path, error.expected, operation) from None
    return result


def read(body: bytes, kind: type[T], endpoint: Endpoint) -> T:
    """The record that *endpoint* answers."""
    return structure(parse(body, endpoint.name), kind, endpoint.name)


def find_list(data: Any, endpoint: Endpoint) -> tuple[str, Any]:
    """The list in an answer, bare or wrapped, and its path.

    Wrapped under the published name, or the only list there is. A null is an empty list.
    """
    if data is None or isinstance(data, list):
        return "", data
    if isinstance(data, Mapping):
        if endpoint.envelope in data:
            return f".{endpoint.envelope}", data[endpoint.envelope]
        lists = [key for key, value in data.items() if isinstance(value, list)]
        if len(lists) == 1:
            return f".{lists[0]}", data[lists[0]]
        if endpoint.total is not None and data.get(endpoint.total) == 0:
            return "", None
    raise DecodeError("$", "a list, or an object with one", endpoint.name)


def read_list(
    body: bytes, kind: type[T], endpoint: Endpoint, *, by: str | None = None
) -> tuple[tuple[T, ...], int | None]:
    """The records of a list call and, where the answer has it, how many there are in all.

    *by*: the list may be a map from this attribute's values to the records, or a single record.
    """
    data = parse(body, endpoint.name)
    path, found = find_list(data, endpoint)
    if by is not None and isinstance(found, dict):
        found = (
            [found]
            if by in found
            else [{by: key, **one} if isinstance(one, dict) else one for key, one in found.items()]
        )
    hook = converter.get_structure_hook(kind)
    try:
        return _items(found, hook, kind), total_of(data, endpoint)
    except MismatchError as error:
        raise DecodeError(f"${path}{error.path}", error.expected, endpoint.name) from None


def total_of(data: Any, endpoint: Endpoint) -> int | None:
    """How many records there are in all, where the answer says so."""
    if not isinstance(data, Mapping) or endpoint.total is None:
        return None
    for name in [endpoint.total, *filter(_TOTAL.fullmatch, data)]:
        try:
            return whole(data.get(name))
        except MismatchError:
            continue
    return None
