"""One recording at a time: its files fetched or taken up, verified, noted, and told of."""

import errno
import logging
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, Final

import msgspec
from attrs import define, evolve, field

from g2a_async.archive.destinations import BesideError, DestinationError
from g2a_async.archive.entries import SETTLED, WANTED, Entry, File, note
from g2a_async.archive.means import Means, Tally
from g2a_async.archive.names import sidecar_of
from g2a_async.archive.records import ArchiveEvent
from g2a_async.archive.taking import taken_up
from g2a_async.archive.turns import LastSink, Turn
from g2a_async.archive.words import UNPROVEN
from g2a_async.downloads.fetch import fetch
from g2a_async.downloads.folder import SMALL
from g2a_async.downloads.sink import Part, Progress, Saved
from g2a_async.errors import DecodeError, StatusError, TransportError
from g2a_async.records.base import wire_time

_logger: Final = logging.getLogger("g2a_async")
_TELLING: Final = 0.5
"""Seconds between two `progress` events of a file."""
_LARGE: Final = 8 << 20
"""Bytes of a file that make it worth a look at what is left of the disk."""
_RESERVE: Final = 64 << 20
"""Bytes that are left free."""
_FILE_TROUBLE: Final = (StatusError, TransportError, DecodeError, OSError)
"""What concerns one file: the others go on."""


