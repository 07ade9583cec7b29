"""Data on stdout: JSON, JSON lines, csv, or a table for people."""

import csv
import io
import json
import sys
import textwrap
from collections.abc import Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Final, Protocol, Self

import typer

from g2a_async.cli.columns import EXTRA
from g2a_async.cli.options import Format
from g2a_async.cli.views import View, as_dict

_CONTROLS: Final = {
    code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}
"""Characters that JSON lets through, and that a terminal might obey."""


class Writer(Protocol):
    """One way to write records."""

    def write(self, records: Sequence[Any]) -> None:
        """Write some, and whatever comes before the first."""
        ...

    def end(self) -> None:
        """Write what comes after the last."""
        ...


def chosen(kind: Format | None) -> Format:
    """*kind*, or what stdout calls for."""
    return kind or (Format.TABLE if sys.stdout.isatty() else Format.NDJSON)


class Output:
    """Records on stdout, as they come. For `with`; and *put* for event loops.

    Without a format, a table on a terminal and JSON lines elsewhere. *one*: what is written is a single record, so
    JSON has no list around it, and people see its details.
    """

    def __init__(self, view: View, kind: Format | None = None, *, secrets: bool = False, one: bool = False) -> None:
        kind = chosen(kind)
        self.count = 0
        """Records so far."""
        self._nothing = f"No {view.noun}." if kind is Format.TABLE and view.noun else ""
        secrets = secrets or view.secrets
        if kind is not Format.TABLE and isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", newline="\n")
        self._writer: Writer
        match kind:
            case Format.JSON:
                self._writer = JsonWriter(secrets=secrets, bare=one)
            case Format.NDJSON:
                self._writer = LinesWriter(secrets=secrets)
            case Format.CSV:
                self._writer = CsvWriter(view, secrets=secrets)
            case Format.TABLE:
                from g2a_async.cli.table import DetailsWriter, TableWriter  # noqa: PLC0415  rich, for people alone

                self._writer = DetailsWriter(secrets=secrets) if one or not view.table else TableWriter(view.table)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A list that broke off stays open, so that nobody takes it for a whole one; one that was interrupted ends.
        if kind is None or not issubclass(kind, Exception):
            self._writer.end()
            sys.stdout.flush()
        if kind is None and not self.count and self._nothing:
            typer.echo(self._nothing, err=True)

    def write(self, records: Iterable[Any]) -> None:
        """Write some records, so that a reader has them at once."""
        some = list(records)
        if some:
            self.count += len(some)
            self._writer.write(some)
            sys.stdout.flush()

    async def put(self, records: Iterable[Any]) -> None:
        """The same, in a thread: a reader that takes its time does not stop the event loop."""
        from g2a_async.threads import to_the_end  # noqa: PLC0415  for these commands alone

        await to_the_end(partial(self.write, records))


class JsonWriter:
    """One JSON document: a list, or with *bare* the record itself."""

    def __init__(self, *, secrets: bool, bare: bool) -> None:
        self._secrets = secrets
        self._bare = bare
        self._begun = False

    def write(self, records: Sequence[Any]) -> None:
        """Records, one below the other."""
        for record in records:
            text = _json(as_dict(record, secrets=self._secrets), indent=2)
            if not self._bare:
                text = f"{',' if self._begun else '['}\n{textwrap.indent(text, '  ')}"
            sys.stdout.write(text)
            self._begun = True

    def end(self) -> None:
        """The list's end."""
        sys.stdout.write(
            "\n" if self._bare and self._begun else "" if self._bare else "\n]\n" if self._begun else "[]\n"
        )


class LinesWriter:
    """A line of JSON for each record."""

    def __init__(self, *, secrets: bool) -> None:
        self._secrets = secrets

    def write(self, records: Sequence[Any]) -> None:
        """Records, a line each."""
        sys.stdout.write("".join(f"{_json(as_dict(one, secrets=self._secrets))}\n" for one in records))

    def end(self) -> None:
        """Nothing."""


class CsvWriter:
    """A header, then a line for each record. Cells are as the service gave them: nothing is put before `=` or `+`."""

    def __init__(self, view: View, *, secrets: bool) -> None:
        self._view = view
        self._secrets = secrets
        self._begun = False

    def write(self, records: Sequence[Any]) -> None:
        """Records, a line each."""
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        self._begin(lines)
        for record in records:
            row = self._view.row(as_dict(record, secrets=self._secrets))
            known = [_cell(row.pop(name, None)) for name in self._view.csv]
            lines.writerow([*known, _cell(row or None)])
        # A file gets every character; a terminal none that it would obey.
        sys.stdout.write(text.getvalue().translate(_CONTROLS) if sys.stdout.isatty() else text.getvalue())

    def end(self) -> None:
        """The header, if there was nothing else."""
        text = io.StringIO()
        self._begin(csv.writer(text, lineterminator="\n"))
        sys.stdout.write(text.getvalue())

    def _begin(self, lines: Any) -> None:
        if not self._begun:
            lines.writerow([*self._view.csv, EXTRA])
            self._begun = True


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else _json(value)


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent).translate(_CONTROLS)
