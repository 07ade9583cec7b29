"""Where files go: what an archive asks of a folder or an object store."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from g2a_async.downloads.sink import Sink
from g2a_async.errors import G2AError


class DestinationError(G2AError):
    """The destination takes nothing more: it is full, cannot be written, or is not there. Every file would fail."""


class Destination(Protocol):
    """A place for files by relative path, whose parts are separated by `/` and valid on every system.

    What would be the same for every file (no room, no permission, no such bucket) raises DestinationError from any of
    these and from the sink; what concerns one file alone raises OSError, and the others go on.
    """

    @property
    def identity(self) -> str:
        """What the user gave, made whole, without credentials: `/srv/recordings`, `s3://bucket/prefix`."""
        ...

    async def open(self) -> None:
        """Make ready for writing."""
        ...

    async def close(self) -> None:
        """Let go of what was opened. Harmless when repeated, and without `open`."""
        ...

    def sink(self, path: str, *, about: Mapping[str, str]) -> Sink:
        """The way of one file to *path*; no I/O yet. *about*: what may be kept as its metadata."""
        ...

    async def sizes(self, paths: Sequence[str]) -> list[int | None]:
        """Bytes of the files at *paths*, in that order; None: there is none."""
        ...

    async def sha256(self, path: str) -> str:
        """The hash of what is at *path*, in hex, all of it read back. FileNotFoundError: nothing is there."""
        ...

    async def put(self, path: str, data: bytes) -> None:
        """A small file, whole or not at all; replaces what is there."""
        ...

    async def free(self) -> int | None:
        """Bytes left on the device; None: nobody knows."""
        ...
