"""What a run is to do, and what it plans for each recording."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from attrs import field, frozen

from g2a_async.archive.entries import Entry, Found
from g2a_async.archive.names import Template, path_of
from g2a_async.archive.records import ArchiveEvent
from g2a_async.downloads.sink import Part
from g2a_async.endpoints import MAX_IDS
from g2a_async.records import RecordingFiles

_MOST: Final = 1 << 62
"""Bytes that no file has: who tells more is wrong."""


@frozen(kw_only=True)
class Wishes:
    """What a run is to do."""

    template: Template
    parts: tuple[Part, ...]
    jobs: int
    transcode: bool = False
    transcode_timeout: float = 0.0
    mark_archived: bool = False
    retry: bool = False
    keys: Mapping[str, str | None] = field(factory=dict)


def found(files: RecordingFiles, parts: Collection[Part], wishes: Wishes, entry: Entry | None) -> Found:
    """What the service tells of a recording, and how its files are to be called."""
    keys = entry.keys if entry is not None and any(entry.keys.values()) else wishes.keys
    start = files.recording_start_time
    urls: Mapping[Part, str | None] = {
        "mp4": files.recording_url,
        "events": files.events_url,
        "thumbnail": files.thumbnail_url,
    }
    return Found(
        recording_id=files.recording_id,
        started=start,
        stem=wishes.template.stem(files.recording_id, start, keys),
        paths={part: path_of("", part, urls[part] or "") if urls[part] else None for part in parts},
        declared=files.recording_size if (files.recording_size or 0) < _MOST else None,
    )


def plans(entry: Entry, parts: Collection[Part]) -> Iterator[ArchiveEvent]:
    """What will be done of a recording."""
    for part in parts:
        file = entry.files[part]
        if file.state == "absent":
            yield ArchiveEvent(
                kind="skipped", recording_id=entry.recording_id, part=part, error="the recording has no such file"
            )
        elif file.state != "done":
            yield ArchiveEvent(
                kind="planned", recording_id=entry.recording_id, part=part, total=file.declared, path=file.path
            )


def chunks(ids: Sequence[int], size: int = MAX_IDS) -> Iterator[Sequence[int]]:
    """*ids* in runs of *size*."""
    return (ids[start : start + size] for start in range(0, len(ids), size))
