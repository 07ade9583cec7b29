"""JSON to records: one cattrs converter, whose hooks are derived from the records.

Tolerant where the documents are silent (numbers for text, text for numbers, lists bare or wrapped,
times in every ISO 8601 form), strict where guessing would invent something: no `str(None)`, no
`bool("false")`, no identifier through a float. A list that is null is empty.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar, get_args, get_origin

import attrs
import cattrs

from g2a_async.records.base import OpenEnum, Record, wire_name
from g2a_async.scalars import MismatchError, items, moment, open_enum, text, truth, whole
from g2a_async.typed import draft_of, field_kind

T = TypeVar("T")


def _compile(record: type[Record], converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    """A structure function for *record*, of one straight line per attribute.

    cattrs' own, with these tolerances, is slower than every peer (a record of 22 attributes: three times).
    The record is filled while it is a plain class of the same slots, then becomes the frozen one.
    """
    names: dict[str, Any] = {"MismatchError": MismatchError, "record": record, "Draft": draft_of(record)}
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
        kind, _ = field_kind(attribute)
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
        return lambda value, _: items(value, hook, item)

    @converter.register_structure_hook_factory(lambda kind: isinstance(kind, type) and issubclass(kind, Record))
    def _(kind: type[Record], converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
        return _compile(kind, converter)

    converter.register_unstructure_hook_func(
        lambda kind: isinstance(kind, type) and issubclass(kind, Record), lambda record: record.to_dict()
    )
    return converter


converter: Final = _make_converter()
"""Structures every record. Register hooks on a copy, not on this one."""
