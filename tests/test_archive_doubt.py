"""What an archive does not take on trust: files that were there before, and a service that tells odd things."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from tools.archives import (
    FILES,
    LISTED,
    MANIFEST,
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
    rows,
    stem,
    whole,
)

from g2a_async import ConfigError, DecodeError, RecordingFiles
from g2a_async.archive import RecordingArchive, words
from g2a_async.archive.destinations import FolderDestination
from g2a_async.downloads import size
from g2a_async.downloads.kinds import flaw_of_whole
from g2a_async.emulator import Emulator, media


def forget(place: Path) -> None:
    """Lose the manifest."""
    for path in place.glob(f"{MANIFEST}*"):
        path.unlink()


def telling(archive: RecordingArchive, change: Callable[[RecordingFiles], RecordingFiles]) -> None:
    """Let *change* have a look at what is told of each recording, and alter it."""
    original = archive._recordings.urls

    def urls(ids: Sequence[int]) -> Any:
        made = original(ids)
        collect = made.collect

        async def collected() -> list[RecordingFiles]:
            return [change(one) for one in await collect()]

        made.collect = collected  # type: ignore[method-assign]
        return made

    archive._recordings.urls = urls  # type: ignore[method-assign, assignment]


async def test_a_file_of_the_right_size_alone_is_fetched(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Bytes that no MP4 and no picture begin with are not taken up, however many they are."""
    recordings = add(g2a_emulator)
    await ran_at(g2a_emulator, tmp_path)
    for path in [*found(tmp_path, "*.mp4"), *found(tmp_path, "*.png"), *found(tmp_path, "*.events.json")]:
        path.write_bytes(bytes(path.stat().st_size))
    for path in found(tmp_path, f"{recordings[0].recording_id}.json"):
        path.unlink()
    forget(tmp_path)
    events = await ran_at(g2a_emulator, tmp_path)
    assert kinds(events)["done"] == 3
    assert held(tmp_path) == whole(recordings)


