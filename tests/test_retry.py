"""What is repeated, and how long it waits: with a clock that costs no time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tools.clock import FakeClock

from g2a_async import (
    BadRequestError,
    ClientClosedError,
    ConnectError,
    DeadlineExceededError,
    DecodeError,
    ForbiddenError,
    G2AError,
    NotFoundError,
    OutcomeUnknownError,
    RateLimitedError,
    RetryPolicy,
    ServerError,
    StatusError,
    TransportError,
    UnauthorizedError,
    WrongLoopError,
    endpoints,
)
from g2a_async.repeats import repeat
from g2a_async.retry import asked_wait, may_repeat

READ = endpoints.GET_SESSION
CREATE = endpoints.START_SESSION

# The failure, whether a repeatable call is repeated after it, whether one that creates is.
DECISIONS: list[tuple[BaseException | None, bool, bool]] = [
    (ConnectError("x"), True, True),
    (RateLimitedError(429), True, True),
    (TransportError("x"), True, False),
    (OutcomeUnknownError("x"), False, False),
    (DeadlineExceededError("x", "read"), False, False),
    *[(ServerError(status), True, False) for status in (500, 502, 503, 504)],
    *[(ServerError(status), False, False) for status in (501, 505, 511, 599)],
    (BadRequestError(400), False, False),
    (UnauthorizedError(401), False, False),
    (ForbiddenError(403), False, False),
    (NotFoundError(404), False, False),
    (StatusError(302), False, False),
    (StatusError(409), False, False),
    (DecodeError("$", "text"), False, False),
    (ClientClosedError(), False, False),
    (WrongLoopError(), False, False),
    (asyncio.CancelledError(), False, False),
    (KeyboardInterrupt(), False, False),
    (TimeoutError(), False, False),
    (ValueError(), False, False),
    (None, False, False),
]


@pytest.mark.parametrize(("error", "read", "create"), DECISIONS, ids=[repr(row[0])[:40] for row in DECISIONS])
def test_what_is_repeated(error: BaseException | None, read: bool, create: bool) -> None:
    """Only what may help and cannot do a thing twice is repeated."""
    assert may_repeat(error, READ) is read
    assert may_repeat(error, CREATE) is create


class Failing:
    """An attempt that fails so often, and then gives its number."""

    def __init__(self, clock: FakeClock, *errors: BaseException) -> None:
        self.clock = clock
        self.errors = list(errors)
        self.times = [clock.time]

    async def __call__(self) -> int:
        """Try."""
        self.times.append(self.clock.time)
        if len(self.times) - 2 < len(self.errors):
            raise self.errors[len(self.times) - 2]
        return len(self.times)

    @property
    def waits(self) -> list[float]:
        """Seconds between the attempts, the first of which failed before."""
        return [after - before for before, after in zip(self.times, self.times[1:], strict=False)]


async def repeated(
    first: G2AError,
    *more: BaseException,
    policy: RetryPolicy | None = None,
    left: Callable[[FakeClock], float] = lambda _: float("inf"),
    endpoint: endpoints.Endpoint = READ,
) -> tuple[Failing, Any]:
    """Repeat after these failures; the attempts, and what came out in the end: a value or an error."""
    clock = FakeClock()
    attempt = Failing(clock, *more)
    try:
        result: Any = await repeat(
            first, attempt, endpoint=endpoint, policy=policy or RetryPolicy(), clock=clock, left=lambda: left(clock)
        )
    except Exception as error:  # noqa: BLE001  the test looks at it
        result = error
    return attempt, result


@given(st.integers(1, 8), st.floats(0, 5), st.floats(0, 5))
@settings(deadline=None, max_examples=40)
def test_waits_are_drawn_from_a_growing_capped_range(attempts: int, base: float, cap: float) -> None:
    """Each wait is within a range that doubles, and never above the cap; there are as many as attempts allow."""
    policy = RetryPolicy(attempts=attempts, base=base, cap=cap)
    errors = [ServerError(503) for _ in range(10)]
    attempt, result = asyncio.run(repeated(errors[0], *errors[1:], policy=policy))
    assert len(attempt.waits) == attempts - 1
    assert result is errors[attempts - 1]
    for number, wait in enumerate(attempt.waits):
        assert 0 <= wait <= min(cap, base * 2**number) + 1e-6


async def test_waits_are_spread_and_grow() -> None:
    """Waits differ from call to call, fill their range, and get longer from attempt to attempt."""
    policy = RetryPolicy(attempts=4, base=1.0, cap=100.0)
    errors = [ServerError(503) for _ in range(4)]
    waits = [(await repeated(*errors, policy=policy))[0].waits for _ in range(120)]
    for number in range(3):
        column = sorted(wait[number] for wait in waits)
        assert len(set(column)) > 100
        assert column[0] < 0.3 * 2**number
        assert column[-1] > 0.7 * 2**number


@pytest.mark.parametrize("kind", [RateLimitedError, ServerError])
async def test_an_asked_wait_is_obeyed_with_jitter(kind: type[StatusError]) -> None:
    """No attempt before the asked wait is over; then a little later each time, so that not all come back at once."""
    errors = [kind(503, retry_after=7.0) for _ in range(4)]
    waits = [wait for _ in range(30) for wait in (await repeated(*errors))[0].waits]
    assert len(waits) == 90
    assert 7.0 <= min(waits) < max(waits) <= 7.5 + 1e-6
    assert len(set(waits)) > 80


async def test_no_wait_asked_for_is_a_short_one() -> None:
    """`Retry-After: 0` is obeyed too: only the jitter is waited for."""
    attempt, result = await repeated(RateLimitedError(429, retry_after=0.0))
    assert result == 2
    assert attempt.waits[0] <= 0.5 + 1e-6


async def test_a_wait_that_is_too_long_is_not_begun() -> None:
    """An asked wait beyond `max_retry_after` raises the service's error at once."""
    error = RateLimitedError(429, retry_after=60.5)
    attempt, result = await repeated(error)
    assert result is error
    assert attempt.times == [1000.0]
    assert (await repeated(RateLimitedError(429, retry_after=60.0)))[1] == 2


