"""What is repeated: decisions, without I/O."""

from typing import Final

from g2a_async.endpoints import Endpoint
from g2a_async.errors import ConnectError, RateLimitedError, ServerError, StatusError, TransportError

_PASSING: Final = frozenset({500, 502, 503, 504})


def may_repeat(error: BaseException | None, endpoint: Endpoint) -> bool:
    """Whether sending again can help and cannot do the same thing twice."""
    if isinstance(error, RateLimitedError | ConnectError):
        return True
    if isinstance(error, ServerError):
        return endpoint.repeatable and error.status in _PASSING
    return type(error) is TransportError and endpoint.repeatable


def asked_wait(error: BaseException | None) -> float | None:
    """Seconds that the service asked to wait, with this failure."""
    return error.retry_after if isinstance(error, StatusError) else None
