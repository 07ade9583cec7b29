"""What a run works with, and what it has done."""

from collections.abc import Awaitable, Callable, Sequence

from attrs import define, frozen

from g2a_async.archive.destinations import Destination
from g2a_async.archive.entries import File
from g2a_async.archive.links import Links
from g2a_async.archive.manifest import Manifest
from g2a_async.archive.records import ArchiveEvent
from g2a_async.clock import Clock
from g2a_async.downloads.rate import RateLimit
from g2a_async.pool import Pool
from g2a_async.settings import Settings
from g2a_async.threads import Together


@frozen(kw_only=True)
class Means:
    """What a run works with."""

    pool: Pool
    settings: Settings
    clock: Clock
    destination: Destination
    manifest: Manifest
    notes: Together[tuple[int, Sequence[File]], None]
    """Into the manifest: what became of a recording's files."""
    links: Links
    rate: RateLimit | None
    tell: Callable[[ArchiveEvent], Awaitable[None]]
    """Gives an event to whoever iterates the run, when they have room for it."""
    hint: Callable[[ArchiveEvent], None]
    """The same, unless they have no room for it."""
    is_stopping: Callable[[], bool]
    """Whether to end after the file in hand."""


@define(eq=False)
class Tally:
    """What a run has fetched."""

    fetched: int = 0
    planned: int = 0
