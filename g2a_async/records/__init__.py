"""The records of the API: frozen, with snake_case names, times aware and in UTC."""

from g2a_async.records.base import OpenEnum, Record
from g2a_async.records.companies import Company, Machine, MachineStatus
from g2a_async.records.partner import SupportedCallbacks, SystemLink, Ticket
from g2a_async.records.recordings import AvailableRecordings, RecordingFiles, SessionKind
from g2a_async.records.sessions import (
    ENDED,
    Session,
    SessionChange,
    SessionStatus,
    StartedSession,
    Transcript,
    TranscriptEvent,
)

__all__ = [
    "ENDED",
    "AvailableRecordings",
    "Company",
    "Machine",
    "MachineStatus",
    "OpenEnum",
    "Record",
    "RecordingFiles",
    "Session",
    "SessionChange",
    "SessionKind",
    "SessionStatus",
    "StartedSession",
    "SupportedCallbacks",
    "SystemLink",
    "Ticket",
    "Transcript",
    "TranscriptEvent",
]
