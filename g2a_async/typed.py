"""The fast way for answers of the documented shape: msgspec reads them into a twin of the record, in C.

Whatever differs (a time without a zone, text where a number belongs, an attribute that nobody knows) is left to the
tolerant way in `codec`, which gives the same for what both take. What was odd then is learnt, attribute by attribute:
the next answer is fast again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Final, NoReturn, Union, get_args, get_origin

import attrs
import msgspec

from g2a_async.endpoints import Endpoint
from g2a_async.records.base import WIRE_TYPE, OpenEnum, wire_name
from g2a_async.scalars import MismatchError, moment

MISSES: Final = (msgspec.MsgspecError, MismatchError, OverflowError, ValueError, RecursionError)
"""What an answer of another shape raises here: the tolerant way tells what is wrong, if anything is."""
_DIGITS: Final = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,40}\Z")]
_UTC_TAILS: Final = ("Z", "+00:00", "+0000")
_EMPTY: Final = msgspec.Raw(b"{}")
_SAMPLE: Final = 100
"""Records of which the longest shows the order of attributes."""
_NAIVE: Final = len("YYYY-MM-DDTHH:MM:SS")
_MOST_LEARNT: Final = 32
"""Attributes: a service that invents names for each record is not followed."""


def field_kind(attribute: "attrs.Attribute[Any]") -> tuple[Any, bool]:
    """The type of an attribute, and whether it may be None."""
    kind: Any = attribute.type
    if get_origin(kind) in {Union, UnionType}:
        return next(part for part in get_args(kind) if part is not NoneType), True
    return kind, False


def draft_of(record: Any) -> type[Any]:
    """The record's class without its guards: filled as such, an object then becomes the frozen record at no cost."""
    plain = {name: getattr(object, name) for name in ("__init__", "__setattr__", "__delattr__")}
    return type(record.__name__, (record,), {"__slots__": (), **plain})


class _Nothing(dict[str, Any]):
    """The `extra` of records that have none: one for all, so it cannot be filled."""

    def __setitem__(self, key: str, value: Any) -> NoReturn:
        raise TypeError("a record cannot be changed")

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, ()

    setdefault = update = __ior__ = __setitem__  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


class Typed:
    """Reads one kind of record, with what its answers have taught."""

    def __init__(self, record: Any) -> None:
        self._record = record
        self._kinds: dict[str, attrs.Attribute[Any]] = {
            key: attribute for attribute in attrs.fields(record) if (key := wire_name(attribute)) is not None
        }
        self._learnt: tuple[str, ...] = ()
        self._loose: frozenset[str] = frozenset()
        self._order: tuple[str, ...] = ()
        self._reader: _Reader | None = None

    def one(self, body: bytes | msgspec.Raw) -> Any:
        """The record that is all of *body*. Raises one of MISSES."""
        return (self._reader or self._meet(body)).one(body)

    def many(self, body: bytes, endpoint: Endpoint) -> tuple[tuple[Any, ...], Any]:
        """The records of a list, bare or under the endpoint's name, and their total. Raises one of MISSES."""
        reader = self._reader
        if reader is None:
            raws, _ = _raws(body, endpoint)
            reader = self._meet(max(raws[:_SAMPLE], key=_length, default=_EMPTY))
        return reader.many(body, endpoint)

    def each(
        self, body: bytes, endpoint: Endpoint, tolerant: Callable[[msgspec.Raw], Any]
    ) -> tuple[tuple[Any, ...], Any]:
        """The same, record by record: *tolerant* reads those that miss. Raises what it raises, or one of MISSES."""
        raws, total = _raws(body, endpoint)
        records = []
        for raw in raws:
            try:
                records.append(self.one(raw))
            except MISSES:
                records.append(tolerant(raw))
        return tuple(records), total

    def learn(self, odd: Iterable[Any]) -> None:
        """Take note of how the objects of *odd*, as they came, differ from the documents: that is no surprise again."""
        names: set[str] = set()
        loose: set[str] = set()
        for data in odd:
            if isinstance(data, Mapping):
                names.update(data.keys() - self._kinds.keys())
                loose.update(key for key, kind in self._kinds.items() if key in data and _is_odd(data[key], kind))
        names.difference_update(self._learnt)
        if len(names) + len(self._learnt) > _MOST_LEARNT or not all(map(_is_plain, names)):
            names.clear()
        if names or loose - self._loose:
            self._learnt = (*self._learnt, *sorted(names))
            self._loose |= loose
            self._reader = _Reader(self._record, self._learnt, self._loose, self._order)

    def _meet(self, first: bytes | msgspec.Raw) -> "_Reader":
        """The first answer tells the order of attributes: msgspec is the faster the sooner it finds the next one."""
        data = msgspec.json.decode(first)
        self._order = tuple(data) if isinstance(data, dict) else ()
        reader = self._reader = _Reader(self._record, self._learnt, self._loose, self._order)
        return reader


