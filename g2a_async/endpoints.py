"""The API as a table: one frozen row per call.

The client, the emulator's router, the contract test and the README's table are all
driven by these rows. A quirk of one call is a column here, never an `if` in the transport.
"""

import re
from typing import Final
from urllib.parse import quote

from attrs import frozen

MAX_IDS: Final = 500
"""The most recording IDs in one request, and the most in each list of available ones (published)."""

MAX_PAGE: Final = 50
"""The largest `limit` of companies and machines; more gives 400 (published)."""

_ID_OR_TOKEN: Final = re.compile(r"(?<=/)(?:[^/{}]*\d[^/{}]*|[^/{}]{21,})(?=/|$)")


@frozen(kw_only=True)
class Endpoint:
    """One call of the API."""

    name: str
    """The service and its method: `sessions.get`."""
    method: str
    """The HTTP method."""
    path: str
    """Under the base URL, or under the partner's callback URL; names in braces are filled in."""
    meaning: str
    """One line for people."""
    query: tuple[str, ...] = ()
    """Names that the query may have."""
    body: tuple[str, ...] = ()
    """Names that the JSON body may have."""
    required: frozenset[str] = frozenset()
    """Those of the names above that must be there."""
    authorized: bool = True
    """Carries the access token."""
    partner: bool = False
    """Goes to the partner's callback URL with a `userToken`, not to the service."""
    repeatable: bool = True
    """May be sent again when its answer was lost: twice has the effect of once."""
    empty_on_404: bool = False
    """A 404 is how the service says "no records"."""
    redirects: bool = False
    """The answer is a redirect, and its target is the result."""
    envelope: str | None = None
    """The attribute that holds the list, where the list is wrapped."""
    map_key: str | None = None
    """The attribute of a record that its list, where it is a map, has as keys."""
    total: str | None = None
    """The attribute that counts all records of a list."""
    errors: tuple[int, ...] = (401, 500)
    """The statuses other than success that are published for it."""

    @property
    def route(self) -> str:
        """The path to count calls by: names in braces, also in place of what looks like an ID, and no secret."""
        return _ID_OR_TOKEN.sub("{id}", self.path)

    def fill(self, **names: object) -> str:
        """The path with *names* put in, percent-encoded. A comma, which parts IDs, stays.

        ValueError: a name is empty or a dot segment, so the path would be another call's.
        """
        path = self.path
        for name, value in names.items():
            text = value if type(value) is str else _text(name, value)
            if not (text.isascii() and text.isalnum()):
                if text in {"", ".", ".."}:
                    raise ValueError(f"{name} must name something, not be {text!r}")
                text = quote(text, safe=",")
            path = path.replace("{" + name + "}", text)
        return path


