"""Sending again: tenacity behind one policy. Imported after a first failure, and not before."""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential
from tenacity.wait import wait_base

from g2a_async.clock import Clock
from g2a_async.endpoints import Endpoint
from g2a_async.errors import G2AError
from g2a_async.retry import asked_wait, may_repeat
from g2a_async.settings import RetryPolicy

T = TypeVar("T")


class _Wait(wait_base):
    """As long as the service asks, and a little more: not all come back at once. Else drawn from a growing range."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._base = policy.base
        self._drawn = wait_random_exponential(multiplier=policy.base, max=policy.cap)

    def __call__(self, retry_state: RetryCallState) -> float:
        asked = asked_wait(_failure(retry_state))
        return self._drawn(retry_state) if asked is None else asked + random.uniform(0, self._base)  # noqa: S311  jitter


def _failure(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


async def repeat(
    first: G2AError,
    attempt: Callable[[], Awaitable[T]],
    *,
    endpoint: Endpoint,
    policy: RetryPolicy,
    clock: Clock,
    left: Callable[[], float],
    on_wait: Callable[[int, float, G2AError], Awaitable[None]] | None = None,
) -> T:
    """What *attempt* gives, after the *first* failure of it.

    Entered only after that failure: on the happy path tenacity would cost a third of a request. A fresh
    `AsyncRetrying` each time, because a shared one mixes up concurrent calls. The last failure is raised.
    """
    pending = [first]

    async def attempts() -> T:
        if pending:
            raise pending.pop()
        return await attempt()

    def does_not_fit(state: RetryCallState) -> bool:
        return (asked_wait(_failure(state)) or 0.0) > policy.max_retry_after or state.upcoming_sleep > left()

    async def before_sleep(state: RetryCallState) -> None:
        failure = _failure(state)
        if on_wait is not None and isinstance(failure, G2AError):
            await on_wait(state.attempt_number, state.upcoming_sleep, failure)

    return await AsyncRetrying(
        sleep=clock.sleep,
        retry=retry_if_exception(lambda error: may_repeat(error, endpoint)),
        wait=_Wait(policy),
        stop=stop_after_attempt(policy.attempts) | does_not_fit,  # type: ignore[operator]  # tenacity's own idiom
        before_sleep=before_sleep,
        reraise=True,
    )(attempts)
