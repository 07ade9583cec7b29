"""The fast way for answers of the documented shape: msgspec reads them into a twin of the record, in C.

Whatever differs (a time without a zone, text where a number belongs, an attribute that nobody knows) is left to the
tolerant way in `codec`, which gives the same for what both take. Attributes that were unknown then are learnt: the
next answer is fast again.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Final, NoReturn, Union, get_args, get_origin

import attrs
import msgspec

from g2a_async.endpoints import Endpoint
from g2a_async.records import OpenEnum, Record
from g2a_async.records.base import WIRE_LOOSE, WIRE_TYPE, wire_name
from g2a_async.scalars import MismatchError, moment

_AWARE: Final = Annotated[datetime, msgspec.Meta(tz=True)]
MISSES: Final = (msgspec.MsgspecError, OverflowError, UnicodeDecodeError, RecursionError)
"""What an answer of another shape raises here: the tolerant way tells what is wrong, if anything is."""
_DIGITS: Final = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,40}\Z")]
_MOST_LEARNT: Final = 32
"""Attributes: a service that invents names for each record is not followed."""


def field_kind(attribute: "attrs.Attribute[Any]") -> tuple[Any, bool]:
    """The type of an attribute, and whether it may be None."""
    kind: Any = attribute.type
    if get_origin(kind) in {Union, UnionType}:
        return next(part for part in get_args(kind) if part is not NoneType), True
    return kind, False


def draft_of(record: Any) -> type[Any]:
    """A plain class of the same slots: filled as such, an object then becomes the frozen record at no cost."""
    return type(record.__name__, (Record,), {"__slots__": record.__slots__})


class _Nothing(dict[str, Any]):
    """The `extra` of records that have none: one for all, so it cannot be filled."""

    def __setitem__(self, key: str, value: Any) -> NoReturn:
        raise TypeError("a record cannot be changed")

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, ()

    setdefault = update = __ior__ = __setitem__  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


class Typed:
    """Reads one kind of record: strictly at first, after a miss with text that may be a number, and any time."""

    def __init__(self, record: Any) -> None:
        self._record = record
        self._learnt: tuple[str, ...] = ()
        self._readers = [_Reader(record, (), loose=False)]

    def one(self, body: bytes) -> Any:
        """The record that is all of *body*. Raises one of MISSES."""
        return self._first(lambda reader: reader.one(body))

    def many(self, body: bytes, endpoint: Endpoint) -> tuple[tuple[Any, ...], int | None]:
        """The records of a list, bare or under the endpoint's name, and their total. Raises one of MISSES."""
        found: tuple[tuple[Any, ...], int | None] = self._first(lambda reader: reader.many(body, endpoint))
        return found

    def learn(self, records: Sequence[Any]) -> None:
        """Take note of what *records* have that is unknown: next time it does not surprise."""
        new = {name for record in records if record.extra for name in record.extra} - {*self._learnt}
        if new and len(new) + len(self._learnt) <= _MOST_LEARNT and all(map(_is_plain, new)):
            self._learnt = (*self._learnt, *sorted(new))
            self._readers = [_Reader(self._record, self._learnt, loose=self._readers[0].loose)]

    def _first(self, read: Callable[["_Reader"], Any]) -> Any:
        try:
            return read(self._readers[0])
        except MISSES:
            if self._readers[0].loose:
                raise
        if len(self._readers) == 1:
            self._readers = [*self._readers, _Reader(self._record, self._learnt, loose=True)]
        result = read(self._readers[-1])
        self._readers = [self._readers[-1]]
        return result


