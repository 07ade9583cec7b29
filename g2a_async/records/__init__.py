"""The records of the API: frozen, with snake_case names, times aware and in UTC.

A record's module is loaded when it is first used; `__init__.pyi` says the same to type checkers.
"""

from g2a_async.lazy import lazily

_HOMES = {
    "base": (
        "OpenEnum",
        "Record",
    ),
    "companies": (
        "Company",
        "Machine",
        "MachineStatus",
    ),
    "partner": (
        "SupportedCallbacks",
        "SystemLink",
        "Ticket",
    ),
    "recordings": (
        "AvailableRecordings",
        "RecordingFiles",
        "SessionKind",
    ),
    "sessions": (
        "ENDED",
        "Session",
        "SessionChange",
        "SessionStatus",
        "StartedSession",
        "Transcript",
        "TranscriptEvent",
    ),
}

__getattr__ = lazily(__name__, _HOMES)
__all__ = [name for names in _HOMES.values() for name in names]  # pyright: ignore[reportUnsupportedDunderAll]  the stub lists them
