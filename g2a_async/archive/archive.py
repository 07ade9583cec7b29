"""`RecordingArchive`: recordings to a folder or an object store."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Coroutine
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias, get_args

from g2a_async.archive import entries
from g2a_async.archive.channel import Channel
from g2a_async.archive.destinations import Destination, FolderDestination, open_destination
from g2a_async.archive.links import Links, Patience
from g2a_async.archive.manifest import NAME, Manifest
from g2a_async.archive.means import Means
from g2a_async.archive.names import Template
from g2a_async.archive.plans import Wishes
from g2a_async.archive.preview import preview
from g2a_async.archive.records import PARTS, ArchiveEvent, ArchiveFailure, ArchiveReport
from g2a_async.archive.runner import Run
from g2a_async.archive.selection import Selection
from g2a_async.archive.verify import verify
from g2a_async.client import G2AClient
from g2a_async.downloads.rate import RateLimit
from g2a_async.downloads.sink import Part
from g2a_async.pool import Pool
from g2a_async.services.recordings import url_batches

DEFAULT_TEMPLATE: Final = "{started:%Y/%m/%d}/{recording_id}"
_TRANSCODE_TIMEOUT: Final = 6 * 3600.0
_Feed: TypeAlias = Callable[[Run], Coroutine[Any, Any, None]]


class RecordingArchive:
    """Recordings to a folder or an object store, each one whole and once.

    A run may be repeated at any time, also by several archivers at a time, on one destination: what is done is in the
    manifest, an SQLite database beside the recordings or at *manifest*, which has to be on a disk of this machine. A
    run goes on where one that was killed ended, and takes up files that are already there. Names come from *template*
    and stay as they are for what is in the archive. *jobs* recordings are fetched at once, all together with at most
    *limit_rate* bytes a second. An object store needs *manifest*.

    ValueError: an argument that cannot work. ConfigError: the manifest cannot be used.
    """

    def __init__(
        self,
        client: G2AClient,
        destination: str | Path,
        *,
        parts: Collection[Part] = PARTS,
        template: str = DEFAULT_TEMPLATE,
        jobs: int = 4,
        limit_rate: float | None = None,
        manifest: str | Path | None = None,
    ) -> None:
        self._parts = _parts(parts)
        self._template = Template(template)
        if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
            raise ValueError(f"jobs must be a whole number, one or more, not {jobs!r}")
        self._jobs = jobs
        self._wire = client._transport  # noqa: SLF001  its pool, settings and clock: a download is none of its calls
        self._recordings = client.recordings
        self._rate = None if limit_rate is None else RateLimit(limit_rate, self._wire.clock)
        self._destination = open_destination(destination)
        self._path = _manifest_path(self._destination, manifest)
        self._stops: set[asyncio.Event] = set()

    def __repr__(self) -> str:
        return f"RecordingArchive({self._destination.identity!r})"

    def run(
        self,
        *,
        since: datetime,
        until: datetime | None = None,
        account_key: int | str | None = None,
        user_key: int | str | None = None,
        company_id: int | str | None = None,
        session_type: int | None = None,
        archived: bool = False,
        transcode: bool = False,
        transcode_timeout: float = _TRANSCODE_TIMEOUT,
        mark_archived: bool = False,
        dry_run: bool = False,
    ) -> AsyncGenerator[ArchiveEvent]:
        """Fetch every recording that began from *since* to *until* (None: now) and is not in the archive.

        At least one of *account_key*, *user_key* and *company_id*. *session_type*: 0 attended, 1 unattended.
        *archived*: those that are marked as archived, instead of the others. *transcode*: ask for what is not ready,
        and wait for it until nothing has become ready for *transcode_timeout* seconds. *mark_archived*: mark what is
        whole, once its MP4 was read back. *dry_run*: only tell what would be fetched; nothing is written.

        A file that fails is told of, and the run goes on. ValueError: arguments that cannot work, before anything is
        sent. DestinationError: nothing more can be written. Errors of the calls: `recordings.all_available`, `urls`.
        """
        selection = Selection(
            since=since,
            until=until,
            account_key=account_key,
            user_key=user_key,
            company_id=company_id,
            session_type=session_type,
            archived=archived,
        )
        selection.check(self._template)
        if mark_archived and "mp4" not in self._parts:
            raise ValueError("mark_archived needs mp4 among the parts: only what was fetched is marked")
        if not transcode_timeout >= 0:
            raise ValueError("transcode_timeout is in seconds, zero or more")
        wishes = Wishes(
            template=self._template,
            parts=self._parts,
            jobs=self._jobs,
            transcode=transcode,
            transcode_timeout=transcode_timeout,
            mark_archived=mark_archived,
            keys=selection.keys,
        )
        if dry_run:
            channel = Channel()
            return channel.events(lambda: self._preview(channel, wishes, selection))
        return self._events(wishes, lambda run: run.select(selection))

    def retry_failed(self) -> AsyncGenerator[ArchiveEvent]:
        """Fetch what a run or `verify` left as failed, missing, damaged, not ready, or unfinished.

        No list is asked for. What an earlier run was to mark as archived is marked once it is whole, as there.
        ConfigError: there is no archive here.
        """
        wishes = Wishes(template=self._template, parts=self._parts, jobs=self._jobs, retry=True)
        return self._events(wishes, Run.retry)

    def stop(self) -> None:
        """Let runs under way end once the files in hand are done. Call it on their event loop."""
        for stop in self._stops:
            stop.set()

    async def verify(self, *, deep: bool = False) -> ArchiveReport:
        """Hold what the manifest says against the files: that they are there, and how large they are.

        *deep*: their bytes, too, by hash. What is missing or damaged is noted: `retry_failed` or the next run fetches
        it. ConfigError: there is no archive here.
        """
        async with self._opened(must_exist=True) as manifest:
            await verify(self._destination, manifest, deep=deep, jobs=self._jobs)
            return await _report(manifest)

    async def report(self) -> ArchiveReport:
        """What the archive holds, as the manifest says. ConfigError: there is no archive here."""
        async with Manifest(self._path, self._destination.identity, read_only=True) as manifest:
            return await _report(manifest)

    async def _events(self, wishes: Wishes, feed: _Feed) -> AsyncGenerator[ArchiveEvent]:
        channel, stop = Channel(), asyncio.Event()
        self._stops.add(stop)
        try:
            async with aclosing(channel.events(lambda: self._run(channel, stop, wishes, feed))) as events:
                async for event in events:
                    yield event
        finally:
            self._stops.discard(stop)

    async def _run(self, channel: Channel, stop: asyncio.Event, wishes: Wishes, feed: _Feed) -> None:
        wire = self._wire
        # A download holds its connection for as long as it takes: the client's calls have theirs to themselves.
        pool = Pool(wire.pool._http, wire.settings.max_connections)  # noqa: SLF001  over the borrowed session, if any
        async with self._opened(must_exist=wishes.retry) as manifest, aclosing(pool):
            means = Means(
                pool=pool,
                settings=wire.settings,
                clock=wire.clock,
                destination=self._destination,
                manifest=manifest,
                notes=manifest.together(partial(entries.settle, manifest=manifest)),
                links=self._links(),
                rate=self._rate,
                tell=channel.tell,
                hint=channel.hint,
                is_stopping=stop.is_set,
            )
            run = Run(means, wishes, self._recordings, stop)
            await run.of(lambda: feed(run))
        tally = run.tally
        await channel.tell(ArchiveEvent(kind="finished", bytes=tally.fetched, total=tally.planned))

    async def _preview(self, channel: Channel, wishes: Wishes, selection: Selection) -> None:
        links = self._links()
        async with self._reached():
            listed = await links.patience.ask(lambda: selection.listed(self._recordings))
            if not self._path.is_file():
                await preview(listed, wishes, links, None, channel.tell)
                return
            async with Manifest(self._path, self._destination.identity, read_only=True) as manifest:
                await preview(listed, wishes, links, manifest, channel.tell)

    def _links(self) -> Links:
        return Links(self._recordings, Patience(self._wire.clock), partial(url_batches, self._wire))

    @asynccontextmanager
    async def _opened(self, *, must_exist: bool) -> AsyncIterator[Manifest]:
        path, identity = self._path, self._destination.identity
        async with self._reached(), Manifest(path, identity, must_exist=must_exist) as manifest:
            yield manifest

    @asynccontextmanager
    async def _reached(self) -> AsyncIterator[None]:
        await self._destination.open()
        try:
            yield
        finally:
            await self._destination.close()


async def _report(manifest: Manifest) -> ArchiveReport:
    totals = await manifest.read(entries.totals)
    kinds: dict[str, list[ArchiveFailure]] = {"failed": [], "missing": [], "damaged": []}
    for number, part, state, path, error, attempts in await manifest.read(entries.troubled):
        kinds[state].append(
            ArchiveFailure(recording_id=int(number), part=part, path=path, reason=error or "unknown", attempts=attempts)
        )
    return ArchiveReport(
        counts={state: count for state, count, _ in totals},
        bytes={state: size for state, _, size in totals},
        failures=tuple(kinds["failed"]),
        missing=tuple(kinds["missing"]),
        damaged=tuple(kinds["damaged"]),
    )


def _parts(parts: Collection[Any]) -> tuple[Part, ...]:
    unknown = [part for part in parts if part not in PARTS] if not isinstance(parts, str) else [parts]
    if unknown or not parts:
        raise ValueError(f"parts must be some of {', '.join(get_args(Part))}, not {parts!r}")
    return tuple(part for part in PARTS if part in parts)


def _manifest_path(destination: Destination, manifest: str | Path | None) -> Path:
    if manifest is not None:
        path = Path(manifest).expanduser().absolute()
        if path.is_dir():
            raise ValueError(f"manifest must be a file, and {path} is a folder")
        return path
    if isinstance(destination, FolderDestination):
        return destination.root / NAME
    raise ValueError(f"{destination.identity} is no folder: give manifest, a file on this machine's disk")
