"""One call while it is under way, and what its failures mean."""

from collections.abc import Sequence

import aiohttp

from g2a_async.clock import Clock
from g2a_async.endpoints import Endpoint
from g2a_async.errors import (
    ClientClosedError,
    ConfigError,
    ConnectError,
    DeadlineExceededError,
    G2AError,
    OutcomeUnknownError,
    StatusError,
    TransportError,
)
from g2a_async.exchange import BODY_CAP, mask_url, scrub


class Call:
    """One call while it is under way."""

    __slots__ = ("attempts", "body", "bulk", "clock", "deadline", "endpoint", "headers", "secrets", "started", "url")

    def __init__(
        self,
        endpoint: Endpoint,
        url: str,
        headers: dict[str, str],
        body: bytes | None,
        secrets: Sequence[str],
        clock: Clock,
        deadline: float | None,
        *,
        bulk: bool,
    ) -> None:
        self.endpoint = endpoint
        self.url = url
        self.headers = headers
        self.body = body
        self.secrets = secrets
        self.clock = clock
        self.deadline = deadline
        self.bulk = bulk
        self.started = clock.monotonic()
        self.attempts = 0

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return self.clock.monotonic() - self.started

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return float("inf") if self.deadline is None else self.deadline - self.elapsed

    @property
    def shown_url(self) -> str:
        """The address, without secrets."""
        return str(scrub(mask_url(self.url), self.secrets))

    def not_sent(self, reason: str) -> ConnectError:
        """There was no connection."""
        return ConnectError(self.endpoint.name, self.attempts, self.elapsed, reason)

    def too_late(self, phase: str, reason: str = "deadline exceeded") -> DeadlineExceededError:
        """The deadline came first."""
        return DeadlineExceededError(self.endpoint.name, phase, self.attempts, self.elapsed, reason)

    def lost(self, reason: str) -> TransportError:
        """The call went out, and no answer came back."""
        kind = TransportError if self.endpoint.repeatable else OutcomeUnknownError
        return kind(self.endpoint.name, self.attempts, self.elapsed, reason)


def explain(error: Exception, call: Call, *, final: bool) -> G2AError:
    """What aiohttp's *error* means for *call*. *final*: the exchange had all that was left of the deadline."""
    if isinstance(error, RuntimeError):
        return ClientClosedError("the session was closed during the call")
    if isinstance(error, aiohttp.InvalidURL):
        return ConfigError("the address of the service or of the callback cannot be used")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return call.too_late("connect") if final else call.not_sent("no connection in time")
    if isinstance(error, TimeoutError):
        return call.too_late("read") if final and call.endpoint.repeatable else call.lost("no answer in time")
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientHttpProxyError):
        return call.not_sent(_reason(error))
    return call.lost(_reason(error))


def tell(error: G2AError, call: Call, client_id: str | None) -> G2AError:
    """The error, with how many exchanges there were, how long they took, and what had been sent."""
    if not isinstance(error, TransportError | StatusError):
        return error
    body = None if call.body is None else scrub(call.body[:BODY_CAP].decode("utf-8", "replace"), call.secrets)
    sent = {
        "method": call.endpoint.method,
        "url": call.shown_url,
        "headers": {**call.headers, **({"Authorization": "***"} if call.endpoint.authorized else {})},
        "body": body,
        "client_id": client_id,
    }
    if isinstance(error, TransportError):
        return error.amend(attempts=call.attempts, elapsed=call.elapsed, sent=sent)
    return error.amend(attempts=call.attempts, sent=sent)


def _reason(error: BaseException) -> str:
    """What went wrong, in words that hold no address: it may have secrets in it."""
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = getattr(error, "os_error", error)
        return f"no connection to {error.host}:{error.port}: {cause.strerror or type(cause).__name__}"
    words = {
        aiohttp.ClientHttpProxyError: "the proxy refused",
        aiohttp.ServerDisconnectedError: "the connection was closed before an answer came",
        aiohttp.ClientPayloadError: "the answer was cut short",
        aiohttp.ClientResponseError: "the answer was not HTTP",
    }
    known = next((text for kind, text in words.items() if isinstance(error, kind)), None)
    return known or getattr(error, "strerror", None) or type(error).__name__
