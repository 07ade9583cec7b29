"""Tables for people: widths of the first rows, IDs never cut, long texts folded."""

import os
import sys
from collections.abc import Sequence
from datetime import datetime
from itertools import zip_longest
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from g2a_async.cli.views import Column, details

_GAP: Final = 2
_AT_ONCE: Final = 200
"""Rows that are measured and written together."""
_NARROWEST: Final = 8
_UNBOUNDED: Final = 10_000
_STYLES: Final = {
    "active": "green",
    "ONLINE": "green",
    "ok": "green",
    "waiting": "yellow",
    "BLOCKED": "yellow",
    "skipped": "yellow",
    "failed": "bold red",
    "abandoned": "dim",
    "notStarted": "dim",
    "OFFLINE": "dim",
    "REMOVED": "dim",
    "closed": "dim",
}


def console() -> Console:
    """What writes to stdout: as wide as the terminal, and elsewhere as wide as need be, unless COLUMNS is set."""
    bounded = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal()
    return Console(highlight=False, markup=False, emoji=False, width=None if bounded else _UNBOUNDED)


class TableWriter:
    """Rows below a header, in columns that the first rows decide upon."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = list(columns)
        self._console = console()
        self._widths: list[int] = []

    def write(self, records: Sequence[Any]) -> None:
        """Rows, and the header before the first."""
        for start in range(0, len(records), _AT_ONCE):
            self._write(records[start : start + _AT_ONCE])

    def end(self) -> None:
        """Nothing."""

    def _write(self, records: Sequence[Any]) -> None:
        rows = [[_text(column.of(record)) for column in self._columns] for record in records]
        needed = [max(map(_length, cells)) for cells in zip(*rows, strict=True)]
        lines: list[Text] = []
        if not self._widths:
            shown = self._decide(needed)
            rows = [[cell for cell, here in zip(row, shown, strict=True) if here] for row in rows]
            if any(column.title for column in self._columns):
                lines += self._lines([Text(column.title.upper(), "bold") for column in self._columns])
        else:  # an ID that is longer than those before is whole all the same
            together = zip(self._columns, self._widths, needed, strict=True)
            self._widths = [max(width, need) if column.whole else width for column, width, need in together]
        for row in rows:
            lines += self._lines(row)
        self._console.print(Text("\n").join(lines), soft_wrap=True)

    def _decide(self, needed: Sequence[int]) -> list[bool]:
        """Set the columns' widths; which of those that need room are there at all."""
        room = self._console.width
        wanted = [max(need, len(one.title), one.least) for one, need in zip(self._columns, needed, strict=True)]
        left = room - sum(_GAP + width for one, width in zip(self._columns, wanted, strict=True) if not one.wide)
        shown = []
        for column, width in zip(self._columns, wanted, strict=True):
            here = not column.wide or width + _GAP <= left
            left -= width + _GAP if here and column.wide else 0
            shown.append(here)
        self._columns = [one for one, here in zip(self._columns, shown, strict=True) if here]
        self._widths = _fitted(self._columns, [width for width, here in zip(wanted, shown, strict=True) if here], room)
        return shown

    def _lines(self, cells: Sequence[Text]) -> list[Text]:
        parts = [
            list(cell.wrap(self._console, width, overflow="fold"))
            if _length(cell) > width or "\n" in cell.plain
            else [cell]
            for cell, width in zip(cells, self._widths, strict=True)
        ]
        return [self._line(line) for line in zip_longest(*parts, fillvalue=Text())]

    def _line(self, cells: Sequence[Text]) -> Text:
        line = Text()
        for cell, width in zip(cells, self._widths, strict=True):
            line.append_text(cell)
            line.append(" " * (width - cell_len(cell.plain) + _GAP))
        line.rstrip()
        return line


def _fitted(columns: Sequence[Column], widths: list[int], room: int) -> list[int]:
    """*widths* that fit into *room*: the widest that can be folded give way, and one that fills takes what is left."""
    left = room - sum(widths) - _GAP * (len(widths) - 1)
    foldable = [index for index, column in enumerate(columns) if not column.whole]
    while left < 0 and foldable:
        widest = max(foldable, key=lambda index: widths[index])
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
        left += 1
    return [width + (max(left, 0) if column.fill else 0) for column, width in zip(columns, widths, strict=True)]


class DetailsWriter:
    """A line for each attribute; records apart by an empty line. Long values are left whole, to be copied."""

    def __init__(self, *, secrets: bool) -> None:
        self._console = console()
        self._secrets = secrets
        self._begun = False

    def write(self, records: Sequence[Any]) -> None:
        """Records, one below the other."""
        for record in records:
            if self._begun:
                self._console.print()
            self._begun = True
            rows = details(record, secrets=self._secrets)
            width = max(len(name) for name, _ in rows) + _GAP
            for name, value in rows:
                line = Text.assemble((name.ljust(width), "dim"), _text(value, exact=True))
                self._console.print(line, soft_wrap=True)

    def end(self) -> None:
        """Nothing."""


def _length(text: Text) -> int:
    return max(map(cell_len, text.plain.split("\n")))


def _text(value: object, *, exact: bool = False) -> Text:
    """*value* for people: local time, and nothing that a terminal would obey."""
    if value is None:
        return Text()
    if isinstance(value, datetime):
        local = value.astimezone()
        return Text(f"{local:%Y-%m-%d %H:%M:%S %Z}" if exact else f"{local:%Y-%m-%d %H:%M}")
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    lines = "\n".join(str(value).expandtabs(1).splitlines())
    plain = "".join(one if one.isprintable() or one == "\n" else "\N{REPLACEMENT CHARACTER}" for one in lines)
    return Text(plain, _STYLES.get(plain, ""))
