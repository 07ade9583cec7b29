"""A run: recordings are selected, leased, and given to as many jobs as are wanted."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from attrs import define, field

from g2a_async.archive import entries, words
from g2a_async.archive.entries import MARKED, Entry
from g2a_async.archive.jobs import Job
from g2a_async.archive.links import Located, ServiceError
from g2a_async.archive.means import Means, Tally
from g2a_async.archive.plans import Wishes, chunks, found, plans
from g2a_async.archive.records import ArchiveEvent, Kind, State
from g2a_async.archive.selection import Selection
from g2a_async.archive.turns import Turn
from g2a_async.archive.waiting import Waiting
from g2a_async.downloads.sink import Part
from g2a_async.endpoints import MAX_IDS
from g2a_async.errors import ForbiddenError
from g2a_async.records import RecordingFiles
from g2a_async.services import Recordings

_logger: Final = logging.getLogger("g2a_async")
_SETTLING: Final = 240
"""Recordings that may be on their way to their places and into the manifest, which small ones go many at a time."""
_LEASES: Final = 32
"""Recordings that are leased at once, for each that is being downloaded."""
_FIRST_LOOK: Final = 30.0
_RAREST_LOOK: Final = 300.0
"""Seconds between two looks at what is being transcoded, at first and in the end."""


@define(eq=False)
class Run:
    """One run, from its selection to its end."""

    _means: Means
    _wishes: Wishes
    _recordings: Recordings
    _stop: asyncio.Event
    """Set: it is to end after the files in hand."""
    _tally: Tally = field(factory=Tally)
    _queue: asyncio.Queue[tuple[Entry, Mapping[str, int | None]] | None] = field(init=False)
    """What is leased, and the sizes of what is at the places of its files."""
    _waiting: Waiting = field(factory=Waiting)
    _turns: asyncio.Semaphore = field(init=False)
    _held: list[int] = field(factory=list)
    _marks: list[int] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self._queue = asyncio.Queue(_LEASES * self._wishes.jobs)
        self._turns = asyncio.Semaphore(self._wishes.jobs)

    @property
    def tally(self) -> Tally:
        """What it has fetched so far."""
        return self._tally

    async def of(self, feed: Callable[[], Awaitable[None]]) -> None:
        """Do all that *feed* gives."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._feed(feed))
                for _ in range(self._workers):
                    group.create_task(self._work())
        except BaseExceptionGroup as failures:
            cause = _first(failures)
        else:
            await self._mark()
            return
        raise cause.cause if isinstance(cause, ServiceError) else cause

    async def select(self, selection: Selection) -> None:
        """Feed what the service lists."""
        listed = await self._means.links.patience.ask(lambda: selection.listed(self._recordings))
        if listed.truncated:
            await self._tell("failed", error=words.TOO_MANY)
        waiting = await self._left_to_wait_for(listed.ready_for_transcode)
        if waiting and self._wishes.transcode:
            waiting = await self._transcoding(waiting)
        elif waiting:
            await self._unplannable(waiting, "waiting", "skipped", words.NOT_READY)
            waiting = []
        missing = await self._offer(listed.ready_for_download)
        if self._wishes.transcode:
            waiting += await self._transcoding(missing)
        else:
            await self._unplannable(missing, "waiting", "skipped", words.NOT_READY)
        await self._offer_when_ready(waiting)

    async def retry(self) -> None:
        """Feed what the manifest has that is not settled."""
        states: tuple[State, ...] = ("planned", "failed", "waiting", "missing", "damaged")
        async for ids in entries.pages(self._means.manifest, states, self._wishes.parts):
            missing = await self._offer(ids)
            known = await self._means.manifest.read(partial(entries.find, ids=missing))
            waiting = [one for one in missing if one in known and known[one].is_waiting]
            await self._unplannable(waiting, "waiting", "skipped", words.NOT_READY)
            await self._unplannable([one for one in missing if one not in waiting], "failed", "failed", words.GONE)

    async def _feed(self, feed: Callable[[], Awaitable[None]]) -> None:
        feeding = asyncio.ensure_future(self._feed_all(feed))
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait([feeding, stopping], return_when=asyncio.FIRST_COMPLETED)
            if feeding.done():
                await feeding
        finally:
            for task in (feeding, stopping):
                task.cancel()
            await asyncio.wait([feeding, stopping])
        for _ in range(self._workers):
            await self._queue.put(None)

    async def _feed_all(self, feed: Callable[[], Awaitable[None]]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lease_all())
            await feed()
            self._waiting.close()

    async def _lease_all(self) -> None:
        """Lease what waits, as the jobs have room for it, so that other archivers get their share."""
        while ids := await self._waiting.take(_LEASES * self._wishes.jobs):
            await self._lease(ids)
        held, self._held = self._held, []
        for some in chunks(held):
            await self._lease(some)  # other archivers were at it: it may be done by now, or they are gone
        for number in self._held:
            await self._tell("skipped", number, error=words.HELD)

    @property
    def _workers(self) -> int:
        """As many as download, and those that put at its place and note what has come."""
        return self._wishes.jobs + _SETTLING

    async def _work(self) -> None:
        while True:
            await self._turns.acquire()
            turn = Turn(self._turns)
            try:
                leased = await self._queue.get()
                if leased is None:
                    return
                if not self._stop.is_set():  # its lease ends with the manifest
                    await self._do(turn, *leased)
            finally:
                turn.end()

    async def _do(self, turn: Turn, entry: Entry, sizes: Mapping[str, int | None]) -> None:
        wishes = self._wishes
        job = Job(self._means, self._tally, entry, wishes.parts, wishes.mark_archived or wishes.retry, turn, sizes)
        if await job.run():
            self._marks.append(entry.recording_id)
            if len(self._marks) >= MAX_IDS:
                await self._mark()

    async def _offer(self, ids: Sequence[int]) -> list[int]:
        """Give to the jobs what is left to do of *ids*; those that the service tells no address of."""
        links, missing = self._means.links, list[int]()
        wanted = [one for some in chunks(ids) for one in await self._left(some)]
        for batch in links.batches(wanted):
            await self._waiting.room()
            located = await self._addresses(batch)
            missing += located.missing
            links.keep(located.files)
            await self._unplannable(located.rejected, "failed", "failed", words.REFUSED)
            await self._unplannable(located.unreadable, "failed", "failed", words.UNREADABLE)
            await self._plan(located.files)
        return missing

    async def _left(self, ids: Sequence[int]) -> list[int]:
        """Those of *ids* that something is to be fetched of. What is whole, and only to be marked, goes to the jobs."""
        known = await self._means.manifest.read(partial(entries.find, ids=ids))
        left, to_mark = [], []
        for one in ids:
            entry = known.get(one)
            if entry is None or not entry.is_settled(self._parts_of(entry)):
                left.append(one)
            elif self._wishes.mark_archived and entry.mark != MARKED:
                to_mark.append(one)
            else:
                await self._tell("skipped", one, error=words.HERE)
        if to_mark:
            await self._means.manifest.write(lambda db: entries.wish_marked(db, to_mark))
            for one in to_mark:
                self._waiting.add(one, 0)
        return left

    def _parts_of(self, entry: Entry | None) -> tuple[Part, ...]:
        """Which parts are wanted: a retry is about those that the manifest has."""
        parts = self._wishes.parts
        return tuple(part for part in parts if part in entry.files) if entry and self._wishes.retry else parts

    async def _addresses(self, ids: Sequence[int]) -> Located:
        try:
            return await self._means.links.ask(ids)
        except ForbiddenError:
            if self._wishes.retry:
                return Located(rejected=ids)  # all of them may be gone; what was just listed is not
            raise

    async def _plan(self, files: Sequence[RecordingFiles]) -> None:
        means, wishes = self._means, self._wishes
        known = await means.manifest.read(partial(entries.find, ids=[one.recording_id for one in files]))
        wanted = {one.recording_id: self._parts_of(known.get(one.recording_id)) for one in files}
        founds = [found(one, wanted[one.recording_id], wishes, known.get(one.recording_id)) for one in files]
        work = partial(entries.plan, founds=founds, keys=wishes.keys, mark=wishes.mark_archived)
        planned = await means.manifest.write(work)
        for number, entry in planned.items():
            size = 0
            for event in plans(entry, wanted[number]):
                size += event.total or 0 if event.kind == "planned" else 0
                await means.tell(event)
            self._tally.planned += size
            self._waiting.add(number, size)

    async def _lease(self, ids: Sequence[int]) -> None:
        """Give recordings to the jobs, unless other archivers are at them."""
        means = self._means
        taken = await means.manifest.write(partial(entries.take, manifest=means.manifest, ids=ids))
        ours = [entry for entry in taken.values() if entry.owner == means.manifest.owner]
        self._held += [number for number in taken if taken[number].owner != means.manifest.owner]
        paths = [file.path or "" for entry in ours for file in entry.left(self._wishes.parts)]
        sizes: dict[str, int | None] = {}
        try:
            sizes.update(zip(paths, await means.destination.sizes(paths), strict=True))
        except OSError:
            for path in paths:
                with suppress(OSError):  # fetching this one tells why
                    [sizes[path]] = await means.destination.sizes([path])
        for entry in ours:
            await self._queue.put((entry, sizes))

    async def _left_to_wait_for(self, ids: Sequence[int]) -> list[int]:
        """Those that are not in the archive."""
        left: list[int] = []
        for some in chunks(ids):
            known = await self._means.manifest.read(partial(entries.find, ids=some))
            for one in some:
                if one in known and known[one].is_settled(self._wishes.parts):
                    await self._tell("skipped", one, error=words.HERE)
                else:
                    left.append(one)
        return left

    async def _transcoding(self, ids: Sequence[int]) -> list[int]:
        """Those of *ids* whose transcoding the service takes on."""
        taken_on, refused = await self._means.links.patience.accepted(self._recordings.transcode, ids)
        await self._unplannable(refused, "failed", "failed", words.REFUSED)
        return taken_on

    async def _offer_when_ready(self, waiting: list[int]) -> None:
        """Look now and then which of *waiting* can be downloaded; each look is a request for some hundreds of them."""
        clock, pause = self._means.clock, _FIRST_LOOK
        end = clock.monotonic() + self._wishes.transcode_timeout
        while waiting and (left := end - clock.monotonic()) > 0:
            await clock.sleep(min(pause, left))
            before, waiting = waiting, await self._offer(waiting)
            if len(waiting) < len(before):
                end = clock.monotonic() + self._wishes.transcode_timeout
            pause = min(pause * 1.5, _RAREST_LOOK)
        await self._unplannable(waiting, "waiting", "skipped", words.NOT_YET)

    async def _unplannable(self, ids: Collection[int], state: State, kind: Kind, reason: str) -> None:
        """Note and tell what cannot be fetched now."""
        if ids:
            parts = () if self._wishes.retry else self._wishes.parts
            work = partial(
                entries.unplannable, ids=ids, keys=self._wishes.keys, parts=parts, state=state, reason=reason
            )
            await self._means.manifest.write(work)
            for one in ids:
                await self._tell(kind, one, error=reason)

    async def _mark(self) -> None:
        """Mark as archived what is whole and verified."""
        ids, self._marks = self._marks, []
        if not ids:
            return
        done, refused = await self._means.links.patience.accepted(self._recordings.mark_archived, ids)
        await self._means.manifest.write(lambda db: entries.note_marked(db, done))
        for one in refused:
            await self._tell("failed", one, error=f"{words.REFUSED}: not marked as archived")

    async def _tell(self, kind: Kind, recording_id: int | None = None, *, error: str) -> None:
        await self._means.tell(ArchiveEvent(kind=kind, recording_id=recording_id, error=error))


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """What ended the run."""
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
