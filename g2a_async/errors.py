"""Everything that this package raises, and nothing of aiohttp, cattrs, msgspec or tenacity.

    G2AError
    ├── ConfigError                      settings, variables or stored logins do not fit
    ├── ClientClosedError                used after `aclose()`
    ├── WrongLoopError                   a borrowed session on an event loop that is not its own
    ├── TransportError                   no answer
    │   ├── ConnectError                 proof that nothing was sent
    │   ├── DeadlineExceededError        also a TimeoutError; `.phase` says where the time went
    │   └── OutcomeUnknownError          sent, must not be repeated, and the answer was lost
    ├── StatusError                      the service answered, and the answer was no
    │   ├── BadRequestError              400
    │   ├── UnauthorizedError            401
    │   ├── ForbiddenError               403
    │   ├── NotFoundError                404
    │   ├── MethodNotAllowedError        405
    │   ├── RateLimitedError             429
    │   └── ServerError                  5xx
    ├── DecodeError                      the answer has another shape than any known one
    ├── PagingStalledError               the service gave the same page twice
    └── ReauthorizationRequiredError     the refresh token was refused

Each one is made of plain values, which are its `args`: it pickles, copies and passes through
the result backends of task queues. Secrets are masked before an error is made.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from g2a_async.support import Headers, describe


class G2AError(Exception):
    """The root of all errors of this package."""

    __match_args__: ClassVar[tuple[str, ...]] = ("message",)

    def __init__(self, message: str = "") -> None:
        self.message = message
        self._fix()

    def _fix(self) -> None:
        # BaseException's own initialiser: OSError's, which a DeadlineExceededError has too, would drop arguments.
        BaseException.__init__(self, *(getattr(self, name) for name in self.__match_args__))

    def amend(self, **changes: Any) -> Self:
        """The same error, knowing more; its `args` follow."""
        for name, value in changes.items():
            setattr(self, name, value)
        self._fix()
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args, {"__notes__": self.__notes__} if hasattr(self, "__notes__") else {}

    def __str__(self) -> str:
        return self.message


class ConfigError(G2AError):
    """Settings, variables or stored logins do not fit: the message says which and what to do."""


class ClientClosedError(G2AError):
    """The client, or the session that it borrows, was closed before this call."""


class WrongLoopError(G2AError):
    """A borrowed session belongs to another event loop. Nothing was sent."""


class PagingStalledError(G2AError):
    """The service gave the same page twice, so the walk would never end."""


class ReauthorizationRequiredError(G2AError):
    """The refresh token was refused, also after the store was read again: the user must log in anew."""


class TransportError(G2AError):
    """There is no answer."""

    operation: str
    """The call: `sessions.get`."""
    attempts: int
    """How many exchanges were tried."""
    elapsed: float
    """Seconds since the call began."""
    reason: str
    """What went wrong, without secrets."""
    sent: Mapping[str, Any]
    """The request: method, URL, headers, body and client ID, without secrets."""

    __match_args__: ClassVar[tuple[str, ...]] = ("operation", "attempts", "elapsed", "reason", "sent")

    def __init__(
        self,
        operation: str,
        attempts: int = 1,
        elapsed: float = 0.0,
        reason: str = "no answer",
        sent: Mapping[str, Any] | None = None,
    ) -> None:
        self.operation = operation
        self.attempts = attempts
        self.elapsed = elapsed
        self.reason = reason
        self.sent = dict(sent or {})
        self._fix()

    def support_report(self) -> str:
        """What the vendor's support asks for, to paste; secrets are masked."""
        return describe(self.sent, f"none: {self}", {}, None)

    def __str__(self) -> str:
        tries = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        return f"{self.operation}: {self.reason} ({tries}, {self.elapsed:.2f} s)"


class ConnectError(TransportError):
    """No connection was made: proof that nothing was sent."""


class OutcomeUnknownError(TransportError):
    """The call was sent, its answer was lost, and sending it again could do it twice.

    Look at what the service holds before you call again.
    """


class DeadlineExceededError(TransportError, TimeoutError):
    """The call's deadline has passed, or the next wait would not fit into what is left of it."""

    phase: str
    """Where the time went: `quota`, `pool`, `connect`, `read`, `backoff` or `token`."""

    __match_args__: ClassVar[tuple[str, ...]] = ("operation", "phase", "attempts", "elapsed", "reason", "sent")

    def __init__(
        self,
        operation: str,
        phase: str,
        attempts: int = 1,
        elapsed: float = 0.0,
        reason: str = "deadline exceeded",
        sent: Mapping[str, Any] | None = None,
    ) -> None:
        self.phase = phase
        super().__init__(operation, attempts, elapsed, reason, sent)

    def __str__(self) -> str:
        return f"{super().__str__()} in phase {self.phase}"


