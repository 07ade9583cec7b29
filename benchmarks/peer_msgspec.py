"""The floor of typed records: msgspec.Struct, as one would write it for what the API documents."""

from datetime import datetime
from enum import Enum
from typing import Final, Self

import msgspec


class Status(str, Enum):  # noqa: UP042  as the generators write it
    """How far a session is."""

    WAITING = "waiting"
    ACTIVE = "active"
    COMPLETE = "complete"
    ABANDONED = "abandoned"
    NOT_STARTED = "notStarted"

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_, member._value_ = "UNKNOWN", value
        return member


class Session(msgspec.Struct, frozen=True, rename="camel"):
    """A session."""

    session_id: str
    session_type: str
    status: Status
    account_key: int | None = None
    expert_name: str | None = None
    expert_email: str | None = None
    expert_user_key: str | None = None
    partner_object: str | None = None
    partner_object_url: str | None = None
    started_at: datetime | None = None
    customer_joined_at: datetime | None = None
    ended_at: datetime | None = None
    customer_name: str | None = None
    customer_email: str | None = None
    customer_join_url: str | None = None
    session_start_token: str | None = None
    session_recording_url: str | None = None
    notes: str | None = None


class LooseSession(Session, frozen=True, rename="camel", kw_only=True):
    """A session whose ID may be a number, which it then stays."""

    session_id: str | int  # type: ignore[assignment]  # pyright: ignore[reportIncompatibleVariableOverride]


class Sessions(msgspec.Struct, frozen=True, rename="camel"):
    """The answer of the list call."""

    total_num_sessions: int
    sessions: list[Session]


class LooseSessions(msgspec.Struct, frozen=True, rename="camel"):
    """The answer of the list call, IDs as they come."""

    total_num_sessions: int
    sessions: list[LooseSession]


class Company(msgspec.Struct, frozen=True, rename="camel"):
    """A company."""

    company_id: int
    company_name: str


class Companies(msgspec.Struct, frozen=True, rename="camel"):
    """A page of companies."""

    total_num_companies: int
    companies: list[Company]


read_session: Final = msgspec.json.Decoder(Session).decode
read_sessions: Final = msgspec.json.Decoder(Sessions).decode
read_loose_sessions: Final = msgspec.json.Decoder(LooseSessions).decode
read_companies: Final = msgspec.json.Decoder(Companies).decode
