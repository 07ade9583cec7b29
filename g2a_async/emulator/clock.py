"""The service's own time, which tests move as they like."""

import time
from datetime import UTC, datetime, timedelta


class EmulatorClock:
    """Real time plus an offset.

    *start* is what it says at first (aware; default: the real time, to the second). A *frozen* one moves
    only by `advance`.
    """

    def __init__(self, start: datetime | None = None, *, frozen: bool = False) -> None:
        if start is not None and start.tzinfo is None:
            message = "a clock starts at an aware datetime"
            raise ValueError(message)
        self.start = (start or datetime.now(UTC).replace(microsecond=0)).astimezone(UTC)
        """What it said at first."""
        self.frozen = frozen
        """Only `advance` moves it."""
        self._origin = time.monotonic()
        self._offset = 0.0

    def seconds(self) -> float:
        """Seconds since it was started."""
        return self._offset if self.frozen else time.monotonic() - self._origin + self._offset

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return self.start + timedelta(seconds=self.seconds())

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass at once."""
        self._offset += seconds
