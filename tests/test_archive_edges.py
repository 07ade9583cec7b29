"""Rare turns of a run: what goes while it is on its way, and what a disk does between two looks."""

import asyncio
import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from tools.archives import (
    FILES,
    MANIFEST,
    MARK,
    TRANSCODE,
    URLS,
    Passing,
    add,
    archiving,
    asked,
    drained,
    errors,
    found,
    held,
    kinds,
    ran,
    ran_at,
    run,
    stem,
    whole,
)

from g2a_async import ConfigError, ForbiddenError
from g2a_async.archive import RecordingArchive, runner
from g2a_async.archive.destinations import DestinationError, FolderDestination, open_destination
from g2a_async.emulator import Emulator


def listing(archive: RecordingArchive, change: Any) -> None:
    """Let *change* have a look at what was listed, and alter it."""
    original = archive._recordings.all_available

    async def listed(**query: Any) -> Any:
        return change(await original(**query))

    archive._recordings.all_available = listed  # type: ignore[method-assign]


@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_list_that_hides_some(g2a_emulator: Emulator, tmp_path: Path, dry_run: bool) -> None:
    """What cannot be found is a failure of the run, and what was found is fetched all the same."""
    add(g2a_emulator, 2)
    async with archiving(g2a_emulator, tmp_path) as archive:
        listing(archive, lambda listed: evolve(listed, truncated=True))
        events = await ran(archive, g2a_emulator, dry_run=dry_run)
    assert errors(events).keys() == {(None, None)}
    assert kinds(events)["planned"] == 6


