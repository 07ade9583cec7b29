"""What a run of an archive has done so far, and how that is told in the end."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from attrs import define, field
from rich.filesize import decimal

from g2a_async.archive import ArchiveEvent
from g2a_async.archive.records import PARTS
from g2a_async.archive.words import HERE, NOT_READY

File = tuple[int | None, str | None]

_REASONS: Final = 5
"""Reasons that are told; the others are counted."""
_SHORTER: Final = {
    HERE: "already in the archive",
    NOT_READY: "not ready for download; --transcode asks for that",
}
_MINUTE: Final = 60
_HOUR: Final = 3600


@define(eq=False)
class Here:
    """A file in hand."""

    path: str
    since: float
    bytes: int = 0
    total: int | None = None
    is_over: bool = False
    """What became of it is told with the recording's other files."""


@define(eq=False)
class Tally:
    """Counts of files and bytes, from a run's events."""

    planned: int = 0
    """Files."""
    ended: int = 0
    """Those of them that are fetched, skipped or failed."""
    fetched: int = 0
    """Files that are whole."""
    size: int = 0
    """Their bytes."""
    expected: int = 0
    """Bytes of all that is or will be fetched, as far as they are known."""
    failed: int = 0
    """Things that failed: files, recordings, or a part of the selection."""
    in_hand: dict[File, Here] = field(factory=dict)
    reasons: Counter[tuple[str, str, str]] = field(factory=Counter)
    """How often something of a kind was skipped or failed, and why."""
    _told: dict[File, int] = field(factory=dict)
    """Bytes of what has not ended, as the service told them."""

    @property
    def is_begun(self) -> bool:
        """Whether anything was counted."""
        return bool(self.planned or self.fetched or self.reasons)

    @property
    def bytes(self) -> int:
        """Bytes that are there, also of files in hand."""
        return self.size + sum(file.bytes for file in self.in_hand.values())

    def note(self, event: ArchiveEvent, now: float) -> None:
        """Count *event*."""
        file = event.recording_id, event.part
        match event.kind:
            case "planned":
                self.planned += 1
                self._told[file] = event.total or 0
                self.expected += event.total or 0
            case "started":
                for part in PARTS:
                    if (before := self.in_hand.get((event.recording_id, part))) is not None:
                        before.is_over = True
                self.in_hand[file] = Here(event.path or "", now, 0, event.total)
            case "progress" if file in self.in_hand:
                self.in_hand[file].bytes, self.in_hand[file].total = event.bytes, event.total
            case "done":
                self._end(file)
                self.fetched += 1
                self.size += event.bytes
                self.expected += event.bytes
            case "skipped" | "failed":
                self.failed += event.kind == "failed"
                noun = "file" if event.part else "selection" if event.recording_id is None else "recording"
                self.reasons[event.kind, noun, _common(event.error or "unknown")] += 1
                for one in [file] if event.part else [key for key in self._told if key[0] == event.recording_id]:
                    self._end(one)

    def _end(self, file: File) -> None:
        self.in_hand.pop(file, None)
        if file in self._told:
            self.ended += 1
            self.expected -= self._told.pop(file)

    def summary(self, seconds: float) -> Iterator[str]:
        """What was fetched, skipped, and failed, a line each."""
        if self.fetched:
            rate = f" ({decimal(round(self.size / seconds))}/s)" if seconds >= 1 else ""
            yield f"Fetched {counted(self.fetched, 'file')}, {decimal(self.size)}, in {span(seconds)}{rate}."
        else:
            yield "Fetched nothing."
        yield from self.told("skipped", "Skipped")
        yield from self.told("failed", "Failed")

    def preview(self) -> Iterator[str]:
        """What would be fetched, and what would not."""
        known = f", {decimal(self.expected)} as far as the service tells sizes" if self.planned else ""
        yield f"Would fetch {counted(self.planned, 'file')}{known}."
        yield from self.told("skipped", "Would skip")
        yield from self.told("failed", "Would fail")

    def told(self, kind: str, verb: str) -> Iterator[str]:
        """What was of that kind, by reason, the most frequent ones first."""
        some = [(count, *key[1:]) for key, count in self.reasons.most_common() if key[0] == kind]
        for count, noun, reason in some[:_REASONS]:
            yield f"{verb} {'a part of the selection' if noun == 'selection' else counted(count, noun)}: {reason}."
        if rest := sum(count for count, *_ in some[_REASONS:]):
            yield f"{verb} {rest:,} more, for other reasons."


def _common(reason: str) -> str:
    """What several have in common: not how long each took."""
    return _SHORTER.get(reason) or re.sub(r"(\d attempts), [\d.]+ s\)$", r"\1)", reason)


def counted(count: int, noun: str) -> str:
    """`1 file`, `2,000 files`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def span(seconds: float) -> str:
    """`4.2s`, `42s`, `3m12s`, `5h07m`."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{seconds:.1f}s" if seconds < 10 else f"{whole}s"  # noqa: PLR2004  tenths tell nothing more
    if whole < _HOUR:
        return f"{whole // _MINUTE}m{whole % _MINUTE:02}s"
    return f"{whole // _HOUR}h{whole % _HOUR // _MINUTE:02}m"
