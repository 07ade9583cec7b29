"""Where a file's bytes go. Kept apart so that a folder and an object store are filled by the same download."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, Protocol

from attrs import frozen

from g2a_async.errors import G2AError

Part = Literal["mp4", "events", "thumbnail"]
"""A file of a recording, and of what kind it should be: its first bytes are held against that."""

Piece = bytes | memoryview
"""Bytes of a file on their way."""

Link = Callable[[G2AError | None], Awaitable[str]]
"""Gives the address of a file: at first with None, and with the error once that address is no longer good.

It raises that error if there is no other address.
"""

Progress = Callable[[int, int | None], None]
"""Told of the bytes there are so far, and of how many there will be, if that is known."""


@frozen
class Validators:
    """What tells one version of a file from another."""

    etag: str | None = None
    """A strong one, quotes and all. None: there is none."""
    last_modified: str | None = None
    """As it came. None: there is none, or it is too young to tell two versions apart."""
    total: int | None = None
    """Bytes of the whole file."""


@frozen
class Saved:
    """A file that is whole and at its place."""

    size: int
    sha256: str
    """Hexadecimal."""


class Sink(Protocol):
    """One file on its way to its place. Used by one download at a time, in the order below; bytes are only appended.

    After `open`, either `finish` succeeds, or `leave` is called, once. What goes wrong with the place is its own error,
    an OSError as a rule: it is not tried again.
    """

    @property
    def held(self) -> int:
        """How many bytes there are, from the file's first on: where a resumed download goes on."""
        ...

    @property
    def validators(self) -> Validators | None:
        """Whose bytes these are. None: nothing is held."""
        ...

    async def open(self) -> None:
        """Look at what an earlier download left. Nothing has been asked of the file's server yet."""
        ...

    async def restart(self, validators: Validators) -> None:
        """What is held goes; the bytes that follow are the first ones, of the version that *validators* tell."""
        ...

    async def write(self, pieces: Sequence[Piece]) -> None:
        """Append. Others arrive meanwhile; afterwards, cancelled or not, nothing looks at *pieces* any more."""
        ...

    async def finish(self, last: Sequence[Piece] = ()) -> Saved:
        """Append *last*, which for a small file is all of it, and put the file at its place, to stay there."""
        ...

    async def leave(self) -> None:
        """The download failed or was cancelled: keep what a later one can go on from, and clean up the rest."""
        ...
