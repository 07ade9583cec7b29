"""What a terminal shows while an archive runs: all of it in a line, and below the files in hand."""

import logging
import sys
from collections import deque
from itertools import islice
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.filesize import decimal
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from g2a_async.cli.tally import Here, Tally, counted, span

_MOST: Final = 8
"""Files in hand that are shown."""
_SOON: Final = 0.3
"""Seconds after which a file in hand is worth a line; with those that are faster the lines would jump."""
_WINDOW: Final = 10.0
"""Seconds that speed is taken over."""
_BAR: Final = 40
_LEAST_BAR: Final = 8


def board() -> "Board | None":
    """One, if stderr is a terminal that can redraw lines, and no log is written there."""
    screen = Console(stderr=True, highlight=False, markup=False, emoji=False)
    is_logged = logging.getLogger("g2a_async").isEnabledFor(logging.DEBUG)
    return Board(screen) if sys.stderr.isatty() and not screen.is_dumb_terminal and not is_logged else None


class Board:
    """Lines on stderr that are drawn anew again and again, and gone in the end."""

    def __init__(self, screen: Console) -> None:
        self._screen = screen
        # Data stays on stdout: rich would send it to the console of the lines.
        self._live = Live(console=screen, auto_refresh=False, transient=True, redirect_stdout=False)
        self._spinner = Spinner("dots")
        self.note = ""
        """What is said below all lines."""
        self._seen: deque[tuple[float, int]] = deque()

    def picture(self, tally: Tally, idle: str, now: float) -> RenderableType:
        """What is to be seen now; *idle*: what goes on while there is nothing to fetch."""
        if tally.ended == tally.planned:
            self._spinner.update(text=f"{idle} ({self._counts(tally)})" if tally.planned else idle)
            return self._spinner
        width = self._screen.width
        words = "  ".join([self._counts(tally), *self._pace(tally, now)])
        line = Table.grid(padding=(0, 1))
        done, total = (tally.bytes, tally.expected) if tally.expected else (tally.ended, tally.planned)
        room = min(_BAR, width - len(words) - 2)
        if room >= _LEAST_BAR:
            line.add_row(ProgressBar(total=total, completed=done, width=room), Text(words))
        else:
            line.add_row(Text(words, overflow="ellipsis", no_wrap=True))
        slow = [file for file in tally.in_hand.values() if now - file.since >= _SOON and not file.is_over]
        files = [_line(file, width) for file in islice(slow, _MOST)]
        if len(slow) > _MOST:
            files.append(Text(f"  and {len(slow) - _MOST} more", "dim"))
        if self.note:
            files.append(Text(self.note, "yellow"))
        return Group(line, *files)

    def show(self, picture: RenderableType) -> None:
        """Draw it."""
        self._live.start()
        self._live.update(picture, refresh=True)

    def hide(self) -> None:
        """Leave no line behind."""
        self._live.update("")
        self._live.stop()

    def _counts(self, tally: Tally) -> str:
        size, files = tally.bytes, counted(tally.planned, "file")
        both = f"{decimal(size)} of {decimal(tally.expected)}" if tally.expected > size else decimal(size)
        return f"{tally.ended:,} of {files}  {both}"

    def _pace(self, tally: Tally, now: float) -> list[str]:
        """Speed, and the time that what is planned takes at that."""
        seen, size = self._seen, tally.bytes
        seen.append((now, size))
        while now - seen[0][0] > _WINDOW:
            seen.popleft()
        (since, before), passed = seen[0], now - seen[0][0]
        if passed < 1 or size <= before:
            return []
        speed = (size - before) / (now - since)
        left = [f"{span(round((tally.expected - size) / speed))} left"] if tally.expected > size else []
        return [f"{decimal(round(speed))}/s", *left]


def _line(file: Here, width: int) -> Text:
    """How far a file is; of its path, the end is what tells."""
    share = f"{min(file.bytes * 100 // file.total, 100)}%" if file.total else ""
    size = f"{decimal(file.bytes)} of {decimal(file.total)}" if file.total else decimal(file.bytes)
    start = f"  {share:>4}  {size:<20}  "
    room = max(width - len(start) - 1, _LEAST_BAR)
    path = file.path if len(file.path) <= room else f"…{file.path[1 - room :]}"
    return Text.assemble(start, (path, "dim"), overflow="crop", no_wrap=True)
