"""One function per row of the table: from a call to its answer."""

from collections.abc import Callable, Mapping
from typing import Final

from g2a_async.emulator.call import Call
from g2a_async.emulator.handlers import companies, partner, recordings, sessions
from g2a_async.emulator.wire import Answer

HANDLERS: Final[Mapping[str, Callable[[Call], Answer]]] = {
    "sessions.start": sessions.start,
    "sessions.get": sessions.get,
    "sessions.list": sessions.find,
    "sessions.browser_launch_url": sessions.browser,
    "sessions.transcript": sessions.transcript,
    "companies.list": companies.find,
    "companies.machines": companies.machines,
    "recordings.available": recordings.available,
    "recordings.urls": recordings.urls,
    "recordings.transcode": recordings.transcode,
    "recordings.mark_archived": recordings.mark_archived,
    "system_links.register": partner.register,
    "system_links.list": partner.links,
    "tickets.search": partner.search,
    "tickets.create": partner.create,
    "tickets.associate": partner.associate,
}
"""By the name of the row."""
