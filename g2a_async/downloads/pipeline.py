"""Writing while more arrives, within bounds."""

import asyncio
from typing import Final, Self

from g2a_async.downloads.sink import Piece, Sink
from g2a_async.threads import ended

_ENOUGH: Final = 1 << 19
"""Bytes that are worth a thread: a hop for each small piece halves the throughput."""
_MOST: Final = 4 << 20
"""Bytes that are gathered while the ones before are written: then nothing is received until they are."""
_SOON: Final = 1.0
"""Seconds after which fewer bytes are written too: what is not written is lost with the process."""


class Pipeline:
    """One batch is written, another gathers. Nothing writes any more once it has been left."""

    def __init__(self, sink: Sink, start: int) -> None:
        self.size = start
        """Bytes of the file that there are, written or not."""
        self._sink = sink
        self._pieces: list[Piece] = []
        self._gathered = 0
        self._writing: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._writing is not None and await ended(self._writing):
            raise asyncio.CancelledError

    def gather(self, piece: Piece) -> None:
        """Take the next bytes."""
        self._pieces.append(piece)
        self._gathered += len(piece)
        self.size += len(piece)

    def is_due(self) -> bool:
        """Whether what has gathered should be written now."""
        if self._gathered >= _MOST:
            return True
        is_free = self._writing is None or self._writing.done()
        return is_free and (self._gathered >= _ENOUGH or self._loop.time() - self._last >= _SOON)

    async def pass_on(self) -> None:
        """Begin to write what has gathered, once what came before is written."""
        await self.settle()
        self._last = self._loop.time()
        self._writing = asyncio.create_task(self._sink.write(self.take()))

    async def settle(self) -> None:
        """Wait for what is being written."""
        if self._writing is not None:
            await self._writing
            self._writing = None

    def begin(self, size: int) -> bytes:
        """The first bytes of what has gathered."""
        return b"".join(self._pieces)[:size]

    def take(self) -> list[Piece]:
        """What has gathered, and is nobody else's now."""
        pieces, self._pieces, self._gathered = self._pieces, [], 0
        return pieces