@define(eq=False)
class Job:
    """One recording of which this archiver has the lease."""

    _means: Means
    _tally: Tally
    _entry: Entry
    _parts: Collection[Part]
    _may_mark: bool
    _turn: Turn
    _sizes: Mapping[str, int | None]
    """Of what was at the places of its files, as far as it was looked at."""
    _files: dict[Part, File] = field(init=False)
    _is_described: bool = False
    """There is a sidecar that tells what became of its files."""
    _events: list[ArchiveEvent] = field(factory=list)
    """What is told once it is noted."""

    def __attrs_post_init__(self) -> None:
        self._files = dict(self._entry.files)

    async def run(self) -> bool:
        """Do what is left to do. Whether the recording is whole now, and is to be marked as archived."""
        left = self._entry.left(self._parts)
        is_to_mark = self._may_mark and self._entry.mark == WANTED
        done: list[File] = []
        is_noted = False
        if not left and not is_to_mark:
            self._events.append(
                ArchiveEvent(kind="skipped", recording_id=self._entry.recording_id, error="another archiver fetched it")
            )
        try:
            try:
                if left:
                    await self._fetch_all(left, done)
                if not self._is_described and any(file.state == "done" for file in done):
                    await self._write_sidecar(done)
            finally:
                await self._means.notes.do((self._entry.recording_id, done))
                is_noted = True
            is_whole = all(self._files[part].state in SETTLED for part in self._parts if part in self._files)
            return is_whole and is_to_mark and await self._is_verified()
        finally:
            self._means.links.drop(self._entry.recording_id)
            for event in self._events:
                if is_noted or event.kind != "done":
                    await self._means.tell(event)

    async def _fetch_all(self, left: list[File], done: list[File]) -> None:
        for file in left:
            if self._means.is_stopping():
                return
            result = evolve(file, attempts=file.attempts + 1, error=None)
            try:
                result = await self._taken_up(result) or await self._fetch(result, is_last=file is left[-1])
            except DestinationError:
                self._events.append(self._event("failed", file, error="the destination takes nothing more"))
                raise
            except _FILE_TROUBLE as error:
                known = _fetched(result, error.saved) if isinstance(error, BesideError) else result
                result = evolve(known, state="failed", error=_reason(error))
                self._events.append(self._event("failed", result, error=result.error))
                _logger.warning("recording %d, %s: %s", self._entry.recording_id, file.part, result.error)
            done.append(result)
            self._files[file.part] = result

    async def _fetch(self, file: File, *, is_last: bool) -> File:
        means, number, part = self._means, self._entry.recording_id, file.part
        await self._check_room(file)
        await means.tell(self._event("started", file, total=file.declared))
        is_small = part != "mp4" or (file.declared is not None and file.declared <= SMALL)
        beside = partial(self._beside, file) if is_last else None
        sink = means.destination.sink(
            file.path or "", about={"recording-id": str(number)}, is_small=is_small, beside=beside
        )
        saved = await fetch(
            means.pool,
            means.settings,
            means.clock,
            means.links.link(number, part),
            LastSink(sink, self._turn) if is_last else sink,
            kind=part,
            declared=file.declared,
            rate=means.rate,
            progress=self._progress(file),
        )
        self._is_described = is_last
        self._tally.fetched += saved.size
        result = _fetched(file, saved)
        if result.error:
            _logger.warning("recording %d, %s: %s", number, part, result.error)
        self._events.append(self._event("done", file, size=saved.size, total=saved.size, error=result.error))
        return result

    async def _taken_up(self, file: File) -> File | None:
        """The file that is there already, if it is the right one."""
        size = self._sizes.get(file.path or "")
        if size is None:
            return None
        taken = await taken_up(self._means, self._entry, file, size, may_mark=self._may_mark)
        if taken is not None:
            self._events.append(self._event("skipped", taken, size=size, total=size, error="it was there already"))
        return taken

    async def _check_room(self, file: File) -> None:
        if (file.declared or 0) < _LARGE:
            return
        free = await self._means.destination.free()
        if free is None:
            return
        [held] = await self._means.destination.sizes([f"{file.path}.part"])
        needed = (file.declared or 0) - (held or 0)
        if free < needed + _RESERVE:
            raise OSError(errno.ENOSPC, f"there is no room for it: {free} bytes are left, and {needed} are needed")

    def _beside(self, last: File, saved: Saved) -> tuple[str, bytes]:
        """The sidecar, where the last file came as *saved*."""
        return self._sidecar({**self._files, last.part: _fetched(last, saved)})

    def _sidecar(self, files: Mapping[Part, File]) -> tuple[str, bytes]:
        """What is known of the recording, to be put beside its files. Without it they do not count as done."""
        entry = self._entry
        about = {
            **self._means.links.about(entry.recording_id),
            "recordingId": str(entry.recording_id),
            "recordingStartTime": None if entry.started is None else wire_time(entry.started),
            "accountKey": entry.keys.get("account_key"),
            "userKey": entry.keys.get("user_key"),
            "companyId": entry.keys.get("company_id"),
            "files": {part: _told(file) for part, file in files.items() if file.state == "done"},
        }
        known = {name: value for name, value in about.items() if value is not None}
        return sidecar_of(entry.stem or ""), msgspec.json.format(msgspec.json.encode(known), indent=2) + b"\n"

    async def _write_sidecar(self, done: list[File]) -> None:
        path, data = self._sidecar(self._files)
        try:
            await self._means.destination.put(path, data)
        except OSError as error:
            reason = f"{path} could not be written: {_reason(error)}"
            self._events = [event for event in self._events if event.kind == "failed"]
            for index, file in enumerate(done):
                if file.state == "done":
                    done[index] = self._files[file.part] = evolve(file, state="failed", error=reason)
                    self._events.append(self._event("failed", file, error=reason))

    async def _is_verified(self) -> bool:
        """Whether the MP4, read back, is what was noted of it."""
        file = self._files.get("mp4")
        if file is None or file.state != "done":
            return False
        if file.error == UNPROVEN:
            told = f"{UNPROVEN}: not marked as archived. Delete it to have it fetched"
            self._events.append(self._event("skipped", file, error=told))
            return False
        try:
            flaw = None
            if await self._means.destination.sha256(file.path or "") != file.sha256:
                flaw = evolve(file, state="damaged", error="its hash is not what it was")
        except FileNotFoundError:
            flaw = evolve(file, state="missing", error="it is not there any more")
        except OSError as error:
            flaw = evolve(file, state="damaged", error=_reason(error))
        if flaw is not None:
            number = self._entry.recording_id
            await self._means.manifest.write(lambda db: note(db, [(number, [flaw])]))
            self._events.append(self._event("failed", flaw, error=f"{flaw.error}: not marked as archived"))
        return flaw is None

    def _progress(self, file: File) -> Progress:
        clock = self._means.clock
        last = clock.monotonic()

        def told(size: int, total: int | None) -> None:
            nonlocal last
            now = clock.monotonic()
            if now - last >= _TELLING:
                last = now
                self._means.hint(self._event("progress", file, size=size, total=total))

        return told

    def _event(
        self, kind: Any, file: File, *, size: int = 0, total: int | None = None, error: str | None = None
    ) -> ArchiveEvent:
        return ArchiveEvent(
            kind=kind,
            recording_id=self._entry.recording_id,
            part=file.part,
            bytes=size,
            total=total,
            path=file.path,
            error=error,
        )


def _fetched(file: File, saved: Saved) -> File:
    """What is known of it now."""
    odd = None
    if file.declared not in {None, saved.size}:
        odd = f"the service told {file.declared} bytes, and {saved.size} are all that there is"
    return evolve(file, state="done", size=saved.size, sha256=saved.sha256, error=odd)


def _told(file: File) -> Mapping[str, Any]:
    declared = {} if file.declared in {None, file.size} else {"declaredSize": file.declared}
    return {"path": (file.path or "").rpartition("/")[2], "size": file.size, "sha256": file.sha256, **declared}


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and not isinstance(error, TransportError):
        return error.strerror + (f": {str(error.filename).encode(errors='replace').decode()}" if error.filename else "")
    return str(error) or type(error).__name__
