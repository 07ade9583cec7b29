"""Whose turn it is to download: putting a file at its place needs no connection, so that the next one may begin."""

import asyncio
from collections.abc import Sequence

from g2a_async.downloads.folder import SMALL
from g2a_async.downloads.sink import Piece, Saved, Sink, Validators


class Turn:
    """One of so many downloads that may be on their way at once."""

    def __init__(self, turns: asyncio.Semaphore) -> None:
        self._turns = turns
        self._is_over = False

    def end(self) -> None:
        """It is another's. Harmless when repeated."""
        if not self._is_over:
            self._is_over = True
            self._turns.release()


class LastSink:
    """The sink of the last file of a turn, which ends once all of the file has come."""

    def __init__(self, sink: Sink, turn: Turn) -> None:
        self._sink = sink
        self._turn = turn
        self.open = sink.open
        self.restart = sink.restart
        self.write = sink.write
        self.leave = sink.leave

    @property
    def held(self) -> int:
        """As the sink has it."""
        return self._sink.held

    @property
    def validators(self) -> Validators | None:
        """As the sink has it."""
        return self._sink.validators

    async def finish(self, last: Sequence[Piece] = ()) -> Saved:
        """The file goes to its place, while another comes. Only of a small one there are bytes in memory then."""
        if sum(map(len, last)) > SMALL:
            await self._sink.write(last)
            last = ()
        self._turn.end()
        return await self._sink.finish(last)
