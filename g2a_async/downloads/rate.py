"""One limit for many downloads."""

from g2a_async.clock import Clock, SystemClock


class RateLimit:
    """At most so many bytes a second, of all who share it on one event loop, in the order in which they ask."""

    def __init__(self, bytes_per_second: float, clock: Clock | None = None) -> None:
        if isinstance(bytes_per_second, bool) or not isinstance(bytes_per_second, int | float):
            raise ValueError(f"a rate is a number of bytes a second, not {bytes_per_second!r}")
        if not 0 < bytes_per_second < float("inf"):
            raise ValueError(f"a rate must be above zero and have an end, not {bytes_per_second!r}")
        self.bytes_per_second = float(bytes_per_second)
        self._clock = clock or SystemClock()
        self._free = 0.0

    async def take(self, size: int) -> None:
        """Count *size* bytes that have come, and wait until they would have at this rate.

        Bytes stay counted when the wait is cancelled: they came all the same.
        """
        now = self._clock.monotonic()
        self._free = max(self._free, now) + size / self.bytes_per_second
        await self._clock.sleep(self._free - now)
