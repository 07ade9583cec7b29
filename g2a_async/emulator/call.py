"""One call, checked against its row of the table, and the words in which it is answered."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import frozen

from g2a_async.emulator.links import Links
from g2a_async.emulator.state import State
from g2a_async.emulator.wire import Answer, Values, ok, write_time
from g2a_async.endpoints import Endpoint


@frozen(kw_only=True)
class Call:
    """What a handler needs to answer."""

    endpoint: Endpoint
    names: Mapping[str, str]
    """The names in the path, decoded."""
    query: Values
    body: Values
    state: State
    links: Links

    def number(self, value: int) -> int | str:
        """An identifier, as a number where the shapes do not say otherwise."""
        return str(value) if self.state.shapes.numbers_as_text else value

    def time(self, moment: datetime | None) -> str | None:
        """A time."""
        shapes = self.state.shapes
        return None if moment is None else write_time(moment, shapes.offset, shapes.fraction)

    def record(self, **attributes: Any) -> dict[str, Any]:
        """An object without those attributes that do not apply."""
        found = {name: value for name, value in attributes.items() if value is not None}
        if self.state.shapes.unknown_attributes:
            found["addedLater"] = {"by": "the vendor"}
        return found

    def listing(self, records: Sequence[Any], total: int | None = None, **beside: Any) -> Answer:
        """A list in the endpoint's envelope, with its total and what is *beside* it."""
        endpoint, shapes = self.endpoint, self.state.shapes
        if shapes.bare_lists or endpoint.envelope is None:
            return ok(records)
        envelope: dict[str, Any] = dict(beside)
        if endpoint.total is not None and shapes.totals:
            envelope[endpoint.total] = len(records) if total is None else total
        envelope[endpoint.envelope] = records
        return ok(envelope)
