"""An archive in an object store, from an emulated service to moto's S3 server: all of it over HTTP."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tools.s3 import S3, Asked

from g2a_async import G2AClient
from g2a_async.archive import ArchiveEvent, DestinationError, RecordingArchive
from g2a_async.emulator import Emulator
from g2a_async.emulator.media import mp4

pytestmark = pytest.mark.system

NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)
LARGE = 20 << 20


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """A store, and an environment that leads to it."""
    with S3() as s3:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        yield s3


@pytest.fixture
def archive(g2a_emulator: Emulator, g2a_client: G2AClient, s3: S3, tmp_path: Path) -> RecordingArchive:
    """Of an account with three recordings, one of which is large."""
    for number, padding in ((1, None), (2, LARGE), (3, None)):
        g2a_emulator.state.add_recording(recording_id=number, started_at=NOON, padding=padding)
    return RecordingArchive(g2a_client, "s3://recordings/archive/", manifest=tmp_path / "manifest.sqlite3", jobs=2)


@pytest.fixture
def large(g2a_emulator: Emulator, g2a_client: G2AClient, s3: S3, tmp_path: Path) -> RecordingArchive:
    """Of an account with one large recording, and of its MP4 alone."""
    g2a_emulator.state.add_recording(recording_id=2, started_at=NOON, padding=LARGE)
    return RecordingArchive(
        g2a_client, "s3://recordings/archive", manifest=tmp_path / "manifest.sqlite3", parts=["mp4"]
    )


async def take(archive: RecordingArchive, emulator: Emulator) -> list[ArchiveEvent]:
    """A run."""
    run = archive.run(since=NOON - timedelta(1), account_key=emulator.state.account_key)
    return [event async for event in run if event.kind not in {"planned", "started", "progress"}]


async def test_everything_arrives_once(archive: RecordingArchive, g2a_emulator: Emulator, s3: S3) -> None:
    """All files and what is known of them are in the bucket, are verified, and are not written by a second run."""
    events = await take(archive, g2a_emulator)
    assert sorted(event.kind for event in events) == ["done"] * 9 + ["finished"]
    for number, recording in g2a_emulator.state.recordings.items():
        content, kind, told = s3.get(f"archive/2024/05/06/{number}.mp4")
        assert content == mp4(recording)
        assert (kind, told["recordingid"]) == ("video/mp4", str(number))
        sidecar = json.loads(s3.get(f"archive/2024/05/06/{number}.json")[0])
        assert sidecar["files"]["mp4"]["size"] == len(content)
    assert len(s3.objects()) == 12
    report = await archive.verify(deep=True)
    assert (report.is_whole, report.counts) == (True, {"done": 9})

    s3.requests.clear()
    events = await take(archive, g2a_emulator)
    assert [event.kind for event in events] == ["skipped"] * 3 + ["finished"]
    assert {one.method for one in s3.requests} <= {"GET", "HEAD"}


async def test_a_download_that_breaks_off_goes_on(large: RecordingArchive, g2a_emulator: Emulator, s3: S3) -> None:
    """Within a run, the same upload goes on where the download broke off: no part is sent twice."""
    fault = g2a_emulator.faults.add("GET /files", "truncate", keep=12 << 20)
    events = await take(large, g2a_emulator)
    assert fault.hits == 1
    assert [event.kind for event in events] == ["done", "finished"]
    assert s3.get("archive/2024/05/06/2.mp4")[0] == mp4(g2a_emulator.state.recordings[2])
    assert [one.part for one in s3.requests if one.part] == [1, 2, 3]


async def test_what_is_not_there_any_more_is_fetched_again(
    archive: RecordingArchive, g2a_emulator: Emulator, s3: S3
) -> None:
    """Verification finds an object that is gone and one that is another, and the next run mends both."""
    await take(archive, g2a_emulator)
    s3.put("archive/2024/05/06/1.mp4", b"x" * s3.objects()["archive/2024/05/06/1.mp4"])
    s3.remove("archive/2024/05/06/2.mp4")
    report = await archive.verify(deep=True)
    assert [one.recording_id for one in report.missing] == [2]
    assert [one.recording_id for one in report.damaged] == [1]
    await take(archive, g2a_emulator)
    assert (await archive.verify(deep=True)).is_whole


async def test_an_early_end_leaves_nothing(large: RecordingArchive, g2a_emulator: Emulator, s3: S3) -> None:
    """Who stops iterating while an object is on its way finds neither a part of it nor an open upload."""
    loop, sent = asyncio.get_running_loop(), asyncio.Event()

    def seen(asked: Asked) -> None:
        if asked.part == 1:
            loop.call_soon_threadsafe(sent.set)

    s3.refuse = seen
    g2a_emulator.faults.add("GET /files", "stall", keep=12 << 20)
    run = large.run(since=NOON - timedelta(1), account_key=g2a_emulator.state.account_key)
    async for event in run:
        if event.kind == "started":
            break
    await sent.wait()
    await run.aclose()
    assert (s3.objects(), s3.open_uploads()) == ({}, [])


async def test_no_permission_ends_the_run(archive: RecordingArchive, g2a_emulator: Emulator, s3: S3) -> None:
    """A store that refuses to be written to ends the run, and says what is missing."""
    s3.refuse = lambda asked: ("403 Forbidden", b"AccessDenied") if asked.method in {"PUT", "POST"} else None
    with pytest.raises(DestinationError, match=r"cannot write there \(403 AccessDenied\)"):
        await take(archive, g2a_emulator)
    assert (s3.objects(), s3.open_uploads()) == ({}, [])


def test_a_manifest_must_be_named(g2a_client: G2AClient) -> None:
    """A database cannot be kept in a bucket."""
    with pytest.raises(ValueError, match="s3://recordings/a is no folder: give manifest"):
        RecordingArchive(g2a_client, "s3://recordings/a")


def test_without_the_extra() -> None:
    """Without obstore, one line says what to install."""
    code = (
        "import sys; sys.modules['obstore'] = None\n"
        "from g2a_async.archive.destinations import open_destination\n"
        "try:\n    open_destination('s3://recordings')\nexcept Exception as error:\n    print(repr(error))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == """ConfigError("s3:// needs the extra: pip install 'g2a-async[archive]'")\n"""
