"""What all records share: names on the wire, open enumerations, and the way back to the wire."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Self

import attrs

WIRE_NAME: Final = "wire_name"
"""Metadata: the attribute's name on the wire, where camelCase would be wrong; None: it is not on the wire."""
WIRE_TYPE: Final = "wire_type"
"""Metadata: how the value is written on the wire, where that differs from how it is held."""


class OpenEnum(StrEnum):
    """An enumeration that the service may add to: an unknown value survives as itself."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = member._value_ = value
        return member

    @classmethod
    def known(cls, value: str) -> Self | None:
        """The member that this version has for *value*; ten times as fast as a call of the class."""
        return cls._value2member_map_.get(value)  # type: ignore[return-value]  # its values are our members

    @property
    def is_known(self) -> bool:
        """Whether this version of the package has a name for it."""
        return self._value_ in type(self)._value2member_map_


def masked(value: str | None) -> str:
    """For the repr of what holds a secret."""
    return "None" if value is None else "'***'"


def wire_name(attribute: "attrs.Attribute[Any]") -> str | None:
    """The attribute's name on the wire: camelCase, or what its metadata says. None: it is not there."""
    if attribute.name == "extra":
        return None
    if WIRE_NAME in attribute.metadata:
        name: str | None = attribute.metadata[WIRE_NAME]
        return name
    head, *tail = attribute.name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def wire_time(value: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SSZ` in UTC, with a fraction only where there is one."""
    spec = "milliseconds" if value.microsecond and value.microsecond % 1000 == 0 else "auto"
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=spec) + "Z"


def to_wire(value: Any) -> Any:
    """*value* as JSON would hold it."""
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, datetime):
        return wire_time(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple | list):
        return [to_wire(item) for item in value]
    if isinstance(value, Mapping):
        return {key: to_wire(item) for key, item in value.items()}
    return value


_PLANS: dict[type, tuple[tuple[str, str, Any, Any], ...]] = {}


def _plan(record: Any) -> tuple[tuple[str, str, Any, Any], ...]:
    """How each attribute is written: its name here and on the wire, the function, and the value that is left out."""
    if record in _PLANS:
        return _PLANS[record]
    plan = _PLANS[record] = tuple(
        (attribute.name, key, attribute.metadata.get(WIRE_TYPE, to_wire), () if attribute.default == () else None)
        for attribute in attrs.fields(record)
        if (key := wire_name(attribute)) is not None
    )
    return plan


class Record:
    """A frozen value of the API."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """The wire's form: its names, times as text, what is absent left out, what is unknown put back."""
        known = {
            key: write(value)
            for name, key, write, absent in _plan(type(self))
            if (value := getattr(self, name)) is not None and value != absent
        }
        return {**known, **to_wire(getattr(self, "extra", {}))}
