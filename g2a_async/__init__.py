"""Async Python SDK for the GoToAssist Remote Support REST API.

Everything public is here; `import g2a_async` loads next to nothing, and each name its module when it is
first used. `__init__.pyi` says the same to type checkers; a test compares them.
"""

from g2a_async.lazy import lazily
from g2a_async.version import __version__ as __version__

_HOMES = {
    "auth": ("Auth", "StaticToken"),
    "batches": ("RecordingUrls",),
    "client": ("G2AClient",),
    "clock": ("Clock", "SystemClock"),
    "errors": (
        "BadRequestError",
        "ClientClosedError",
        "ConfigError",
        "ConnectError",
        "DeadlineExceededError",
        "DecodeError",
        "ForbiddenError",
        "G2AError",
        "MethodNotAllowedError",
        "NotFoundError",
        "OutcomeUnknownError",
        "PagingStalledError",
        "RateLimitedError",
        "ReauthorizationRequiredError",
        "ServerError",
        "StatusError",
        "TransportError",
        "UnauthorizedError",
        "WrongLoopError",
    ),
    "events": ("ExchangeEvent", "Hooks", "RefreshEvent", "RetryEvent", "Telemetry", "ThrottleEvent"),
    "file_store": ("FileTokenStore",),
    "keyring_store": ("KeyringTokenStore",),
    "oauth": ("OAuth2", "pkce"),
    "outcomes": ("Outcome",),
    "paging": ("Page", "Pager"),
    "quota": ("Quota", "RateLimiter"),
    "records": (
        "AvailableRecordings",
        "Company",
        "Machine",
        "MachineStatus",
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
    ),
    "services": ("Companies", "Recordings", "Sessions", "SystemLinks", "Tickets"),
    "tokens": ("MemoryTokenStore", "Token", "TokenStore"),
    "settings": ("RetryPolicy", "Settings"),
}

__all__ = [name for names in _HOMES.values() for name in names]  # pyright: ignore[reportUnsupportedDunderAll]  the stub lists them
__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