class _Reader:
    """The twin of a record, and the functions that make records of twins."""

    def __init__(self, record: Any, learnt: tuple[str, ...], loose: frozenset[str], order: tuple[str, ...]) -> None:
        fields: list[Any] = []
        names: dict[str, str] = {}
        lines: list[str] = []
        values: dict[str, Any] = {
            "Draft": draft_of(record),
            "record": record,
            "UTC": UTC,
            "UNSET": msgspec.UNSET,
            "miss": _miss,
            "iso": datetime.fromisoformat,
            "moment": moment,
            "NOTHING": _Nothing(),
        }
        for attribute in attrs.fields(record):
            name, key = attribute.name, wire_name(attribute)
            values[f"default_{name}"] = attribute.default
            if key is None:
                lines += [] if name == "extra" else [f"draft.{name} = default_{name}"]
                continue
            kind, steps = _reading(attribute, is_loose=key in loose)
            fields.append((name, kind) if attribute.default is attrs.NOTHING else (name, kind, attribute.default))
            names[name] = key
            if steps:
                lines += [f"value = row.{name}", *steps, f"draft.{name} = value"]
            else:
                lines.append(f"draft.{name} = row.{name}")
        lines += ["extra = {}"] if learnt else []
        for index, key in enumerate(learnt):
            fields.append((f"learnt_{index}", Any, msgspec.UNSET))
            names[f"learnt_{index}"] = key
            lines += [f"value = row.learnt_{index}", "if value is not UNSET:", f"    extra[{key!r}] = value"]
        lines += ["draft.extra = extra or NOTHING" if learnt else "draft.extra = NOTHING", "draft.__class__ = record"]
        exec("\n".join(_functions(lines)), values)  # noqa: S102  attrs makes its methods so; of the wire only names get in, as literals
        self._make_one: Callable[[Any], Any] = values["make_one"]
        self._make_all: Callable[[list[Any]], tuple[Any, ...]] = values["make_all"]
        places = {key: place for place, key in enumerate(order)}
        fields.sort(key=lambda field: places.get(names[field[0]], len(places)))
        twin: Any = msgspec.defstruct(
            f"{record.__name__}Twin", fields, rename=names, forbid_unknown_fields=True, kw_only=True, gc=False
        )
        self._one = msgspec.json.Decoder(twin).decode
        self._rows: Any = list.__class_getitem__(twin)
        self._lists: dict[str, Callable[[bytes], Any]] = {}

    def one(self, body: bytes | msgspec.Raw) -> Any:
        return self._make_one(self._one(body))

    def many(self, body: bytes, endpoint: Endpoint) -> tuple[tuple[Any, ...], Any]:
        rows, total = _unwrapped(body, endpoint, self._rows, self._lists)
        return self._make_all(rows), total


def _raws(body: bytes, endpoint: Endpoint) -> tuple[list[msgspec.Raw], Any]:
    """The bytes of each record of a list, and what stands where their total belongs."""
    return _unwrapped(body, endpoint, list[msgspec.Raw], _RAW_LISTS)


_RAW_LISTS: Final[dict[str, Callable[[bytes], Any]]] = {}


