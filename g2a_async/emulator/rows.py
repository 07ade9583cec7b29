"""What the account holds, one class per thing. Set the fields as you like: they are read for each answer."""

from datetime import datetime

from attrs import define, field, frozen


@frozen(kw_only=True)
class Lifecycle:
    """How a started session goes on by itself: seconds after its start. None: not by itself."""

    waiting: float | None = 0.0
    active: float | None = 1.2
    """None: no customer joins, so that the session ends as abandoned."""
    complete: float | None = 2.4

    def steps(self) -> tuple[tuple[str, float], ...]:
        """Statuses and when they come."""
        ended = "complete" if self.active is not None else "abandoned"
        times = (("waiting", self.waiting), ("active", self.active), (ended, self.complete))
        return tuple((status, seconds) for status, seconds in times if seconds is not None)


@define(kw_only=True, eq=False)
class Company:
    """A company."""

    company_id: int
    company_name: str


@define(kw_only=True, eq=False)
class Machine:
    """An unattended machine."""

    machine_uuid: str
    company_id: int
    machine_name: str
    dns_name: str
    ip_addresses: str
    machine_status: str


@frozen(kw_only=True)
class Line:
    """One line of a chat."""

    time: datetime
    name: str
    text: str


@define(kw_only=True, eq=False)
class Session:
    """A support session. Without an ID it was not started on an endpoint, and nobody finds it."""

    session_token: str
    session_id: str | None
    status: str
    account_key: int
    expert_name: str
    expert_email: str
    expert_user_key: str
    lifecycle: Lifecycle | None = None
    """None: the status changes only by hand."""
    begun_at: datetime
    """What the lifecycle counts from."""
    started_at: datetime | None = None
    customer_joined_at: datetime | None = None
    ended_at: datetime | None = None
    customer_name: str | None = None
    customer_email: str | None = None
    partner_object: str | None = None
    partner_object_url: str | None = None
    status_callback_url: str | None = None
    machine_uuid: str | None = None
    machine_name: str | None = None
    notes: str | None = None
    recording_id: int | None = None
    collaborators: list[str] = field(factory=list)
    transcript: list[Line] = field(factory=list)
    """Empty: there is none."""


@define(kw_only=True, eq=False)
class Recording:
    """A recording of a session."""

    recording_id: int
    started_at: datetime
    account_key: int
    user_key: str
    company_id: int | None
    """The company of the machine; None: an attended session."""
    ready_at: datetime | None
    """When it can be downloaded; None: it waits for someone to ask for its transcoding."""
    archived: bool
    padding: int
    """How much noise its MP4 holds, in bytes."""
    declared: int | None = None
    """The size that is told with its URLs; None: the MP4's."""
    untold: set[str] = field(factory=set)
    """Attributes that its URLs come without, such as `eventsUrl`."""
    events: list[Line] = field(factory=list)


@define(kw_only=True, eq=False)
class SystemLink:
    """A partner system that is registered for a user."""

    system_name: str
    system_domain: str
    user_email: str
    user_token: str
    callback_url: str
    supported_callbacks: dict[str, bool]


@define(kw_only=True, eq=False)
class Ticket:
    """A ticket of the partner system."""

    id: str
    title: str
    body: str
    requester_name: str
    status: str
    created_at: datetime
    session_ids: list[str] = field(factory=list)
    comments: list[str] = field(factory=list)
    tags: list[str] = field(factory=list)


@define(kw_only=True)
class Shapes:
    """In which of the tolerated shapes the answers come. The defaults are the documented ones."""

    bare_lists: bool = False
    """Lists that may come bare do, without envelope and total."""
    totals: bool = True
    """Envelopes hold the number of all records."""
    numbers_as_text: bool = False
    """Identifiers come as strings wherever they come as numbers."""
    machines_as_map: bool = False
    """`machines` is an object, by UUID."""
    session_token: str = "inner"  # noqa: S105 - a place, not a token
    """Where a started session's token is: `inner` (beside `launchUrl`), `outer`, or only in the URL: `url`."""
    supported_callbacks: bool = False
    """System links tell which callbacks they support."""
    flags_as_text: bool = False
    """`"true"` in place of `true`."""
    unknown_attributes: bool = False
    """Each object has an attribute that nobody has heard of."""
    offset: str = "Z"
    """How times end: `Z`, `+00:00` or `+0000`."""
    fraction: int = 0
    """How many digits of a second's fraction times have."""
    empty_page_is_404: bool = False
    """A page past the end is a 404 too, not only a list of nothing."""


@define(kw_only=True)
class Downloads:
    """How files are served."""

    lifetime: float = 48 * 3600.0
    """Seconds that a URL works."""
    ranges: bool = True
    """Parts of a file can be had."""
    validators: bool = True
    """Answers have an `ETag` and a `Last-Modified`."""
