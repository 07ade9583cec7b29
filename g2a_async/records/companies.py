"""Companies and their unattended machines."""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from g2a_async.records.base import WIRE_TYPE, OpenEnum, Record


@frozen(kw_only=True, weakref_slot=False)
class Company(Record):
    """A company that the user can reach."""

    company_id: int
    """Up to 64 bits, exact."""
    company_name: str | None = None
    """Its name."""
    extra: Mapping[str, Any] = field(factory=dict, hash=False, repr=False)
    """Attributes that this version does not know."""


class MachineStatus(OpenEnum):
    """Whether a machine can be reached. Open: see `is_known`."""

    ONLINE = "ONLINE"
    """It can."""
    OFFLINE = "OFFLINE"
    """It cannot now."""
    BLOCKED = "BLOCKED"
    """It may not."""
    REMOVED = "REMOVED"
    """It is no longer one of the company's."""


@frozen(kw_only=True, weakref_slot=False)
class Machine(Record):
    """A machine that unattended sessions can be started on."""

    machine_uuid: str
    """Its ID, which `sessions.start` takes."""
    machine_name: str | None = None
    """Its name."""
    dns_name: str | None = None
    """Its name in the network."""
    ip_addresses: str | None = None
    """Its addresses, as the service writes them."""
    machine_status: MachineStatus | None = None
    """Whether it can be reached."""
    company_id: int | None = field(default=None, metadata={WIRE_TYPE: str})
    """Its company; a string on the wire."""
    extra: Mapping[str, Any] = field(factory=dict, hash=False, repr=False)
    """Attributes that this version does not know."""