def _text(name: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{name} must be text or a whole number, not a {type(value).__name__}")
    return str(value)


START_SESSION: Final = Endpoint(
    name="sessions.start",
    method="POST",
    path="/sessions",
    meaning="Start an attended or unattended session",
    body=(
        "sessionType",
        "sessionStatusCallbackUrl",
        "partnerObject",
        "partnerObjectUrl",
        "customerName",
        "customerEmail",
        "machineUuid",
    ),
    required=frozenset({"sessionType"}),
    repeatable=False,
    errors=(400, 401, 403, 404, 405, 500),
)
GET_SESSION: Final = Endpoint(
    name="sessions.get",
    method="GET",
    path="/sessions/{sessionId}",
    meaning="One session, by its ID or token",
    errors=(401, 404, 405, 500),
)
LIST_SESSIONS: Final = Endpoint(
    name="sessions.list",
    method="GET",
    path="/sessions",
    meaning="Every session of a date range",
    query=("sessionType", "fromTime", "toTime"),
    required=frozenset({"sessionType"}),
    envelope="sessions",
    total="totalNumSessions",
    errors=(400, 401, 405, 500),
)
BROWSER_SESSION: Final = Endpoint(
    name="sessions.browser_launch_url",
    method="GET",
    path="/session",
    meaning="Start an attended session in a browser",
    query=("sessionType", "layout", "partnerObject", "partnerObjectUrl", "sessionStatusCallbackUrl"),
    required=frozenset({"sessionType"}),
    authorized=False,
    repeatable=False,  # a GET that creates a session
    redirects=True,
    errors=(400, 500),
)
GET_TRANSCRIPT: Final = Endpoint(
    name="sessions.transcript",
    method="GET",
    path="/sessions/{sessionId}/events",
    meaning="The web-chat transcript of a session",
    envelope="events",
    errors=(401, 404, 500),
)
LIST_COMPANIES: Final = Endpoint(
    name="companies.list",
    method="GET",
    path="/companies",
    meaning="Companies that the user can reach",
    query=("q", "limit", "offset", "sortField", "sortOrder"),
    empty_on_404=True,
    envelope="companies",
    total="totalNumCompanies",
    errors=(400, 401, 403, 404, 405, 500),
)
LIST_MACHINES: Final = Endpoint(
    name="companies.machines",
    method="GET",
    path="/companies/{companyId}/machines",
    meaning="The unattended machines of a company",
    query=("limit", "offset"),
    empty_on_404=True,
    envelope="machines",
    map_key="machineUuid",
    total="totalNumMachines",
    errors=(400, 401, 403, 404, 405, 500),
)
AVAILABLE_RECORDINGS: Final = Endpoint(
    name="recordings.available",
    method="GET",
    path="/archive/recordings",
    meaning="IDs of recordings that can be transcoded or downloaded",
    query=("accountKey", "userKey", "companyId", "sessionType", "fromTime", "toTime", "timePeriod", "archived"),
    errors=(400, 403, 500),
)
RECORDING_URLS: Final = Endpoint(
    name="recordings.urls",
    method="GET",
    path="/archive/recordings/urls",
    meaning="Where to download recordings",
    query=("recordingIds",),  # the name is unpublished: Settings.recording_ids_param
    required=frozenset({"recordingIds"}),
    envelope="recordings",
    errors=(400, 403, 500),
)
TRANSCODE_RECORDINGS: Final = Endpoint(
    name="recordings.transcode",
    method="POST",
    path="/archive/recordings/transcode/{recordingIds}",
    meaning="Ask for recordings to be made downloadable",
    errors=(400, 403, 500),
)
ARCHIVE_RECORDINGS: Final = Endpoint(
    name="recordings.mark_archived",
    method="PUT",
    path="/archive/recordings/archived/{recordingIds}",
    meaning="Mark recordings as archived",
    errors=(400, 403, 500),
)
REGISTER_SYSTEM_LINK: Final = Endpoint(
    name="system_links.register",
    method="POST",
    path="/systemLinks",
    meaning="Register a partner system for a user",
    body=("systemName", "systemDomain", "userEmail", "userToken", "callbackURL", "supportedCallbacks"),
    required=frozenset({"systemName", "systemDomain", "userEmail", "userToken", "callbackURL"}),
    errors=(400, 401, 500),
)
LIST_SYSTEM_LINKS: Final = Endpoint(
    name="system_links.list",
    method="GET",
    path="/systemLinks",
    meaning="The partner systems registered for a domain",
    query=("systemDomain",),
    required=frozenset({"systemDomain"}),
    envelope="systemLinks",
    errors=(400, 401, 500),
)
SEARCH_TICKETS: Final = Endpoint(
    name="tickets.search",
    method="GET",
    path="/",
    meaning="Search the partner's tickets",
    query=("userToken", "q", "limit", "offset"),
    required=frozenset({"userToken"}),
    authorized=False,
    partner=True,
    envelope="tickets",
    total="total",
    errors=(),
)
CREATE_TICKET: Final = Endpoint(
    name="tickets.create",
    method="POST",
    path="/",
    meaning="Create a ticket for a session",
    body=("sessionId", "userToken", "title", "body"),
    required=frozenset({"sessionId", "userToken", "title", "body"}),
    authorized=False,
    partner=True,
    repeatable=False,
    errors=(),
)
ASSOCIATE_TICKET: Final = Endpoint(
    name="tickets.associate",
    method="PUT",
    path="/",
    meaning="Link a ticket to a session",
    body=("sessionId", "userToken", "partnerObject"),
    required=frozenset({"sessionId", "userToken", "partnerObject"}),
    authorized=False,
    partner=True,
    errors=(),
)

ENDPOINTS: Final = (
    START_SESSION,
    GET_SESSION,
    LIST_SESSIONS,
    BROWSER_SESSION,
    GET_TRANSCRIPT,
    LIST_COMPANIES,
    LIST_MACHINES,
    AVAILABLE_RECORDINGS,
    RECORDING_URLS,
    TRANSCODE_RECORDINGS,
    ARCHIVE_RECORDINGS,
    REGISTER_SYSTEM_LINK,
    LIST_SYSTEM_LINKS,
    SEARCH_TICKETS,
    CREATE_TICKET,
    ASSOCIATE_TICKET,
)
