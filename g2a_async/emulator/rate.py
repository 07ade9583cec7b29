"""The rate limit: an exact sliding window for each access token."""

import math
from collections import deque
from datetime import timedelta
from email.utils import format_datetime
from typing import Literal

from attrs import define, field

from g2a_async.emulator.clock import EmulatorClock
from g2a_async.emulator.wire import refuse

RetryAfter = Literal["seconds", "date", "none", "junk"]

WINDOW = 1.0


def _above_zero(_: object, __: object, value: float | None) -> None:
    if value is not None and not 0 < value < math.inf:
        message = f"requests_per_second must be above zero, not {value!r}"
        raise ValueError(message)


@define(kw_only=True)
class RateLimit:
    """At most *per_second* requests in any second; what is refused does not count."""

    clock: EmulatorClock
    per_second: float | None = field(default=None, validator=_above_zero)
    """None: as many as they like."""
    retry_after: RetryAfter = "seconds"
    """The form of the header that comes with a 429."""
    refused: int = 0
    """How many were refused."""
    _times: dict[str, deque[float]] = field(factory=dict, repr=False)

    def admit(self, token: str) -> None:
        """Let a request of *token* through, or refuse it."""
        if self.per_second is None:
            return
        now = self.clock.seconds()
        # Below one a second the window is longer, so that it holds one whole request.
        most, window = (int(self.per_second), WINDOW) if self.per_second >= 1 else (1, 1 / self.per_second)
        times = self._times.setdefault(token, deque())
        while times and times[0] <= now - window:
            times.popleft()
        if len(times) < most:
            times.append(now)
            return
        self.refused += 1
        refuse(429, "TooManyRequests", "Too many requests", self._headers(times[0] + window - now))

    def clear(self) -> None:
        """Forget what was asked before."""
        self.refused = 0
        self._times = {}

    def _headers(self, seconds: float) -> dict[str, str]:
        whole = math.ceil(seconds)
        match self.retry_after:
            case "seconds":
                return {"Retry-After": str(whole)}
            case "date":
                # A date has no fraction: one that is cut off would be too early.
                moment = self.clock.now() + timedelta(seconds=whole + 1)
                return {"Retry-After": format_datetime(moment.replace(microsecond=0), usegmt=True)}
            case "junk":
                return {"Retry-After": "soon"}
            case _:
                return {}
