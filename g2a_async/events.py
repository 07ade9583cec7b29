"""What happens during calls, told to whoever wants to know: frozen events, and hooks that take them."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from attrs import frozen

from g2a_async.endpoints import Endpoint

_logger: Final = logging.getLogger("g2a_async")


@frozen(kw_only=True)
class ExchangeEvent:
    """A request was answered, or was not."""

    operation: str
    """The call: `sessions.get`."""
    method: str
    """The HTTP method."""
    route: str
    """The path with names in braces, so that it can be counted by."""
    status: int | None
    """The HTTP status; None: there was no answer."""
    attempt: int
    """Which exchange of its call it was, from 1."""
    elapsed: float
    """Seconds."""


@frozen(kw_only=True)
class RetryEvent:
    """An exchange failed and will be repeated."""

    operation: str
    """The call."""
    attempt: int
    """Which exchange failed, from 1."""
    wait: float
    """Seconds until the next."""
    error: Exception
    """Why."""


@frozen(kw_only=True)
class ThrottleEvent:
    """A call waited for the quota."""

    operation: str
    """The call."""
    waited: float
    """Seconds."""


@frozen(kw_only=True)
class RefreshEvent:
    """The access token was refreshed, or was not."""

    principal: str | None
    """Whose token, where the service says so."""
    error: Exception | None
    """Why it failed; None where it did not."""


Hook = Callable[[Any], Awaitable[None] | None]


@frozen(kw_only=True)
class Hooks:
    """Functions, plain or async, that are told. One that fails is logged, and the call goes on.

    The call waits for them, beyond its deadline too: what takes long belongs in a task of your own.
    """

    on_exchange: Hook | None = None
    """Gets an ExchangeEvent."""
    on_retry: Hook | None = None
    """Gets a RetryEvent."""
    on_throttle: Hook | None = None
    """Gets a ThrottleEvent."""
    on_refresh: Hook | None = None
    """Gets a RefreshEvent."""


class Telemetry(Protocol):
    """Spans around calls and their exchanges; `g2a_async.otel` makes those of OpenTelemetry."""

    def call(self, endpoint: Endpoint) -> AbstractContextManager[Any]:
        """Around a whole call."""
        ...

    def exchange(self, endpoint: Endpoint, attempt: int) -> AbstractContextManager[Any]:
        """Around one exchange. What it yields is called with the HTTP status, when there is one."""
        ...


async def tell_hook(hook: Hook | None, event: object) -> None:
    """Tell *hook* of *event*; its failure stays here."""
    if hook is None:
        return
    task = asyncio.current_task()
    cancellations = task.cancelling() if task is not None else 0
    try:
        result = hook(event)
        if inspect.isawaitable(result):
            await result
    except asyncio.CancelledError:
        if task is None or task.cancelling() > cancellations:
            raise
        _logger.exception("a hook failed on %s", type(event).__name__)  # what it waited for was cancelled, not we
    except Exception:
        _logger.exception("a hook failed on %s", type(event).__name__)