@pytest.mark.parametrize("error", [RateLimitedError(429, retry_after=30.0), ServerError(503, retry_after=30.0)])
async def test_a_wait_that_does_not_fit_is_not_begun(error: StatusError) -> None:
    """An asked wait beyond what is left of the deadline raises at once."""
    attempt, result = await repeated(error, left=lambda _: 29.9)
    assert result is error
    assert attempt.times == [1000.0]


async def test_no_drawn_wait_outlasts_the_deadline() -> None:
    """Repeats end before the deadline does, whatever the draws."""
    policy = RetryPolicy(attempts=50, base=0.5, cap=3.0)
    for _ in range(20):
        errors = [TransportError("x") for _ in range(50)]
        attempt, result = await repeated(*errors, policy=policy, left=lambda clock: 1010.0 - clock.time)
        assert isinstance(result, TransportError)
        assert attempt.clock.time <= 1010.0


async def test_the_last_failure_is_what_is_raised() -> None:
    """After a failure that is not repeated, that one is raised, and not the first."""
    last = NotFoundError(404)
    attempt, result = await repeated(ServerError(500), ConnectError("x"), last, ServerError(500))
    assert result is last
    assert len(attempt.times) == 3


async def test_a_call_that_creates_goes_on_only_after_proof() -> None:
    """A call that creates is repeated after a 429 and a refused connection, and not after a lost answer."""
    lost = OutcomeUnknownError("x")
    attempt, result = await repeated(ConnectError("x"), RateLimitedError(429), lost, endpoint=CREATE)
    assert result is lost
    assert len(attempt.times) == 3


async def test_our_own_mistakes_are_not_repeated() -> None:
    """An error that is none of the package's goes through, as it is."""
    mistake = ZeroDivisionError()
    attempt, result = await repeated(ConnectError("x"), mistake)
    assert result is mistake
    assert len(attempt.times) == 2


async def cancelled(work: Awaitable[Any], rounds: int) -> bool:
    """Cancel so many rounds of the loop later; whether it ended as cancelled."""
    task = asyncio.ensure_future(work)
    for _ in range(rounds):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    return task.cancelled()


@pytest.mark.parametrize("rounds", [1, 2, 3])
async def test_cancelling_is_not_swallowed(rounds: int) -> None:
    """A call that is cancelled while it waits, or while it tries again, ends there."""
    clock, tries = FakeClock(), 0

    async def attempt() -> None:
        nonlocal tries
        tries += 1
        await asyncio.Event().wait()

    work = repeat(
        ConnectError("x"), attempt, endpoint=READ, policy=RetryPolicy(base=0.0), clock=clock, left=lambda: 60.0
    )
    assert await cancelled(work, rounds)
    assert tries <= 1


async def test_an_attempt_that_cancels_itself_is_not_repeated() -> None:
    """A CancelledError out of an attempt is not taken for a failure."""
    clock = FakeClock()
    attempt = Failing(clock, asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await repeat(
            ConnectError("x"), attempt, endpoint=READ, policy=RetryPolicy(), clock=clock, left=lambda: float("inf")
        )
    assert len(attempt.times) == 2


async def test_many_calls_at_once_keep_their_results() -> None:
    """Sixty calls, each failing in its own way, get each their own result or their own error."""
    clock = FakeClock()

    async def one(number: int) -> Any:
        failures = [ServerError(503, code=str(number)) for _ in range(number % 6)]

        async def attempt() -> int:
            await clock.sleep(number % 7)
            if failures:
                raise failures.pop()
            return number

        first = ConnectError(str(number))
        try:
            return await repeat(
                first, attempt, endpoint=READ, policy=RetryPolicy(), clock=clock, left=lambda: float("inf")
            )
        except ServerError as error:
            return error.code

    results = await asyncio.gather(*[one(number) for number in range(60)])
    assert results == [number if number % 6 < 3 else str(number) for number in range(60)]


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (RateLimitedError(429, retry_after=3.0), 3.0),
        (ServerError(503, retry_after=0.0), 0.0),
        (ConnectError("x"), None),
    ],
)
def test_what_the_service_asks_for(error: G2AError, seconds: float | None) -> None:
    """Only an answer can ask for a wait."""
    assert asked_wait(error) == seconds
