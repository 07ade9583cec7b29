"""What an archive holds, and what is wrong with it, told."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs
import typer

from g2a_async.archive import ArchiveFailure, ArchiveReport
from g2a_async.cli import exits
from g2a_async.cli.options import Format
from g2a_async.cli.output import Output, chosen
from g2a_async.cli.tally import counted
from g2a_async.cli.views import STATES, TROUBLE

_MEANINGS: Final = {
    "done": "whole, and where they belong",
    "planned": "not fetched yet",
    "waiting": "not ready for download",
    "failed": "could not be fetched",
    "missing": "were there, and are no more",
    "damaged": "there, and not what was fetched",
    "absent": "the recording has no such file",
}


def show_report(report: ArchiveReport, output: Format | None, again: str) -> int:
    """Write *report*; what to exit with. *again*: the command that fetches what is wrong."""
    kind = chosen(output)
    if kind is Format.JSON:
        with Output(TROUBLE, kind, one=True) as shown:
            shown.write([_report(report)])
    else:
        if kind is Format.TABLE and report.counts:
            with Output(STATES, kind) as shown:
                shown.write(_states(report))
        rows = list(_rows(report))
        if kind is Format.TABLE and rows:
            typer.echo()
        if kind is not Format.TABLE or rows:
            with Output(TROUBLE, kind) as shown:
                shown.write(rows)
    for line in _words(report, again):
        typer.echo(line, err=True)
    return exits.OK if report.is_whole else exits.PARTLY


def _states(report: ArchiveReport) -> list[dict[str, Any]]:
    return [
        {"state": state, "files": report.counts[state], "bytes": report.bytes.get(state, 0), "meaning": meaning}
        for state, meaning in _MEANINGS.items()
        if report.counts.get(state)
    ]


def _rows(report: ArchiveReport) -> Iterator[dict[str, Any]]:
    for state, some in ("failed", report.failures), ("missing", report.missing), ("damaged", report.damaged):
        for one in some:
            yield {"state": state, **_named(one)}


def _report(report: ArchiveReport) -> dict[str, Any]:
    """All of it, named as on the wire."""
    lists = {"failures": report.failures, "missing": report.missing, "damaged": report.damaged}
    return report.to_dict() | {name: [_named(one) for one in some] for name, some in lists.items()}


def _named(one: ArchiveFailure) -> dict[str, Any]:
    row = attrs.asdict(one)
    return {"recordingId": row.pop("recording_id"), **row}


def _words(report: ArchiveReport, again: str) -> Iterator[str]:
    counts = report.counts
    wrong = _told(counts, "failed", "missing", "damaged") or "none failed, missing or damaged"
    later = _told({"not fetched yet": counts.get("planned", 0), "not ready for download": counts.get("waiting", 0)})
    yield "; ".join(filter(None, (f"{counted(counts.get('done', 0), 'file')} in the archive", wrong, later))) + "."
    if not report.is_whole:
        yield f"Fetch them again: {again}"


def _told(counts: Mapping[str, int], *names: str) -> str:
    return ", ".join(f"{counts[name]:,} {name}" for name in names or counts if counts.get(name))
