"""An archive of an emulated account, and what became of it."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from g2a_async import G2AClient, RetryPolicy, Settings
from g2a_async.archive import ArchiveEvent, RecordingArchive
from g2a_async.clock import SystemClock
from g2a_async.emulator import Emulator, media
from g2a_async.emulator.rows import Recording

LISTED = "GET /archive/recordings"
URLS = "GET /archive/recordings/urls"
FILES = "GET /files"
TRANSCODE = "POST /archive/recordings/transcode/{recordingIds}"
MARK = "PUT /archive/recordings/archived/{recordingIds}"
MANIFEST = ".g2a-archive.sqlite3"
SINCE = datetime.now(UTC) - timedelta(days=30)
MADE = {".mp4": media.mp4, ".events.json": media.events, ".png": media.thumbnail}


class Passing(SystemClock):
    """Sleeping takes no time, and moves the emulator's clock on."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.slept: list[float] = []

    def now(self) -> datetime:
        """Tell the time of day."""
        return super().now() + timedelta(seconds=sum(self.slept))

    def monotonic(self) -> float:
        """Tell the seconds."""
        return super().monotonic() + sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        """Move on at once."""
        self.slept.append(max(0.0, seconds))
        self.emulator.clock.advance(max(0.0, seconds))
        await asyncio.sleep(0)


def client_of(emulator: Emulator, clock: SystemClock | None = None, **changes: Any) -> G2AClient:
    """A client of it that repeats at once and has no quota."""
    retry = RetryPolicy(attempts=2, base=0.001, cap=0.002)
    settings = Settings(base_url=emulator.url, requests_per_second=None, retry=retry, **changes)
    return G2AClient(emulator.access_token, settings=settings, clock=clock)


@asynccontextmanager
async def archiving(
    emulator: Emulator, place: Path, clock: SystemClock | None = None, **changes: Any
) -> AsyncIterator[RecordingArchive]:
    """An archive of its account."""
    async with client_of(emulator, clock) as client:
        yield RecordingArchive(client, place, **changes)


async def drained(events: AsyncGenerator[ArchiveEvent]) -> list[ArchiveEvent]:
    """All of them."""
    return [event async for event in events]


def run(archive: RecordingArchive, emulator: Emulator, **changes: Any) -> AsyncGenerator[ArchiveEvent]:
    """A run over the account of the last thirty days."""
    return archive.run(**{"since": SINCE, "account_key": emulator.state.account_key, **changes})


async def ran(archive: RecordingArchive, emulator: Emulator, **changes: Any) -> list[ArchiveEvent]:
    """All that a run tells."""
    return [event async for event in run(archive, emulator, **changes)]


async def ran_at(emulator: Emulator, place: Path, **changes: Any) -> list[ArchiveEvent]:
    """All that the run of a fresh archive there tells."""
    async with archiving(emulator, place) as archive:
        return await ran(archive, emulator, **changes)


def add(emulator: Emulator, count: int = 1, **changes: Any) -> list[Recording]:
    """Recordings, a minute apart."""
    start = (datetime.now(UTC) - timedelta(hours=2)).replace(microsecond=0)
    return [
        emulator.state.add_recording(**{"started_at": start - timedelta(minutes=one), **changes})
        for one in range(count)
    ]


def kinds(events: list[ArchiveEvent]) -> dict[str, int]:
    """How many there are of each kind, but for progress, which depends on time."""
    return dict(Counter(event.kind for event in events if event.kind != "progress"))


def errors(events: list[ArchiveEvent], kind: str = "failed") -> dict[tuple[int | None, str | None], str | None]:
    """Why what failed."""
    return {(event.recording_id, event.part): event.error for event in events if event.kind == kind}


def stem(recording: Recording) -> str:
    """Where it is by default."""
    return f"{recording.started_at:%Y/%m/%d}/{recording.recording_id}"


def whole(recordings: list[Recording]) -> dict[str, str]:
    """Hashes of the files that an archive of these has."""
    return {f"{stem(one)}{end}": sha256(make(one)).hexdigest() for one in recordings for end, make in MADE.items()}


def held(place: Path, *, sidecars: bool = False) -> dict[str, str]:
    """Hashes of the files there, but for the manifest's."""
    return {
        path.relative_to(place).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in place.rglob("*")
        if path.is_file() and not path.name.startswith(MANIFEST) and (sidecars or not is_sidecar(path))
    }


async def until(is_so: Callable[[], object]) -> None:
    """Wait for it: files and threads tell nobody."""
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110  as above
            await asyncio.sleep(0.001)


def found(place: Path, pattern: str = "*") -> list[Path]:
    """What is there, by its name's pattern."""
    return sorted(place.rglob(pattern))


def stamps(place: Path) -> list[tuple[Path, int]]:
    """What is there, and when it was last changed."""
    return [(path, path.stat().st_mtime_ns) for path in found(place)]


def is_sidecar(path: Path) -> bool:
    """Whether that is what is known of a recording."""
    return path.suffix == ".json" and not path.name.endswith((".events.json", ".part.json"))


def rows(place: Path, query: str) -> list[tuple[Any, ...]]:
    """What the manifest there has."""
    db = sqlite3.connect(place if place.is_file() else place / MANIFEST)
    try:
        return db.execute(query).fetchall()
    finally:
        db.close()


def asked(emulator: Emulator) -> dict[str, int]:
    """How often what was asked for since the journal was cleared, but for nothing."""
    counts = {key: emulator.journal.count(key) for key in (LISTED, URLS, FILES, TRANSCODE, MARK)}
    return {key: count for key, count in counts.items() if count}