def _unwrapped(
    body: bytes, endpoint: Endpoint, rows: Any, decoders: dict[str, Callable[[bytes], Any]]
) -> tuple[list[Any], Any]:
    name = "" if body[:1] == b"[" else endpoint.name
    decode = decoders.get(name)
    if decode is None:
        decode = decoders[name] = msgspec.json.Decoder(_envelope(rows, endpoint) if name else rows).decode
    answer = decode(body)
    return (answer.rows, answer.total) if name else (answer, None)


def _envelope(rows: Any, endpoint: Endpoint) -> Any:
    return msgspec.defstruct(
        "Wrapper",
        [("rows", rows), ("total", Any, msgspec.UNSET)],
        # A name that no answer has stands for a list or a total that the endpoint does not name.
        rename={"rows": endpoint.envelope or "#rows", "total": endpoint.total or "#total"},
        kw_only=True,
    )


def _functions(lines: list[str]) -> Iterator[str]:
    """The source of two functions: a record of a twin, and records of a list of twins, which it empties.

    Each twin ends as soon as it is read, while what it holds is in the processor's cache.
    """
    yield from ("def make_one(row):", "    draft = Draft()")
    yield from (f"    {line}" for line in lines)
    yield "    return draft"
    yield from (
        "def make_all(rows):",
        "    drafts = [Draft() for _ in rows]",
        "    rows.reverse()",
        "    pop = rows.pop",
    )
    yield from ("    for draft in drafts:", "        row = pop()")
    yield from (f"        {line}" for line in lines)
    yield "    return tuple(drafts)"


def _length(raw: msgspec.Raw) -> int:
    return memoryview(raw).nbytes


def _is_plain(name: str) -> bool:
    """Whether msgspec can look for it."""
    return name.isprintable() and not {"\\", '"'} & set(name)


def _is_odd(value: Any, attribute: "attrs.Attribute[Any]") -> bool:
    """Whether the strict reading of the attribute would miss *value*, and the loose one may take it."""
    kind, optional = field_kind(attribute)
    if value is None:
        return not optional
    if kind is datetime:
        return not (isinstance(value, str) and value[19:] in _UTC_TAILS)
    return kind in {str, int} and value.__class__ is not kind


def _reading(attribute: "attrs.Attribute[Any]", *, is_loose: bool) -> tuple[Any, list[str]]:
    """What msgspec reads for an attribute, and the lines that make its `value` of that: none if it is the value."""
    kind: Any
    kind, optional = field_kind(attribute)
    steps: list[str] = []
    if kind is datetime and is_loose:
        kind = str | int | float
        steps = [
            "if value.__class__ is str and value:",
            # Of this length a time has no zone: read as UTC at once, it is not made twice.
            f"    value = iso(value + 'Z' if len(value) == {_NAIVE} else value)",
            "elif value is not None:",
            "    value = moment(value)",
            "if value is not None and value.tzinfo is not UTC:",
            "    value = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)",
        ]
    elif kind is datetime:
        # msgspec rounds what is finer than a microsecond, and keeps offsets or their lack; `moment` does neither.
        # (.9999995 becomes the next second, unseen; half a microsecond is no reason to look through each body.)
        steps = ["if value is not None and (value.tzinfo is not UTC or value.microsecond):", "    miss()"]
    elif kind is str and is_loose:
        kind = str | int
        steps = ["if value.__class__ is int:", "    value = str(value)"]
    elif kind is int and (is_loose or attribute.metadata.get(WIRE_TYPE) is str):
        kind = int | _DIGITS
        steps = ["if value.__class__ is str:", "    value = int(value)"]
    if optional:
        kind |= None
    elif is_loose and attribute.default is not attrs.NOTHING:
        kind |= None
        steps = [*steps, "if value is None:", f"    value = default_{attribute.name}"]
    return kind, steps


def _miss() -> NoReturn:
    raise msgspec.ValidationError


def can_be_typed(record: Any) -> bool:
    """Whether all attributes are of kinds that msgspec reads as `codec` does: no records within."""
    for attribute in attrs.fields(record):
        kind, _ = field_kind(attribute)
        if isinstance(kind, type) and not issubclass(kind, str | int | datetime | OpenEnum):
            return False
        if get_origin(kind) is tuple and get_args(kind)[0] not in {Any, int, str}:
            return False
    return True
