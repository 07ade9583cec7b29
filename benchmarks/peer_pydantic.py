"""pydantic models as most people write them by hand."""

from datetime import datetime
from enum import Enum

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Status(str, Enum):  # noqa: UP042  as most people write it
    """How far a session is."""

    WAITING = "waiting"
    ACTIVE = "active"
    COMPLETE = "complete"
    ABANDONED = "abandoned"
    NOT_STARTED = "notStarted"


class Model(BaseModel):
    """camelCase on the wire; numbers pass for text, or what the service may send would be refused."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, coerce_numbers_to_str=True)


class Session(Model):
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


class Sessions(Model):
    """The answer of the list call."""

    total_num_sessions: int
    sessions: list[Session]


class Company(Model):
    """A company."""

    company_id: int
    company_name: str


class Companies(Model):
    """A page of companies."""

    total_num_companies: int
    companies: list[Company]
