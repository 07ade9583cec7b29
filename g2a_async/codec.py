"""Bytes to records, and values to bytes.

Answers of the documented shape go the fast way (`typed`), all others the tolerant one (`structuring`); both give the
same. msgspec reads the JSON: it keeps integers of any size, where orjson makes floats of those over 64 bits.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from g2a_async.endpoints import Endpoint
from g2a_async.errors import DecodeError
from g2a_async.records.base import Record, to_wire
from g2a_async.scalars import MismatchError, items, whole
from g2a_async.typed import MISSES, Typed, can_be_typed

T = TypeVar("T")
R = TypeVar("R", bound=Record)

_TOTAL: Final = re.compile(r"(?i)total_?(count|items|records|results|tickets|num\w*)?")
"""Names under which a partner may count all records."""


def parse(body: bytes, operation: str | None = None) -> Any:
    """Decoded JSON. DecodeError: it is none, or empty."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise DecodeError("$", "JSON" if body.strip() else "JSON, not an empty body", operation) from None


def encode(value: Any) -> bytes:
    """*value* as JSON; records in the wire's form. ValueError: JSON cannot hold it."""
    try:
        plain = msgspec.to_builtins(to_wire(value))  # msgspec's own encoder would write a NaN as null
        return json.dumps(plain, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise ValueError(f"cannot be sent as JSON: {error}") from None


def query_value(value: Any) -> Any:
    """*value* as it stands in a query: times and truth values as JSON writes them."""
    return str(value).lower() if isinstance(value, bool) else to_wire(value)


def structure(data: Any, kind: type[T], operation: str | None = None) -> T:
    """*data* as a *kind*. DecodeError with the path where it has another shape."""
    try:
        result: T = _tolerant(kind)(data, kind)
    except MismatchError as error:
        raise DecodeError("$" + error.path, error.expected, operation) from None
    return result


def _tolerant(kind: type[T]) -> Callable[[Any, Any], T]:
    from g2a_async.structuring import converter  # noqa: PLC0415  cattrs, which answers as documented never need

    hook: Callable[[Any, Any], T] = converter.get_structure_hook(kind)
    return hook


def read(body: bytes, kind: type[R], endpoint: Endpoint) -> R:
    """The record that *endpoint* answers."""
    typed = _typed(kind)
    if typed is not None:
        try:
            result: R = typed.one(body)
        except MISSES:
            pass
        else:
            return result
    data = parse(body, endpoint.name)
    record = structure(data, kind, endpoint.name)
    if typed is not None:
        typed.learn([data])
    return record


_TYPED: dict[Any, Typed | None] = {}


def _typed(kind: Any) -> Typed | None:
    if kind not in _TYPED:
        _TYPED[kind] = Typed(kind) if can_be_typed(kind) else None
    return _TYPED[kind]


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
    body: bytes, kind: type[R], endpoint: Endpoint, *, by: str | None = None
) -> tuple[tuple[R, ...], int | None]:
    """The records of a list call and, where the answer has it, how many there are in all.

    *by*: the list may be a map from this attribute's values to the records, or a single record.
    """
    typed = _typed(kind)
    if typed is not None:
        try:
            return _read_typed(typed, body, kind, endpoint)
        except MISSES:
            pass
    data = parse(body, endpoint.name)
    path, found = find_list(data, endpoint)
    if by is not None and isinstance(found, dict):
        found = (
            [found]
            if by in found
            else [{by: key, **one} if isinstance(one, dict) else one for key, one in found.items()]
        )
    try:
        records = items(found, _tolerant(kind), kind)
    except MismatchError as error:
        raise DecodeError(f"${path}{error.path}", error.expected, endpoint.name) from None
    return records, total_of(data, endpoint)


def _read_typed(typed: Typed, body: bytes, kind: type[R], endpoint: Endpoint) -> tuple[tuple[R, ...], int | None]:
    """The same of a list under its published name, without telling what is wrong with it. Raises one of MISSES."""
    try:
        records, total = typed.many(body, endpoint)
    except MISSES:
        odd: list[Any] = []
        structure_one = _tolerant(kind)

        def tolerant(raw: msgspec.Raw) -> R:
            odd.append(msgspec.json.decode(raw))
            return structure_one(odd[-1], kind)

        records, total = typed.each(body, endpoint, tolerant)
        typed.learn(odd)
    if endpoint.total is None or body[:1] == b"[":
        return records, None
    if total.__class__ is not int:
        raws = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        others = {name: msgspec.json.decode(raw) for name, raw in raws.items() if name != endpoint.envelope}
        total = total_of(others, endpoint)
    return records, total


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