async def test_a_dry_run_tells_what_is_gone_and_what_is_not_ready(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Between the list and the addresses, one recording went and another one is not ready any more."""
    recordings = add(g2a_emulator, 3)

    def change(listed: Any) -> Any:
        g2a_emulator.state.remove_recording(recordings[0].recording_id)
        recordings[1].ready_at = None
        return listed

    async with archiving(g2a_emulator, tmp_path) as archive:
        listing(archive, change)
        events = await ran(archive, g2a_emulator, dry_run=True)
    assert errors(events).keys() == {(recordings[0].recording_id, None)}
    assert errors(events, "skipped").keys() == {(recordings[1].recording_id, None)}


async def test_a_role_that_is_missing_ends_the_run(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """When the service refuses every address of what it has just listed, it is not the IDs."""
    add(g2a_emulator, 12)
    g2a_emulator.faults.add(URLS, status=403, times=None)
    with pytest.raises(ForbiddenError):
        await ran_at(g2a_emulator, tmp_path)


@pytest.mark.parametrize("call", [TRANSCODE, MARK])
async def test_a_call_that_is_refused_for_all(g2a_emulator: Emulator, tmp_path: Path, call: str) -> None:
    """Neither transcoded nor marked: the run ends with the refusal, and nothing is waited for or noted as marked."""
    recordings = add(g2a_emulator, 12, ready=call == MARK)
    g2a_emulator.faults.add(call, status=403, times=None)
    async with archiving(g2a_emulator, tmp_path, Passing(g2a_emulator), parts=["mp4"]) as archive:
        with pytest.raises(ForbiddenError):
            await ran(archive, g2a_emulator, transcode=True, mark_archived=True)
        g2a_emulator.faults.clear()
        await ran(archive, g2a_emulator, transcode=True, mark_archived=True)
    assert all(one.archived for one in recordings)


async def test_marks_go_in_batches(g2a_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as there are enough, they are marked: what was marked before a failure stays so."""
    monkeypatch.setattr(runner, "MAX_IDS", 4)
    recordings = add(g2a_emulator, 10)
    async with archiving(g2a_emulator, tmp_path, jobs=1) as archive:
        await ran(archive, g2a_emulator, mark_archived=True)
    assert all(one.archived for one in recordings)
    assert asked(g2a_emulator)[MARK] == 3


async def test_what_is_here_need_not_be_ready(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """A recording that is in the archive is not transcoded again, and one that is not is not ready any more."""
    one, other = add(g2a_emulator, 2)
    await ran_at(g2a_emulator, tmp_path)
    one.ready_at = None
    async with archiving(g2a_emulator, tmp_path, Passing(g2a_emulator)) as archive:
        events = await ran(archive, g2a_emulator, transcode=True)
    assert errors(events, "skipped").keys() == {(one.recording_id, None), (other.recording_id, None)}
    assert TRANSCODE not in asked(g2a_emulator)


async def test_a_recording_that_goes_while_it_is_fetched(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Its address ends, the service has no other one: its files fail, each with a reason, and no other's does."""
    recordings = add(g2a_emulator, 3)
    gone = recordings[1].recording_id
    events = []
    async with archiving(g2a_emulator, tmp_path, jobs=1) as archive:
        async for event in run(archive, g2a_emulator):
            events.append(event)
            if (event.kind, event.recording_id) == ("planned", gone):
                g2a_emulator.state.recordings.pop(gone, None)
    assert errors(events).keys() == {(gone, part) for part in ("mp4", "events", "thumbnail")}
    assert all(errors(events).values())
    assert kinds(events)["done"] == 6


@pytest.mark.parametrize("code", [errno.ENOENT, errno.EIO])
async def test_a_file_that_cannot_be_read_back(
    g2a_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """It is not marked, and `verify` tells it as missing or damaged."""
    [recording] = add(g2a_emulator)

    async def sha256(*_: Any) -> str:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(FolderDestination, "sha256", sha256)
    async with archiving(g2a_emulator, tmp_path) as archive:
        events = await ran(archive, g2a_emulator, mark_archived=True)
        report = await archive.verify(deep=True)
    assert not recording.archived
    assert "not marked as archived" in str(errors(events)[recording.recording_id, "mp4"])
    assert (len(report.missing), len(report.damaged)) == ((3, 0) if code == errno.ENOENT else (0, 3))


async def test_sizes_that_cannot_be_looked_at(
    g2a_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the files are fetched, which tells what is wrong, if anything is."""
    recordings = add(g2a_emulator, 2)

    async def sizes(*_: Any) -> list[int | None]:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(FolderDestination, "sizes", sizes)
    await ran_at(g2a_emulator, tmp_path)
    assert held(tmp_path) == whole(recordings)


async def test_two_archivers_mark_once(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """What the other one has fetched meanwhile is skipped, and told so."""
    recordings = add(g2a_emulator, 30)
    async with archiving(g2a_emulator, tmp_path) as one, archiving(g2a_emulator, tmp_path) as other:
        told = await asyncio.gather(
            ran(one, g2a_emulator, mark_archived=True), ran(other, g2a_emulator, mark_archived=True)
        )
    assert all(recording.archived for recording in recordings)
    assert sum(kinds(events).get("done", 0) for events in told) == 90
    assert not [event for events in told for event in events if event.kind == "failed"]


async def test_a_report_of_a_damaged_manifest(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Who only reads moves nothing, and says what the next run does."""
    (tmp_path / MANIFEST).write_bytes(b"no database " * 999)
    async with archiving(g2a_emulator, tmp_path) as archive:
        with pytest.raises(ConfigError, match="the next run puts it aside"):
            await archive.report()
    assert [path.name for path in found(tmp_path)] == [MANIFEST]


async def test_a_retry_of_nothing(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Where nothing is left, nothing is asked for."""
    add(g2a_emulator)
    await ran_at(g2a_emulator, tmp_path)
    g2a_emulator.journal.clear()
    async with archiving(g2a_emulator, tmp_path) as archive:
        assert kinds(await drained(archive.retry_failed())) == {"finished": 1}
    assert len(g2a_emulator.journal) == 0


async def test_a_folder_tells_what_is_left(tmp_path: Path) -> None:
    """Also of a folder that is not there yet; and a file in its place is told."""
    folder = open_destination(tmp_path / "not" / "yet")
    assert (await folder.free() or 0) > 0
    assert await folder.sizes(["x"]) == [None]
    (tmp_path / "file").write_text("x")
    with pytest.raises(DestinationError, match="is a file"):
        await open_destination(tmp_path / "file").open()


async def test_a_hash_of_many_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file is hashed in slices, between which the loop is looked at."""
    monkeypatch.setattr("g2a_async.downloads.files.SLICE", 1000)
    monkeypatch.setattr("g2a_async.downloads.files._READ", 300)
    (tmp_path / "a").write_bytes(bytes(range(256)) * 20)
    folder = open_destination(tmp_path)
    assert await folder.sha256("a") == held(tmp_path)["a"]
    with pytest.raises(FileNotFoundError):
        await folder.sha256("b")


@pytest.mark.parametrize("missing", ["pathvalidate", "obstore"])
def test_the_extra_is_named_when_it_is_missing(missing: str) -> None:
    """One line says what to install; a folder needs no obstore."""
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from g2a_async import ConfigError, G2AClient\n"
        "try:\n"
        "    from g2a_async.archive import RecordingArchive\n"
        "    RecordingArchive(G2AClient('x'), '.')\n"
        "    RecordingArchive(G2AClient('x'), 's3://bucket', manifest='m.db')\n"
        "except (ImportError, ConfigError) as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "pip install 'g2a-async[archive]'" in done.stdout
    assert done.stdout.count("\n") == 1


async def test_a_failed_file_that_came_by_itself(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """What somebody put where a file had failed is taken up, if it is the right one by its size."""
    [recording] = add(g2a_emulator)
    g2a_emulator.faults.add(FILES, status=500, times=2)
    async with archiving(g2a_emulator, tmp_path, parts=["mp4"]) as archive:
        assert errors(await ran(archive, g2a_emulator)).keys() == {(recording.recording_id, "mp4")}
        path = tmp_path / f"{stem(recording)}.mp4"
        async with archiving(g2a_emulator, tmp_path / "other", parts=["mp4"]) as other:
            await ran(other, g2a_emulator)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((tmp_path / "other" / f"{stem(recording)}.mp4").read_bytes())
        g2a_emulator.journal.clear()
        assert kinds(await drained(archive.retry_failed())) == {"planned": 1, "skipped": 1, "finished": 1}
    assert asked(g2a_emulator) == {URLS: 1}
