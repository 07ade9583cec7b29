"""What a run would do: nothing is fetched, and nothing is written."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial

from attrs import evolve

from g2a_async.archive import entries
from g2a_async.archive.entries import Entry, File
from g2a_async.archive.links import Links, Located
from g2a_async.archive.manifest import Manifest
from g2a_async.archive.plans import Wishes, chunks, found, plans
from g2a_async.archive.records import ArchiveEvent
from g2a_async.archive.words import HERE, NOT_READY, REFUSED, TOO_MANY, UNREADABLE
from g2a_async.downloads.sink import Part
from g2a_async.records import AvailableRecordings, RecordingFiles

Tell = Callable[[ArchiveEvent], Awaitable[None]]


async def preview(
    listed: AvailableRecordings, wishes: Wishes, links: Links, manifest: Manifest | None, tell: Tell
) -> None:
    """Tell what a run would do with what was *listed*."""
    planned = 0
    if listed.truncated:
        await tell(ArchiveEvent(kind="failed", error=TOO_MANY))
    for one in listed.ready_for_transcode:
        await tell(ArchiveEvent(kind="skipped", recording_id=one, error=NOT_READY))
    wanted: list[int] = []
    for ids in chunks(listed.ready_for_download):
        known = await _known(manifest, ids)
        left = [one for one in ids if one not in known or not known[one].is_settled(wishes.parts)]
        for one in sorted({*ids} - {*left}):
            await tell(ArchiveEvent(kind="skipped", recording_id=one, error=HERE))
        wanted += left
    for batch in links.batches(wanted):
        known = await _known(manifest, batch)
        located = await links.ask(batch)
        for event in _unplannable(located):
            await tell(event)
        for file in located.files:
            for event in plans(_imagined(file, wishes, known.get(file.recording_id)), wishes.parts):
                planned += event.total or 0 if event.kind == "planned" else 0
                await tell(event)
    await tell(ArchiveEvent(kind="finished", total=planned))


def _unplannable(located: Located) -> Iterator[ArchiveEvent]:
    for one in located.missing:
        yield ArchiveEvent(kind="skipped", recording_id=one, error=NOT_READY)
    for one in located.rejected:
        yield ArchiveEvent(kind="failed", recording_id=one, error=REFUSED)
    for one in located.unreadable:
        yield ArchiveEvent(kind="failed", recording_id=one, error=UNREADABLE)


async def _known(manifest: Manifest | None, ids: Sequence[int]) -> dict[int, Entry]:
    return {} if manifest is None else await manifest.read(partial(entries.find, ids=ids))


def _imagined(files: RecordingFiles, wishes: Wishes, known: Entry | None) -> Entry:
    """What the manifest would know of it."""
    told = found(files, wishes.parts, wishes, known)
    stem = (known.stem if known else None) or told.stem
    entry = known or Entry(files.recording_id)
    imagined: dict[Part, File] = {}
    for part, end in told.paths.items():
        declared = told.declared if part == "mp4" else None
        fresh = File(part, "absent" if end is None else "planned", end and stem + end, declared)
        noted = entry.files.get(part)
        imagined[part] = fresh if noted is None or noted.path is None else noted
    return evolve(entry, files=imagined)
