"""Which recordings a run is about."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from g2a_async.archive.names import KEYS, Template
from g2a_async.records import AvailableRecordings
from g2a_async.services.recordings import Recordings, checked_filters, checked_keys
from g2a_async.windows import aware


@frozen(kw_only=True)
class Selection:
    """What the service is asked for. ValueError, before anything is sent: it cannot be."""

    since: datetime
    until: datetime | None = None
    account_key: int | str | None = None
    user_key: int | str | None = None
    company_id: int | str | None = None
    session_type: int | None = field(default=None)
    archived: bool = False

    def __attrs_post_init__(self) -> None:
        start = aware("since", self.since)
        if self.until is not None and start > aware("until", self.until):
            raise ValueError("since must not be after until")
        checked_keys(self.account_key, self.user_key, self.company_id)
        checked_filters(self.session_type, archived=self.archived)

    @property
    def keys(self) -> Mapping[str, str | None]:
        """What the recordings are selected by, as text."""
        values = {name: getattr(self, name) for name in KEYS}
        return {name: None if value is None else str(value) for name, value in values.items()}

    def check(self, template: Template) -> None:
        """ValueError: the template has a field that is known only of what a run selects by."""
        for name in sorted(template.fields & {*KEYS}):
            if not self.keys[name]:
                raise ValueError(f"the template has {{{name}}}, which only a run with {name} knows: give that, too")

    async def listed(self, recordings: Recordings) -> AvailableRecordings:
        """All of them."""
        query: dict[str, Any] = {name: getattr(self, name) for name in (*KEYS, "session_type", "archived")}
        return await recordings.all_available(from_time=self.since, to_time=self.until, **query)
