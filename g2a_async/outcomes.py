"""One of many: what it gave, or why it did not."""

from typing import Generic, TypeVar

from attrs import frozen

from g2a_async.errors import G2AError

T = TypeVar("T")


@frozen(kw_only=True)
class Outcome(Generic[T]):
    """What became of one of many."""

    key: str | int
    """What was asked for."""
    value: T | None = None
    """What came; None where it failed."""
    error: G2AError | None = None
    """Why it failed; None where it did not."""

    def unwrap(self) -> T:
        """The value, or the error raised."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # one of the two is there
