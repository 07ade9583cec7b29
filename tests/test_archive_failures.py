"""What goes wrong in a run: one file's trouble is its own, and what ends everything says so."""

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tools.archives import (
    FILES,
    LISTED,
    MARK,
    TRANSCODE,
    URLS,
    Passing,
    add,
    archiving,
    asked,
    drained,
    errors,
    held,
    kinds,
    ran,
    ran_at,
    rows,
    run,
    stem,
    whole,
)

from g2a_async import ForbiddenError, ServerError, UnauthorizedError
from g2a_async.archive import DestinationError
from g2a_async.archive.destinations import FolderDestination
from g2a_async.archive.records import PARTS
from g2a_async.downloads import files as disk
from g2a_async.downloads.sink import Part
from g2a_async.emulator import Emulator


async def test_one_bad_file_never_stops_the_run(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """It is told as failed with the reason, all others come, and a retry fetches only that one."""
    recordings = add(g2a_emulator, 10)
    g2a_emulator.faults.add(FILES, status=500, times=2)
    async with archiving(g2a_emulator, tmp_path, jobs=1) as archive:
        events = await ran(archive, g2a_emulator)
        report = await archive.report()
        g2a_emulator.journal.clear()
        again = [event async for event in archive.retry_failed()]
        after = await archive.report()

    [(key, reason)] = errors(events).items()
    assert key in {(one.recording_id, "mp4") for one in recordings}
    assert "500" in str(reason)
    assert kinds(events) == {"planned": 30, "started": 30, "done": 29, "failed": 1, "finished": 1}
    assert [(one.recording_id, one.part, one.reason, one.attempts) for one in report.failures] == [(*key, reason, 1)]
    assert report.counts == {"done": 29, "failed": 1}
    assert kinds(again) == {"planned": 1, "started": 1, "done": 1, "finished": 1}
    assert asked(g2a_emulator) == {URLS: 1, FILES: 1}
    assert after.is_whole
    assert held(tmp_path) == whole(recordings)


@pytest.mark.parametrize("when", ["before the run", "after it looked"])
async def test_what_another_downloads_concerns_that_file_alone(
    g2a_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """A file that somebody else is writing at its place is told as failed; all others come, and later it does, too."""
    recordings = add(g2a_emulator, 10)
    path = tmp_path / f"{stem(recordings[3])}.mp4"
    held_by_another: list[int] = []
    look = FolderDestination.sizes

    def take() -> None:
        if not held_by_another:
            path.parent.mkdir(parents=True, exist_ok=True)
            held_by_another.append(disk.open_alone(f"{path}.part"))

    async def sizes(self: FolderDestination, paths: Sequence[str]) -> list[int | None]:
        found = await look(self, paths)
        take()
        return found

    if when == "before the run":
        take()
    monkeypatch.setattr(FolderDestination, "sizes", sizes)
    events = await ran_at(g2a_emulator, tmp_path)
    [(key, reason)] = errors(events).items()
    assert key == (recordings[3].recording_id, "mp4")
    assert "another download is writing this file" in str(reason)
    assert kinds(events) == {"planned": 30, "started": 30, "done": 29, "failed": 1, "finished": 1}
    os.close(held_by_another[0])
    assert kinds(await ran_at(g2a_emulator, tmp_path))["done"] == 1
    assert held(tmp_path) == whole(recordings)


FAULTS: list[dict[str, Any]] = [
    {"kind": "reset", "times": 1},
    {"kind": "truncate", "times": 3},
    {"kind": "html", "status": 200},
    {"kind": "html", "status": 502},
    {"kind": "garbage", "status": 200},
    {"kind": "empty", "status": 200},
    {"status": 401},
    {"status": 403},
    {"status": 404},
    {"status": 410},
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_fault_is_never_a_wrong_file(g2a_emulator: Emulator, tmp_path: Path, fault: dict[str, Any]) -> None:
    """After every fault each file is the source's, or is told as failed; the next run has them all."""
    recordings = add(g2a_emulator, 4, padding=100_000)
    g2a_emulator.faults.add(FILES, **fault)
    events = await ran_at(g2a_emulator, tmp_path)
    right = whole(recordings)
    failed = {event.path for event in events if event.kind == "failed"}

    there = {path: sha for path, sha in held(tmp_path).items() if not path.endswith((".part", ".part.json"))}
    assert there == {path: sha for path, sha in right.items() if path not in failed}
    g2a_emulator.faults.clear()
    await ran_at(g2a_emulator, tmp_path)
    assert held(tmp_path) == right


async def test_links_that_expire_are_resolved_again(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """When all links end in the middle of a run, one request brings new ones for all that is left."""
    recordings = add(g2a_emulator, 40)
    async with archiving(g2a_emulator, tmp_path, jobs=2) as archive:
        started = 0
        async for event in run(archive, g2a_emulator):
            started += event.kind == "started"
            if started == 15:
                started += 1
                g2a_emulator.clock.advance(49 * 3600)
            assert event.kind != "failed"

    assert held(tmp_path) == whole(recordings)
    assert asked(g2a_emulator)[URLS] <= 4
    assert asked(g2a_emulator)[FILES] <= 120 + 6


async def test_ids_that_the_service_refuses(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """A recording that went between the list and the request for addresses fails alone, with the reason."""
    recordings = add(g2a_emulator, 10)
    gone = recordings[3].recording_id
    async with archiving(g2a_emulator, tmp_path) as archive:
        original = archive._recordings.all_available

        async def listed(**query: Any) -> Any:
            found = await original(**query)
            g2a_emulator.state.remove_recording(gone)
            return found

        archive._recordings.all_available = listed  # type: ignore[method-assign]
        events = await ran(archive, g2a_emulator)
        again = [event async for event in archive.retry_failed()]

    assert errors(events).keys() == {(gone, None)}
    assert "refuses" in str(errors(events)[gone, None])
    assert kinds(events)["done"] == 27
    assert rows(tmp_path, "SELECT count(*) FROM parts WHERE state = 'failed' AND attempts = 2") == [(3,)]
    assert errors(again).keys() == {(gone, None)}


async def test_a_retry_of_what_is_all_gone(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Twenty recordings that the service does not know any more fail one by one, and end no retry."""
    recordings = add(g2a_emulator, 20)
    broken = g2a_emulator.faults.add(FILES, status=500, times=None)
    async with archiving(g2a_emulator, tmp_path) as archive:
        await ran(archive, g2a_emulator)
        broken.times = 0
        for recording in recordings:
            g2a_emulator.state.remove_recording(recording.recording_id)
        events = [event async for event in archive.retry_failed()]
    assert kinds(events) == {"failed": 20, "finished": 1}


async def test_a_key_that_is_not_the_accounts(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """What is wrong with the whole selection is raised as the call raises it."""
    with pytest.raises(ForbiddenError):
        await ran_at(g2a_emulator, tmp_path, account_key=1)


async def test_a_token_that_ends_ends_the_run(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Refused credentials fail no recording: the run ends with that error, and the next one has the rest."""
    add(g2a_emulator, 6)
    g2a_emulator.faults.add(FILES, status=403, times=1)
    async with archiving(g2a_emulator, tmp_path, jobs=1) as archive:
        events = run(archive, g2a_emulator)
        assert (await anext(events)).kind == "planned"
        g2a_emulator.state.oauth.access_tokens.clear()
        with pytest.raises(UnauthorizedError):
            await drained(events)
    assert rows(tmp_path, "SELECT count(*) FROM parts WHERE state = 'failed'") == [(0,)]
    assert rows(tmp_path, "SELECT count(*) FROM recordings WHERE owner IS NOT NULL") == [(0,)]


async def test_a_service_that_is_away_for_minutes(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Once it has answered, a run waits for it, up to minutes; a service that never answers is told at once."""
    recordings = add(g2a_emulator, 3)
    clock = Passing(g2a_emulator)
    g2a_emulator.faults.add(URLS, status=503, times=6)
    async with archiving(g2a_emulator, tmp_path, clock) as archive:
        await ran(archive, g2a_emulator)
        assert sum(clock.slept) > 30
        g2a_emulator.faults.add(LISTED, status=503, times=None)
        clock.slept.clear()
        with pytest.raises(ServerError):
            await ran(archive, g2a_emulator)
    assert sum(clock.slept) < 1
    assert held(tmp_path) == whole(recordings)


def failing(code: int, after: int) -> Callable[..., None]:
    """Writes to files fail so after that many."""
    really, left = disk.append, [after]

    def append(*arguments: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(code, os.strerror(code))
        really(*arguments)

    return append


@pytest.mark.parametrize(
    ("code", "told"), [(errno.ENOSPC, "full"), (errno.EDQUOT, "full"), (errno.EROFS, "cannot be written")]
)
async def test_a_disk_that_takes_no_more_ends_the_run(
    g2a_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, told: str
) -> None:
    """Full or read-only: one clear error, no recording counts as failed, and the next run goes on."""
    recordings = add(g2a_emulator, 10)
    with monkeypatch.context() as patch:
        patch.setattr(disk, "append", failing(code, 7))
        with pytest.raises(DestinationError, match=told) as caught:
            await ran_at(g2a_emulator, tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert rows(tmp_path, "SELECT count(*) FROM parts WHERE state = 'failed'") == [(0,)]
    assert rows(tmp_path, "SELECT count(*) FROM recordings WHERE owner IS NOT NULL") == [(0,)]
    assert len(held(tmp_path)) >= 6
    await ran_at(g2a_emulator, tmp_path)
    assert held(tmp_path) == whole(recordings)


async def test_one_place_that_cannot_be_written_is_one_files_trouble(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Where a folder stands in a file's place, that file fails with the reason; the others come."""
    recordings = add(g2a_emulator, 3)
    wrong = f"{stem(recordings[1])}.mp4"
    (tmp_path / wrong).mkdir(parents=True)
    events = await ran_at(g2a_emulator, tmp_path)
    assert errors(events).keys() == {(recordings[1].recording_id, "mp4")}
    assert held(tmp_path) == {path: sha for path, sha in whole(recordings).items() if path != wrong}
    (tmp_path / wrong).rmdir()
    await ran_at(g2a_emulator, tmp_path)
    assert held(tmp_path) == whole(recordings)


async def test_a_sidecar_that_cannot_be_written(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Then the files do not count as done; once it can be written they are taken up, not fetched again."""
    [recording] = add(g2a_emulator)
    wrong = tmp_path / f"{stem(recording)}.json"
    wrong.mkdir(parents=True)
    events = await ran_at(g2a_emulator, tmp_path)
    assert kinds(events) == {"planned": 3, "started": 3, "failed": 3, "finished": 1}
    assert all(".json could not be written" in str(reason) for reason in errors(events).values())
    wrong.rmdir()
    g2a_emulator.journal.clear()
    assert kinds(await ran_at(g2a_emulator, tmp_path)) == {"planned": 3, "skipped": 3, "finished": 1}
    assert FILES not in asked(g2a_emulator)
    assert wrong.is_file()


@pytest.mark.parametrize("parts", [["mp4"], PARTS])
async def test_a_disk_that_is_full_at_a_sidecar(
    g2a_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: list[Part]
) -> None:
    """What is at its place is known by its hash: the next run fetches none of it again, and marks it as archived."""
    [recording] = add(g2a_emulator)
    async with archiving(g2a_emulator, tmp_path, parts=parts) as archive:
        with monkeypatch.context() as patch, suppress(DestinationError):  # which a second one would tell
            patch.setattr(disk, "put", failing(errno.ENOSPC, 0))
            await ran(archive, g2a_emulator)
        assert rows(tmp_path, "SELECT count(*) FROM parts WHERE sha256 IS NOT NULL") == [(len(parts),)]
        g2a_emulator.journal.clear()
        events = await ran(archive, g2a_emulator, mark_archived=True)
    assert kinds(events).keys() <= {"planned", "skipped", "finished"}
    assert FILES not in asked(g2a_emulator)
    assert recording.archived


async def test_a_file_that_does_not_fit_is_told_before(
    g2a_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large recording is not begun when the disk has less left: it fails, says why, and the others go on."""
    recording, _ = add(g2a_emulator, 2)
    recording.declared = 10**12

    async def free(_: FolderDestination) -> int:
        return 10**9

    monkeypatch.setattr(FolderDestination, "free", free)
    events = await ran_at(g2a_emulator, tmp_path)
    reason = "there is no room for it: 1000000000 bytes are left, and 1000000000000 are needed"
    assert errors(events) == {(recording.recording_id, "mp4"): reason}
    assert asked(g2a_emulator)[FILES] == 5


async def test_what_may_not_be_transcoded_fails_alone(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """An ID that the transcoding call refuses is told; the others are transcoded and fetched."""
    recordings = add(g2a_emulator, 4, ready=False)
    gone = recordings[1].recording_id
    clock = Passing(g2a_emulator)
    async with archiving(g2a_emulator, tmp_path, clock) as archive:
        original = archive._recordings.all_available

        async def listed(**query: Any) -> Any:
            found = await original(**query)
            g2a_emulator.state.remove_recording(gone)
            return found

        archive._recordings.all_available = listed  # type: ignore[method-assign]
        events = await ran(archive, g2a_emulator, transcode=True)
    assert errors(events).keys() == {(gone, None)}
    assert kinds(events)["done"] == 9
    assert asked(g2a_emulator)[TRANSCODE] > 1


async def test_what_may_not_be_marked_is_told(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """A recording that the marking call refuses is told; the others are marked."""
    recordings = add(g2a_emulator, 4)
    gone = recordings[1].recording_id
    events = []
    async with archiving(g2a_emulator, tmp_path, jobs=1) as archive:
        async for event in run(archive, g2a_emulator, mark_archived=True):
            events.append(event)
            if event.kind == "started" and event.recording_id == recordings[0].recording_id and event.part == "mp4":
                g2a_emulator.state.recordings.pop(gone, None)
    assert [one.archived for one in recordings if one.recording_id != gone] == [True] * 3
    assert errors(events).keys() == {(gone, None)}
    assert asked(g2a_emulator)[MARK] > 1