async def test_the_hash_beside_a_file_counts(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Without the manifest, the sidecar still tells a file from one that was damaged since."""
    damaged, fine = recordings = add(g2a_emulator, 2)
    await ran_at(g2a_emulator, tmp_path)
    forget(tmp_path)
    path = tmp_path / f"{stem(damaged)}.mp4"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    g2a_emulator.journal.clear()
    events = await ran_at(g2a_emulator, tmp_path, mark_archived=True)
    assert asked(g2a_emulator)[FILES] == 1
    assert held(tmp_path) == whole(recordings)
    assert [event.recording_id for event in events if event.kind == "done"] == [damaged.recording_id]
    assert (damaged.archived, fine.archived) == (True, True)


async def test_what_is_marked_was_fetched_or_is_known(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """A file of which no hash is known is fetched before it is marked as archived, or not marked."""
    [recording] = recordings = add(g2a_emulator)
    path = tmp_path / f"{stem(recording)}.mp4"
    await ran_at(g2a_emulator, tmp_path)
    good = path.read_bytes()
    for other in found(tmp_path, "*"):
        if other.is_file():
            other.unlink()
    path.write_bytes(good[:-1] + b"x")  # as large, an MP4, and another one
    await ran_at(g2a_emulator, tmp_path)
    assert rows(tmp_path, "SELECT state, error FROM parts WHERE part = 'mp4'") == [("done", words.UNPROVEN)]
    events = await ran_at(g2a_emulator, tmp_path, mark_archived=True)
    assert not recording.archived
    assert "not marked as archived" in str(errors(events, "skipped"))
    forget(tmp_path)
    found(tmp_path, f"{recording.recording_id}.json")[0].unlink()
    await ran_at(g2a_emulator, tmp_path, mark_archived=True)
    assert recording.archived
    assert held(tmp_path) == whole(recordings)


async def test_an_odd_answer_about_one_is_that_ones(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """What cannot be read of one recording fails that one, and the others are fetched."""
    recordings = add(g2a_emulator, 9)
    odd = recordings[4].recording_id

    def change(files: RecordingFiles) -> RecordingFiles:
        if files.recording_id == odd:
            raise DecodeError("$[4].recordingSize", "a whole number", "recordings.urls")
        return files

    async with archiving(g2a_emulator, tmp_path) as archive:
        telling(archive, change)
        events = await ran(archive, g2a_emulator)
    assert errors(events) == {(odd, None): words.UNREADABLE}
    assert held(tmp_path) == whole([one for one in recordings if one.recording_id != odd])
    assert asked(g2a_emulator)[URLS] <= 9


async def test_garbage_for_ever_ends_a_run(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Answers that are about no recordings at all are waited out once, and then the run fails."""
    add(g2a_emulator, 40)
    g2a_emulator.faults.add(URLS, "html", status=200, times=None)
    clock = Passing(g2a_emulator)
    async with archiving(g2a_emulator, tmp_path, clock) as archive:
        with pytest.raises(DecodeError):
            await ran(archive, g2a_emulator)
    assert asked(g2a_emulator)[URLS] <= 6
    assert sum(clock.slept) < 600


async def test_garbage_in_between_is_waited_out(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """A proxy's page in place of addresses is asked again, as any other trouble of a service that has answered."""
    recordings = add(g2a_emulator, 3)
    g2a_emulator.faults.add(URLS, "html", status=200)
    async with archiving(g2a_emulator, tmp_path, Passing(g2a_emulator)) as archive:
        await ran(archive, g2a_emulator)
    assert held(tmp_path) == whole(recordings)


@pytest.mark.parametrize("size", [10**14, 1 << 63, 1 << 70])
async def test_a_size_that_cannot_be_holds_up_nobody(g2a_emulator: Emulator, tmp_path: Path, size: int) -> None:
    """One recording that is told larger than the disk, or than any file, leaves room for the others."""
    recordings = add(g2a_emulator, 3)
    recordings[1].declared = size
    events = await ran_at(g2a_emulator, tmp_path)
    failed = errors(events)
    assert held(tmp_path).keys() >= whole([recordings[0], recordings[2]]).keys()
    assert set(failed) <= {(recordings[1].recording_id, "mp4")}
    assert all("no room" in str(reason) for reason in failed.values())


async def test_what_is_held_already_needs_no_room(
    g2a_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of which most is there goes on where the rest of it fits."""
    recordings = add(g2a_emulator, padding=20_000_000)
    fault = g2a_emulator.faults.add(FILES, "truncate", times=None, keep=15_000_000)
    await ran_at(g2a_emulator, tmp_path)
    fault.times = 0

    async def free(_: FolderDestination) -> int:
        return (64 << 20) + 10_000_000

    monkeypatch.setattr(FolderDestination, "free", free)
    async with archiving(g2a_emulator, tmp_path) as archive:
        await drained(archive.retry_failed())
    assert held(tmp_path) == whole(recordings)


async def test_without_an_mp4_it_is_not_ready(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """An empty address is one that is still to come: the recording waits, and is found by a later run or a retry."""
    recordings = add(g2a_emulator, 2)
    async with archiving(g2a_emulator, tmp_path) as archive:
        telling(archive, lambda files: evolve(files, recording_url=""))
        assert kinds(await ran(archive, g2a_emulator)) == {"skipped": 2, "finished": 1}
        events = await drained(archive.retry_failed())
    assert {event.kind for event in events} == {"skipped", "finished"}
    await ran_at(g2a_emulator, tmp_path)
    assert held(tmp_path) == whole(recordings)


async def test_a_dry_run_knows_sizes_that_came_later(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """What was not ready at an earlier run counts with its size once it is."""
    [recording] = add(g2a_emulator)
    async with archiving(g2a_emulator, tmp_path) as archive:
        telling(archive, lambda files: evolve(files, recording_url=""))
        await ran(archive, g2a_emulator)
    events = await ran_at(g2a_emulator, tmp_path, dry_run=True)
    planned = {event.part: (event.total, event.path) for event in events if event.kind == "planned"}
    assert planned["mp4"] == (media.mp4_size(recording), f"{stem(recording)}.mp4")
    assert events[-1].total == media.mp4_size(recording)


async def test_a_size_is_asked_for_again(
    g2a_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that fails once when asked how large a file is does not make it come twice."""
    monkeypatch.setattr(size, "_WAITS", (0, 0, None))
    add(g2a_emulator, started_at=datetime.now(UTC) - timedelta(days=1))
    await ran_at(g2a_emulator, tmp_path)
    forget(tmp_path)
    for path in found(tmp_path, "*.json"):
        if not path.name.endswith(".events.json"):
            path.unlink()
    g2a_emulator.journal.clear()
    g2a_emulator.faults.add(FILES, status=500)
    g2a_emulator.faults.add(FILES, status=403)
    events = await ran_at(g2a_emulator, tmp_path)
    assert "done" not in kinds(events)
    assert asked(g2a_emulator).keys() == {LISTED, URLS, FILES}


async def test_a_sidecar_has_what_else_is_told(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Attributes that this version does not know are kept, but for addresses and secrets."""
    [recording] = add(g2a_emulator)
    secret = {"playToken": "abc", "signature": "abc", "name": "r/1.mp4?X-Amz-Signature=abc", "share": "https://x/y"}
    extra = {"technicianName": "Ada Müller", "seconds": 7, "list": [1], **secret}
    async with archiving(g2a_emulator, tmp_path) as archive:
        telling(archive, lambda files: evolve(files, extra=extra))
        await ran(archive, g2a_emulator)
    told = json.loads((tmp_path / f"{stem(recording)}.json").read_bytes())
    assert (told["technicianName"], told["seconds"]) == ("Ada Müller", 7)
    assert not {"list", *secret} & told.keys()


async def test_a_foreign_database_is_not_touched(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """A manifest that is somebody else's database is refused, and stays as it was."""
    place = tmp_path / "theirs.sqlite3"
    place.touch()
    rows(place, "CREATE TABLE theirs (a)")
    before = place.read_bytes()
    async with archiving(g2a_emulator, tmp_path / "recordings", manifest=place) as archive:
        with pytest.raises(ConfigError, match="no manifest"):
            await ran(archive, g2a_emulator)
    assert place.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [
        b'{"message": "Forbidden"}',
        b'{"errors": [{"detail": "no"}]}',
        b"<!-- a comment --> <html>no</html>",
        b'{"Code": 1}',
    ],
)
def test_events_that_are_an_error(content: bytes) -> None:
    """An object of nothing but an error's words, and a page behind a comment, are no events."""
    assert flaw_of_whole("events", "", content) is not None


@pytest.mark.parametrize("content", [b"[]", b"{}", b'{"events": [], "status": "ok"}', b"at 7: hello"])
def test_events_of_any_form(content: bytes) -> None:
    """What could be events is taken for them."""
    assert flaw_of_whole("events", "", content) is None