class DecodeError(G2AError):
    """The answer has another shape than any that is known. Never holds the value that was found."""

    path: str
    """Where, such as `$.sessions[3].status`."""
    expected: str
    """What should have been there."""
    operation: str | None
    """The call that was answered so."""

    __match_args__: ClassVar[tuple[str, ...]] = ("path", "expected", "operation")

    def __init__(self, path: str, expected: str, operation: str | None = None) -> None:
        self.path = path
        self.expected = expected
        self.operation = operation
        self._fix()

    def __str__(self) -> str:
        where = f"{self.operation}: " if self.operation else ""
        return f"{where}expected {self.expected} at {self.path}"


class StatusError(G2AError):
    """The service answered, and the answer was no."""

    status: int
    """The HTTP status."""
    method: str
    """The HTTP method."""
    url: str
    """The address, without secrets."""
    headers: Mapping[str, str]
    """The answer's headers, their names in any case, without secrets."""
    body: Any
    """Decoded JSON, or text, of at most 64 KiB; None where it was empty."""
    code: str | None
    """The service's own error code, where the body has one."""
    description: str | None
    """The service's own words, where the body has some."""
    attempts: int
    """How many exchanges were tried."""
    retry_after: float | None
    """Seconds that the service asks to wait, or None."""
    sent: Mapping[str, Any]
    """The request: method, URL, headers, body and client ID, without secrets."""

    __match_args__: ClassVar[tuple[str, ...]] = (
        "status",
        "method",
        "url",
        "headers",
        "body",
        "code",
        "description",
        "attempts",
        "retry_after",
        "sent",
    )
    _kinds: ClassVar[dict[int, "type[StatusError]"]] = {}

    def __init_subclass__(cls, *, status: int | None = None) -> None:
        if status is not None:
            StatusError._kinds[status] = cls

    def __init__(
        self,
        status: int,
        method: str = "",
        url: str = "",
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        code: str | None = None,
        description: str | None = None,
        attempts: int = 1,
        retry_after: float | None = None,
        sent: Mapping[str, Any] | None = None,
    ) -> None:
        self.status = status
        self.method = method
        self.url = url
        self.headers = Headers(headers or {})
        self.body = body
        self.code = code
        self.description = description
        self.attempts = attempts
        self.retry_after = retry_after
        self.sent = dict(sent or {})
        self._fix()

    def support_report(self) -> str:
        """What the vendor's support asks for, to paste; secrets are masked."""
        sent = {"method": self.method, "url": self.url, **self.sent}
        return describe(sent, str(self.status), self.headers, self.body)

    @classmethod
    def kind(cls, status: int) -> "type[StatusError]":
        """The class for *status*."""
        return cls._kinds.get(status, ServerError if status >= 500 else StatusError)  # noqa: PLR2004  5xx

    def __str__(self) -> str:
        parts = [f"{self.status} on {self.method} {self.url}"]
        if self.code or self.description:
            parts.append(": ".join(filter(None, (self.code, self.description))))
        if self.attempts > 1:
            parts.append(f"{self.attempts} attempts")
        if self.retry_after is not None:
            parts.append(f"asks to wait {self.retry_after:g} s")
        return ", ".join(parts)


class BadRequestError(StatusError, status=400):
    """Malformed, or something in it is missing or invalid."""


class UnauthorizedError(StatusError, status=401):
    """The token is invalid, or the technician has no Remote Support seat."""


class ForbiddenError(StatusError, status=403):
    """A role is missing; for recordings: the key or a recording ID is not one of the account's."""

    rejected: tuple[int, ...]
    """The recording IDs that the service refuses, where a batch found them; all others went through."""

    __match_args__: ClassVar[tuple[str, ...]] = (*StatusError.__match_args__, "rejected")

    def __init__(self, *args: Any, rejected: tuple[int, ...] = (), **names: Any) -> None:
        own = len(StatusError.__match_args__)
        self.rejected = tuple(args[own]) if len(args) > own else rejected
        super().__init__(*args[:own], **names)

    def __str__(self) -> str:
        some = ", ".join(map(str, self.rejected[:5])) + (", …" if len(self.rejected) > 5 else "")  # noqa: PLR2004
        return super().__str__() + (f", {len(self.rejected)} IDs refused: {some}" if self.rejected else "")


class NotFoundError(StatusError, status=404):
    """No such session, machine or transcript."""


class MethodNotAllowedError(StatusError, status=405):
    """The address does not take this HTTP method."""


class RateLimitedError(StatusError, status=429):
    """The quota is used up, and the wait that the service asks for does not fit."""


class ServerError(StatusError):
    """The service failed (5xx), on every attempt.

    A call that is not repeatable may have been carried out all the same: look before you call again.
    """
