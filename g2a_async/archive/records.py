"""What an archive tells: events while it runs, and a report of what it holds."""

from collections.abc import Mapping
from typing import Any, Final, Literal

import attrs
from attrs import field, frozen

from g2a_async.downloads.sink import Part

Kind = Literal["planned", "started", "progress", "done", "skipped", "failed", "finished"]
State = Literal["planned", "done", "failed", "absent", "waiting", "missing", "damaged"]

PARTS: Final[tuple[Part, ...]] = ("mp4", "events", "thumbnail")
"""All of them, in the order in which they are fetched."""


@frozen(kw_only=True)
class ArchiveEvent:
    """One thing that happened in a run."""

    kind: Kind
    """`planned`: will be fetched. `started`, `progress`: on its way. `done`: whole, at its place, and in the manifest.
    `skipped`: nothing to do, `error` says why. `failed`: `error` says why, and the run goes on. `finished`: the end."""
    recording_id: int | None = None
    """The recording; None: the run as a whole."""
    part: Part | None = None
    """The file; None: the whole recording."""
    bytes: int = 0
    """`progress` and `done`: bytes of the file that are there. `finished`: bytes that this run has fetched."""
    total: int | None = None
    """Bytes of the file, as far as they are known. `finished`: of all that was planned."""
    path: str | None = None
    """Where the file goes, relative to the destination."""
    error: str | None = None
    """Why it failed or was skipped; `done`: what is odd about it, such as a size other than the service told."""

    def to_dict(self) -> dict[str, Any]:
        """What is known of it, for JSON."""
        return {name: value for name, value in attrs.asdict(self).items() if value is not None}


@frozen(kw_only=True)
class ArchiveFailure:
    """A file that is not there, or not as it should be."""

    recording_id: int
    """The recording."""
    part: Part
    """The file."""
    path: str | None = None
    """Where it belongs; None: not known yet."""
    reason: str
    """What is wrong."""
    attempts: int = 0
    """How often it was tried."""


@frozen(kw_only=True)
class ArchiveReport:
    """What an archive holds."""

    counts: Mapping[str, int] = field(factory=dict)
    """Files by state: `planned` (not fetched yet), `done`, `failed`, `absent` (the recording has no such part),
    `waiting` (not ready for download), `missing` and `damaged` (as the last `verify` found them)."""
    bytes: Mapping[str, int] = field(factory=dict)
    """Their bytes: those on disk of what is done, those that the service told of the rest."""
    failures: tuple[ArchiveFailure, ...] = ()
    """What could not be fetched, and why."""
    missing: tuple[ArchiveFailure, ...] = ()
    """What was there and is no more."""
    damaged: tuple[ArchiveFailure, ...] = ()
    """What is there and is not what was fetched."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is failed, missing or damaged."""
        return not (self.failures or self.missing or self.damaged)

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return attrs.asdict(self)
