"""Partner systems: their links, and their tickets."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from g2a_async.records.base import WIRE_NAME, Record, masked


@frozen(kw_only=True, weakref_slot=False)
class SupportedCallbacks(Record):
    """What a partner system can do."""

    create_object: bool = False
    """Make a ticket."""
    search_objects: bool = False
    """Search its tickets."""
    associate_object: bool = False
    """Link a ticket to a session."""
    extra: Mapping[str, Any] = field(factory=dict, hash=False, repr=False)
    """Attributes that this version does not know."""


@frozen(kw_only=True, weakref_slot=False)
class SystemLink(Record):
    """A partner system, registered for a user."""

    system_name: str | None = None
    """What the user sees."""
    system_domain: str | None = None
    """Tells systems apart, together with the name."""
    user_email: str | None = None
    """The user."""
    user_token: str | None = field(default=None, repr=masked)
    """What the partner knows the user by; a secret."""
    callback_url: str | None = field(default=None, metadata={WIRE_NAME: "callbackURL"})
    """Where the partner takes calls."""
    supported_callbacks: SupportedCallbacks | None = None
    """Which calls it takes."""
    extra: Mapping[str, Any] = field(factory=dict, hash=False, repr=False)
    """Attributes that this version does not know."""


@frozen(kw_only=True, weakref_slot=False)
class Ticket(Record):
    """An object of the partner's, such as a ticket."""

    id: str
    """What `partner_object` is elsewhere."""
    title: str | None = None
    """One line."""
    body: str | None = None
    """All of it."""
    url: str | None = None
    """Where people read it."""
    requester_name: str | None = None
    """Who asked."""
    status: str | None = None
    """In the partner's own words."""
    created_at: datetime | None = None
    """When; UTC."""
    session_ids: tuple[str, ...] = ()
    """The sessions that are linked to it."""
    extra: Mapping[str, Any] = field(factory=dict, hash=False, repr=False)
    """What else the partner sends."""
