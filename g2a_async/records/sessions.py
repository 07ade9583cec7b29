"""Sessions, what starting one answers, and web-chat transcripts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from attrs import field, frozen

from g2a_async.records.base import OpenEnum, Record, masked


class SessionStatus(OpenEnum):
    """How far a session is. Open: see `is_known`."""

    WAITING = "waiting"
    """For the customer."""
    ACTIVE = "active"
    """The customer has joined."""
    COMPLETE = "complete"
    """Ended after the customer had joined."""
    ABANDONED = "abandoned"
    """Ended, and no customer had joined."""
    NOT_STARTED = "notStarted"
    """Created, and never started by the expert."""


ENDED: Final = frozenset({SessionStatus.COMPLETE, SessionStatus.ABANDONED})
"""The statuses after which nothing changes any more."""


@frozen(kw_only=True, weakref_slot=False)
class Session(Record):
    """A support session, attended or unattended."""

    session_id: str
    """Held as text: the service sends it as a number or as a string."""
    status: SessionStatus
    """How far it is."""
    session_type: str | None = None
    """`screen_sharing` in answers; compare without case."""
    account_key: int | None = None
    """The account that it was hosted from."""
    account_name: str | None = None
    """That account's name; unattended sessions only."""
    expert_name: str | None = None
    """The first technician's name."""
    expert_email: str | None = None
    """The first technician's e-mail address."""
    expert_user_key: str | None = None
    """The first technician's key."""
    partner_object: str | None = None
    """The ID of the partner's object, such as a ticket; held as text."""
    partner_object_url: str | None = None
    """Where the expert can view that object."""
    started_at: datetime | None = None
    """When it started; UTC."""
    customer_joined_at: datetime | None = None
    """When the customer joined; UTC."""
    ended_at: datetime | None = None
    """When it ended; UTC."""
    unattended_machine_name: str | None = None
    """The machine's name; unattended sessions only."""
    unattended_machine_uuid: str | None = None
    """The machine's ID; unattended sessions only."""
    customer_name: str | None = None
    """The customer's name."""
    customer_email: str | None = None
    """The customer's e-mail address."""
    customer_join_url: str | None = field(default=None, repr=masked)
    """The address by which the customer joins."""
    session_start_token: str | None = field(default=None, repr=masked)
    """Starts the session; given by the list call only."""
    notes: str | None = None
    """What the technician wrote down."""
    session_recording_url: str | None = None
    """Where the technician can view the recording."""
    collaborators: tuple[Any, ...] = field(default=(), hash=False)
    """Other experts who joined, in the service's own form, which is unpublished."""
    extra: Mapping[str, Any] = field(factory=dict, hash=False, repr=False)
    """Attributes that this version does not know."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in ENDED


@frozen(kw_only=True, weakref_slot=False)
class StartedSession(Record):
    """What starting a session answers."""

    launch_url: str = field(repr=masked)
    """The address that starts the session on the expert's machine; it holds a token."""
    session_token: str | None = field(default=None, repr=masked)
    """Takes the session ID's place in `sessions.get` until there is one."""
    extra: Mapping[str, Any] = field(factory=dict, hash=False, repr=False)
    """Attributes that this version does not know."""


@frozen(kw_only=True)
class SessionChange:
    """What a watch saw."""

    session: Session
    """The session as it is now."""
    previous: Session | None = None
    """As it was before; None: seen for the first time."""


@frozen(kw_only=True, weakref_slot=False)
class TranscriptEvent(Record):
    """One message of a web chat."""

    time_stamp: datetime | None = None
    """When; UTC."""
    content: str | None = None
    """What was written."""
    participant_name: str | None = None
    """Who wrote it."""
    extra: Mapping[str, Any] = field(factory=dict, hash=False, repr=False)
    """Attributes that this version does not know."""


@frozen(kw_only=True, weakref_slot=False)
class Transcript(Record):
    """The web chat of a session."""

    session_id: str | None = None
    """The session."""
    start_time: datetime | None = None
    """When the chat began; UTC."""
    end_time: datetime | None = None
    """When the chat ended; UTC."""
    events: tuple[TranscriptEvent, ...]
    """The messages, as the service orders them."""
    extra: Mapping[str, Any] = field(factory=dict, hash=False, repr=False)
    """Attributes that this version does not know."""
