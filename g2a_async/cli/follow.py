"""A run of an archive, followed to its end: files on stdout, lines on stderr, and what to exit with."""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import aclosing, nullcontext
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

import typer
from attrs import field, frozen

from g2a_async.archive import ArchiveEvent, RecordingArchive
from g2a_async.cli import exits
from g2a_async.cli.board import board
from g2a_async.cli.interrupts import Interrupts
from g2a_async.cli.options import Format
from g2a_async.cli.output import Output, chosen
from g2a_async.cli.tally import Tally
from g2a_async.cli.views import ARCHIVED
from g2a_async.threads import to_the_end

_TICK: Final = 0.125
"""Seconds between two looks."""
_BEHIND: Final = 500
"""Files that wait to be written; then the run waits."""
_ENDS: Final = frozenset({"planned", "done", "skipped", "failed"})
_TOLD: Final = {
    Format.TABLE: frozenset({"planned", "done", "failed"}),  # what is skipped is counted below
    Format.JSON: _ENDS,
    Format.CSV: _ENDS,
    Format.NDJSON: frozenset({*_ENDS, "started", "finished"}),
}


@frozen(kw_only=True)
class Following:
    """How a run is told."""

    output: Format | None
    again: str
    """The command that fetches what failed."""
    dry_run: bool = False
    idle: str = field(default="Looking for what is left to fetch")
    """What goes on while there is nothing to fetch."""

    async def to_the_end(self, archive: RecordingArchive, events: AsyncGenerator[ArchiveEvent]) -> int:
        """What to exit with, once *events* of *archive* have ended."""
        kinds = _TOLD[chosen(self.output)] - (frozenset() if self._plans else {"planned"})
        show = Show(Output(ARCHIVED, self.output), kinds, self.idle)
        # A dry run has nothing in hand that could be finished: the first Ctrl-C ends it.
        interrupts = None if self.dry_run else Interrupts(partial(_stop, archive, show))
        try:
            with show, interrupts or nullcontext():
                await _follow(events, show)
        except BrokenPipeError:
            raise
        except Exception:
            if show.tally.is_begun:
                self._sum_up(show)
            raise
        is_interrupted = interrupts is not None and interrupts.came
        self._sum_up(show)
        if is_interrupted:
            typer.echo("Interrupted: the same command goes on from here.", err=True)
            return exits.INTERRUPTED
        return exits.PARTLY if show.tally.failed else exits.OK

    @property
    def _plans(self) -> bool:
        return self.dry_run or chosen(self.output) is Format.NDJSON

    def _sum_up(self, show: "Show") -> None:
        lines = list(show.tally.preview() if self.dry_run else show.tally.summary(show.seconds))
        if show.tally.failed and not self.dry_run:
            lines.append(f"Try again what failed: {self.again}")
        typer.echo("\n".join(lines), err=True)


class Show:
    """What has happened, written now and then; for `with`. In a thread, as who reads slowly must not stop the loop."""

    def __init__(self, output: Output, kinds: Collection[str], idle: str) -> None:
        self.tally = Tally()
        self._output = output
        self._kinds = kinds
        self._idle = idle
        self._board = board()
        self._rows: list[dict[str, Any]] = []
        self._words: list[str] = []
        self._lock = asyncio.Lock()
        self._began = self._drawn = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._written()()
        finally:
            if self._board is not None:
                self._board.hide()
        self._output.__exit__(kind, error, trace)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    @property
    def is_behind(self) -> bool:
        """Whether much waits to be written."""
        return len(self._rows) >= _BEHIND

    def note(self, event: ArchiveEvent) -> None:
        """Count it, and tell it soon."""
        self.tally.note(event, time.monotonic())
        if event.kind in self._kinds:
            self._rows.append(_row(event))

    def say(self, words: str) -> None:
        """Tell people, soon; on a terminal until the end."""
        if self._board is not None:
            self._board.note = words
        else:
            self._words.append(words)

    async def flush(self) -> None:
        """Write what there is."""
        async with self._lock:
            if self._rows or self._words or self._board is not None:
                await to_the_end(self._written())

    async def tick(self) -> None:
        """Write now and then, until cancelled."""
        while True:
            await self.flush()
            await asyncio.sleep(_TICK)

    def _written(self) -> Callable[[], None]:
        """What writes what there is now."""
        rows, words, self._rows, self._words = self._rows, self._words, [], []
        now = time.monotonic()
        picture = None
        if self._board is not None and now - self._drawn >= _TICK / 2:
            picture = self._board.picture(self.tally, self._idle, now)
            self._drawn = now

        def write() -> None:
            if self._board is not None and rows and sys.stdout.isatty():
                self._board.hide()
            for line in words:
                typer.echo(line, err=True)
            self._output.write(rows)
            if self._board is not None and picture is not None:
                self._board.show(picture)

        return write


async def _follow(events: AsyncGenerator[ArchiveEvent], show: Show) -> None:
    try:
        async with asyncio.TaskGroup() as group, aclosing(events):
            ticking = group.create_task(show.tick())
            async for event in events:
                show.note(event)
                if show.is_behind:
                    await show.flush()
            ticking.cancel()
    except BaseExceptionGroup as several:
        error = several.exceptions[0]
    else:
        return
    raise error


def _stop(archive: RecordingArchive, show: Show) -> None:
    archive.stop()
    show.say("Finishing the files in hand; Ctrl-C again ends at once.")


def _row(event: ArchiveEvent) -> dict[str, Any]:
    """As JSON has it, named as on the wire."""
    row = event.to_dict()
    if (number := row.pop("recording_id", None)) is not None:
        row = {"kind": row.pop("kind"), "recordingId": number, **row}
    return row