class _Reader:
    """The twin of a record, and the function that makes records of twins."""

    def __init__(self, record: Any, learnt: tuple[str, ...], *, loose: bool) -> None:
        self.loose = loose
        fields: list[Any] = []
        names: dict[str, str] = {}
        lines = [
            "def convert(rows):",
            "    drafts = [Draft() for _ in rows]",
            "    for draft, row in zip(drafts, rows):",
        ]
        values: dict[str, Any] = {
            "Draft": draft_of(record),
            "record": record,
            "UTC": UTC,
            "UNSET": msgspec.UNSET,
            "miss": _miss,
            "moment": _time,
            "NOTHING": _Nothing(),
        }
        for attribute in attrs.fields(record):
            name, key = attribute.name, wire_name(attribute)
            if key is None:
                values[f"default_{name}"] = attribute.default
                lines += [] if name == "extra" else [f"        draft.{name} = default_{name}"]
                continue
            kind, optional = field_kind(attribute)
            decoded, expression = _reading(attribute, kind, loose=loose)
            kind = decoded | None if optional else decoded
            fields.append((name, kind) if attribute.default is attrs.NOTHING else (name, kind, attribute.default))
            names[name] = key
            if expression is None:
                lines.append(f"        draft.{name} = row.{name}")
            else:
                lines += [f"        value = row.{name}", f"        draft.{name} = {expression}"]
        lines.append("        draft.extra = NOTHING")
        for index, key in enumerate(learnt):
            fields.append((f"learnt_{index}", Any, msgspec.UNSET))
            names[f"learnt_{index}"] = key
            lines += [f"        value = row.learnt_{index}", "        if value is not UNSET:"]
            lines.append(f"            draft.extra = {{**draft.extra, {key!r}: value}}")
        lines += ["        draft.__class__ = record", "    return tuple(drafts)"]
        exec("\n".join(lines), values)  # noqa: S102  attrs makes its methods so; of the wire only names get in, as literals
        self._convert: Callable[[Iterable[Any]], tuple[Any, ...]] = values["convert"]
        twin: Any = msgspec.defstruct(
            f"{record.__name__}Twin", fields, rename=names, forbid_unknown_fields=True, kw_only=True, gc=False
        )
        self._rows: Any = list.__class_getitem__(twin)
        self._one = msgspec.json.Decoder(twin).decode
        self._bare = msgspec.json.Decoder(self._rows).decode
        self._wrapped: dict[str, Callable[[bytes], Any]] = {}

    def one(self, body: bytes) -> Any:
        return self._convert((self._one(body),))[0]

    def many(self, body: bytes, endpoint: Endpoint) -> tuple[tuple[Any, ...], int | None]:
        if body[:1] == b"[":
            return self._convert(self._bare(body)), None
        decode = self._wrapped.get(endpoint.name)
        if decode is None:
            decode = self._wrapped[endpoint.name] = self._envelope(endpoint)
        answer = decode(body)
        return self._convert(answer.rows), answer.total

    def _envelope(self, endpoint: Endpoint) -> Callable[[bytes], Any]:
        total = ("total", int) if endpoint.total else ("total", int | None, None)
        wrapper = msgspec.defstruct(
            "Wrapper",
            [("rows", self._rows), total],
            # A name that no answer has stands for a list or a total that the endpoint does not name.
            rename={"rows": endpoint.envelope or "#rows", "total": endpoint.total or "#total"},
            kw_only=True,
        )
        return msgspec.json.Decoder(wrapper).decode


def _is_plain(name: str) -> bool:
    """Whether msgspec can look for it."""
    return name.isprintable() and not {"\\", '"'} & set(name)


def _reading(attribute: "attrs.Attribute[Any]", kind: Any, *, loose: bool) -> tuple[Any, str | None]:
    """What msgspec reads for an attribute, and the expression that makes its value of that; None: it is the value."""
    if kind is datetime and loose:
        return str, "None if value is None else moment(value)"
    if kind is datetime:
        # msgspec rounds what is finer than a microsecond, and keeps offsets: neither is as `moment` has it. (It rounds
        # .9999995 to the next second, which cannot be seen; half a microsecond is no reason to look through each body.)
        return _AWARE, "value if value is None or (value.tzinfo is UTC and not value.microsecond) else miss()"
    if kind is str and loose and WIRE_LOOSE in attribute.metadata:
        return str | int, "value if value.__class__ is str or value is None else str(value)"
    if kind is int and attribute.metadata.get(WIRE_TYPE) is str:
        return int | _DIGITS, "value if value.__class__ is int or value is None else int(value)"
    return kind, None


def _miss() -> NoReturn:
    raise msgspec.ValidationError


def _time(value: str) -> datetime | None:
    try:
        return moment(value)
    except MismatchError:
        raise msgspec.ValidationError from None


def can_be_typed(record: Any) -> bool:
    """Whether all attributes are of kinds that msgspec reads as `codec` does: no records within."""
    for attribute in attrs.fields(record):
        kind, _ = field_kind(attribute)
        if isinstance(kind, type) and not issubclass(kind, str | int | datetime | OpenEnum):
            return False
        if get_origin(kind) is tuple and get_args(kind)[0] not in {Any, int, str}:
            return False
    return True
