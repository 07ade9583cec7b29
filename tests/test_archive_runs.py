"""Runs of an archive: what they fetch, what they do not, and what they tell."""

import asyncio
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tools.archives import (
    FILES,
    LISTED,
    MARK,
    SINCE,
    TRANSCODE,
    URLS,
    Passing,
    add,
    archiving,
    asked,
    client_of,
    drained,
    errors,
    found,
    held,
    is_sidecar,
    kinds,
    ran,
    ran_at,
    rows,
    run,
    stamps,
    stem,
    until,
    whole,
)

from g2a_async import G2AClient
from g2a_async.archive import RecordingArchive
from g2a_async.emulator import Emulator, media


async def test_every_file_of_every_recording(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """A run fetches all parts, each byte for byte; a second one asks for the list alone and fetches nothing."""
    recordings = add(g2a_emulator, 30)
    first = await ran_at(g2a_emulator, tmp_path)
    counts = asked(g2a_emulator)
    g2a_emulator.journal.clear()
    second = await ran_at(g2a_emulator, tmp_path)

    assert held(tmp_path) == whole(recordings)
    assert kinds(first) == {"planned": 90, "started": 90, "done": 90, "finished": 1}
    assert counts == {LISTED: 1, URLS: 1, FILES: 90}
    assert kinds(second) == {"skipped": 30, "finished": 1}
    assert asked(g2a_emulator) == {LISTED: 1}


async def test_what_is_told_of_a_file(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Each file is planned, started and done, with its place and its size; the end tells the bytes."""
    [recording] = add(g2a_emulator)
    events = await ran_at(g2a_emulator, tmp_path)
    size = media.mp4_size(recording)
    mp4 = [event for event in events if event.part == "mp4"]

    assert [(one.kind, one.bytes, one.total) for one in mp4] == [
        ("planned", 0, size),
        ("started", 0, size),
        ("done", size, size),
    ]
    assert {(one.recording_id, one.path) for one in mp4} == {(recording.recording_id, f"{stem(recording)}.mp4")}
    assert events[-1].to_dict() == {
        "kind": "finished",
        "bytes": sum((tmp_path / path).stat().st_size for path in held(tmp_path)),
        "total": size,
    }


async def test_a_sidecar_tells_what_is_known(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Beside the files lies what is known of the recording: no address, no signature."""
    [recording] = add(g2a_emulator, company_id=9)
    await ran_at(g2a_emulator, tmp_path, company_id=9)
    [sidecar] = filter(is_sidecar, found(tmp_path, "*.json"))
    about = json.loads(sidecar.read_bytes())

    assert about["recordingId"] == str(recording.recording_id)
    assert datetime.fromisoformat(about["recordingStartTime"]) == recording.started_at
    assert (about["accountKey"], about["companyId"]) == (str(g2a_emulator.state.account_key), "9")
    files = whole([recording])
    assert {file["path"]: file["sha256"] for file in about["files"].values()} == {
        Path(path).name: sha256 for path, sha256 in files.items()
    }
    assert "http" not in sidecar.read_text()


async def test_links_are_never_stored(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Neither addresses nor the token are in any file of the archive."""
    add(g2a_emulator, 3)
    g2a_emulator.faults.add(FILES, status=404, times=None)
    await ran_at(g2a_emulator, tmp_path)
    everything = b"".join(path.read_bytes() for path in found(tmp_path) if path.is_file())
    for secret in (b"signature", b"disposition", g2a_emulator.access_token.encode()):
        assert secret not in everything


async def test_no_recordings(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """An account without recordings is an archive without files, and no failure."""
    assert kinds(await ran_at(g2a_emulator, tmp_path)) == {"finished": 1}
    assert held(tmp_path) == {}


async def test_parts_that_a_recording_does_not_have(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """What the service tells no address of is skipped, once, with the reason; without a start there is a place."""
    one, other = add(g2a_emulator, 2)
    one.untold = {"eventsUrl", "recordingStartTime", "recordingSize"}
    other.untold = {"thumbnailUrl"}
    events = await ran_at(g2a_emulator, tmp_path)
    again = await ran_at(g2a_emulator, tmp_path)

    assert kinds(events) == {"planned": 4, "started": 4, "done": 4, "skipped": 2, "finished": 1}
    assert errors(events, "skipped").keys() == {(one.recording_id, "events"), (other.recording_id, "thumbnail")}
    assert (tmp_path / "undated" / f"{one.recording_id}.mp4").read_bytes() == media.mp4(one)
    assert kinds(again) == {"skipped": 2, "finished": 1}


async def test_only_the_parts_that_are_wanted(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """MP4s first; the rest when it is asked for later, without the MP4s again."""
    recordings = add(g2a_emulator, 3)
    async with archiving(g2a_emulator, tmp_path, parts=["mp4"]) as archive:
        await ran(archive, g2a_emulator)
    only = held(tmp_path)
    g2a_emulator.journal.clear()
    await ran_at(g2a_emulator, tmp_path)

    assert len(only) == 3
    assert held(tmp_path) == whole(recordings)
    assert asked(g2a_emulator)[FILES] == 6


async def test_another_template_does_not_download_again(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """What is in the archive keeps its name; what is new gets the new one."""
    old = add(g2a_emulator, 2)
    await ran_at(g2a_emulator, tmp_path)
    [new] = add(g2a_emulator)
    g2a_emulator.journal.clear()
    async with archiving(g2a_emulator, tmp_path, template="by id/{recording_id}") as archive:
        await ran(archive, g2a_emulator)

    assert asked(g2a_emulator)[FILES] == 3
    assert whole(old).items() <= held(tmp_path).items()
    assert (tmp_path / "by id" / f"{new.recording_id}.mp4").exists()


async def test_names_that_would_be_one_are_told_apart(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Two recordings whose template gives one name have two: nothing is overwritten."""
    state = g2a_emulator.state
    for number in (23, 3):
        state.add_recording(recording_id=number, company_id=1 if number == 23 else 12)
    async with archiving(g2a_emulator, tmp_path, template="{company_id}{recording_id}", parts=["mp4"]) as archive:
        for company in (1, 12):
            await ran(archive, g2a_emulator, company_id=company)
    assert {path.name for path in found(tmp_path, "*.mp4")} == {"123.mp4", "123-3.mp4"}


async def test_files_that_are_there_are_taken_up(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Without its manifest, an archive takes up what has the right size, and fetches what has not."""
    recordings = add(g2a_emulator, 3)
    await ran_at(g2a_emulator, tmp_path)
    for path in found(tmp_path, ".g2a-archive*"):
        path.unlink()
    short = tmp_path / f"{stem(recordings[0])}.mp4"
    short.write_bytes(b"an older one")
    g2a_emulator.journal.clear()
    events = await ran_at(g2a_emulator, tmp_path)
    fetched = [one for one in g2a_emulator.journal.of(FILES) if one.header("Range") != "bytes=0-0"]

    assert held(tmp_path) == whole(recordings)
    assert kinds(events) == {"planned": 9, "started": 1, "done": 1, "skipped": 8, "finished": 1}
    assert len(fetched) == 1


async def test_a_size_that_was_told_wrong_is_told(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """The service's own size only warns: the file is whole by what its host says, and both are noted."""
    [recording] = add(g2a_emulator)
    recording.declared = 5
    events = await ran_at(g2a_emulator, tmp_path)
    size = media.mp4_size(recording)

    assert kinds(events) == {"planned": 3, "started": 3, "done": 3, "finished": 1}
    [odd] = [event for event in events if event.kind == "done" and event.error]
    assert odd.error == f"the service told 5 bytes, and {size} are all that there is"
    assert rows(tmp_path, "SELECT declared, size FROM parts WHERE part = 'mp4'") == [(5, size)]


async def test_a_dry_run_writes_nothing(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """It asks for lists and addresses, tells count and bytes, and leaves no trace; also beside an archive."""
    old = add(g2a_emulator, 2)
    place = tmp_path / "archive"
    async with archiving(g2a_emulator, place) as archive:
        dry = await ran(archive, g2a_emulator, dry_run=True)
        assert found(tmp_path) == []
        await ran(archive, g2a_emulator)
        before = stamps(place)
        [new] = add(g2a_emulator)
        add(g2a_emulator, ready=False)
        g2a_emulator.journal.clear()
        again = await ran(archive, g2a_emulator, dry_run=True)

    assert kinds(dry) == {"planned": 6, "finished": 1}
    assert dry[-1].total == sum(map(media.mp4_size, old))
    assert {event.path for event in dry[:-1]} == set(whole(old))
    assert kinds(again) == {"planned": 3, "skipped": 3, "finished": 1}
    assert again[-1].total == media.mp4_size(new)
    assert asked(g2a_emulator) == {LISTED: 1, URLS: 1}
    assert before == stamps(place)


async def test_marked_only_after_verification(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """What is whole and reads back as it came is marked; what failed is not, until a retry has it."""
    recordings = add(g2a_emulator, 3)
    broken = g2a_emulator.faults.add(FILES, status=404, times=9)
    async with archiving(g2a_emulator, tmp_path, jobs=1) as archive:
        await ran(archive, g2a_emulator, mark_archived=True)
        marked = [one.archived for one in recordings]
        broken.times = 0
        await drained(archive.retry_failed())

    assert marked == [True, True, False]  # the oldest comes first
    assert [one.archived for one in recordings] == [True] * 3
    last_file = max(one.number for one in g2a_emulator.journal.of(FILES))
    assert g2a_emulator.journal.of(MARK)[-1].number > last_file


async def test_a_file_that_does_not_read_back_is_not_marked(
    g2a_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that gives back other bytes than were written fails the recording, and it is not marked."""
    [recording] = add(g2a_emulator)
    async with archiving(g2a_emulator, tmp_path) as archive:
        await ran(archive, g2a_emulator)
        path = tmp_path / f"{stem(recording)}.mp4"
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        events = await ran(archive, g2a_emulator, mark_archived=True)
        assert not recording.archived
        assert [event.kind for event in events] == ["failed", "finished"]
        await ran(archive, g2a_emulator, mark_archived=True)
    assert recording.archived
    assert held(tmp_path) == whole([recording])


async def test_what_was_fetched_before_is_marked_without_fetching(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """A later run with the wish reads back and marks; it asks for no address."""
    recordings = add(g2a_emulator, 3)
    await ran_at(g2a_emulator, tmp_path)
    g2a_emulator.journal.clear()
    await ran_at(g2a_emulator, tmp_path, mark_archived=True)

    assert all(one.archived for one in recordings)
    assert asked(g2a_emulator) == {LISTED: 1, MARK: 1}


async def test_not_ready_is_skipped_and_found_later(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """What waits for transcoding is told of, and the next run after it has it."""
    [waiting] = add(g2a_emulator, ready=False)
    events = await ran_at(g2a_emulator, tmp_path)
    states = rows(tmp_path, "SELECT DISTINCT state FROM parts")
    waiting.ready_at = waiting.started_at
    await ran_at(g2a_emulator, tmp_path)

    assert kinds(events) == {"skipped": 1, "finished": 1}
    assert "not ready" in str(errors(events, "skipped")[waiting.recording_id, None])
    assert states == [("waiting",)]
    assert held(tmp_path) == whole([waiting])


async def test_transcoding_is_asked_for_and_waited_for(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """One request asks for all; what is ready is fetched meanwhile; looks are rare; then the rest is fetched."""
    g2a_emulator.state.transcoding = 600.0
    recordings = add(g2a_emulator, 3) + add(g2a_emulator, 5, ready=False)
    clock = Passing(g2a_emulator)
    async with archiving(g2a_emulator, tmp_path, clock) as archive:
        events = await ran(archive, g2a_emulator, transcode=True)

    assert held(tmp_path) == whole(recordings)
    assert kinds(events)["done"] == 24
    assert asked(g2a_emulator)[TRANSCODE] == 1
    assert asked(g2a_emulator)[URLS] <= 10
    assert min(clock.slept) >= 30


async def test_transcoding_that_does_not_end_is_given_up(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """After the time that the caller gives, what is not ready is skipped, and the run ends."""
    g2a_emulator.state.transcoding = 1e9
    [waiting] = add(g2a_emulator, ready=False)
    clock = Passing(g2a_emulator)
    async with archiving(g2a_emulator, tmp_path, clock) as archive:
        events = await ran(archive, g2a_emulator, transcode=True, transcode_timeout=3600)

    assert "still not ready" in str(errors(events, "skipped")[waiting.recording_id, None])
    assert sum(clock.slept) == pytest.approx(3600, rel=0.01)


@pytest.mark.parametrize("how", ["close", "break", "cancel"])
async def test_a_run_that_is_left_early_leaves_nothing_running(
    g2a_emulator: Emulator, tmp_path: Path, how: str
) -> None:
    """Closed, dropped or cancelled in the middle: no task goes on, the lease is free, and the next run completes."""
    recordings = add(g2a_emulator, 20)
    g2a_emulator.faults.add(FILES, "stall", times=1, seconds=30)
    others = asyncio.all_tasks()
    async with archiving(g2a_emulator, tmp_path) as archive:
        events = run(archive, g2a_emulator)
        if how == "cancel":
            task = asyncio.create_task(drained(events))
            await until(lambda: found(tmp_path, "*.mp4"))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            async for event in events:
                if event.kind == "done":
                    break
            if how == "close":
                await events.aclose()
        del events
        await until(lambda: not asyncio.all_tasks() - others)
        assert rows(tmp_path, "SELECT count(*) FROM recordings WHERE owner IS NOT NULL") == [(0,)]
        g2a_emulator.faults.clear()
        g2a_emulator.journal.clear()
        await ran(archive, g2a_emulator)
    assert held(tmp_path) == whole(recordings)
    assert found(tmp_path, "*.lock") == []


async def test_stopping_finishes_the_files_in_hand(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """After `stop` the run ends by itself, with whole files, and a later one has the rest."""
    recordings = add(g2a_emulator, 30)
    async with archiving(g2a_emulator, tmp_path, jobs=2) as archive:
        events = []
        async for event in run(archive, g2a_emulator):
            events.append(event)
            if event.kind == "done":
                archive.stop()
        counts = kinds(events)
        assert events[-1].kind == "finished"
        assert counts["done"] == counts["started"] < 30
        assert found(tmp_path, "*.part") == []
        g2a_emulator.journal.clear()
        await ran(archive, g2a_emulator)
    assert asked(g2a_emulator)[FILES] == 90 - counts["done"]
    assert held(tmp_path) == whole(recordings)


async def test_a_consumer_that_is_slow_is_waited_for(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Events do not pile up without end: the run waits until somebody looks at them."""
    add(g2a_emulator, 600)
    async with archiving(g2a_emulator, tmp_path, parts=["mp4"], jobs=8) as archive:
        events = run(archive, g2a_emulator)
        await anext(events)
        count = -2
        await until(lambda: len(found(tmp_path, "*.mp4")) > 100)
        before = -1
        for _ in range(200):
            before, count = count, len(found(tmp_path, "*.mp4"))
            if before == count:
                break
            await asyncio.sleep(0.05)
        assert before == count < 500
        rest = [event async for event in events]
    assert kinds(rest)["done"] == 600


async def test_nobody_iterates(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """A run that is never iterated asks and writes nothing."""
    async with archiving(g2a_emulator, tmp_path) as archive:
        run(archive, g2a_emulator)
    assert (len(g2a_emulator.journal), found(tmp_path)) == (0, [])


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"since": datetime(2024, 1, 1)}, "since"),  # noqa: DTZ001  that is what is wrong with it
    ({"until": datetime(2024, 1, 1, tzinfo=UTC)}, "since must not be after until"),
    ({"account_key": None}, "account_key, user_key and company_id"),
    ({"session_type": 2}, "session_type"),
    ({"transcode_timeout": -1}, "transcode_timeout"),
]


@pytest.mark.parametrize(("changes", "told"), WRONG)
async def test_arguments_that_cannot_work(
    g2a_client: G2AClient, g2a_emulator: Emulator, tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    """ValueError where `run` is called, before anything is asked or written."""
    archive = RecordingArchive(g2a_client, tmp_path)
    with pytest.raises(ValueError, match=told):
        archive.run(**{"since": SINCE, "account_key": 1, **changes})
    with pytest.raises(ValueError, match="mp4"):
        RecordingArchive(g2a_client, tmp_path, parts=["events"]).run(since=SINCE, account_key=1, mark_archived=True)
    with pytest.raises(ValueError, match="company_id"):
        RecordingArchive(g2a_client, tmp_path, template="{company_id}/{recording_id}").run(since=SINCE, account_key=1)
    assert (len(g2a_emulator.journal), found(tmp_path)) == (0, [])


@pytest.mark.parametrize(
    ("place", "changes", "told"),
    [
        ("", {}, "destination"),
        ("ftp://host/x", {}, "ftp:// is no destination"),
        ("file://host/x", {}, "file:///"),
        ("file:relative", {"parts": []}, "parts"),
        ("x", {"parts": ["mp3"]}, "parts"),
        ("x", {"parts": "mp4"}, "parts"),
        ("x", {"jobs": 0}, "jobs"),
        ("x", {"jobs": True}, "jobs"),
        ("x", {"limit_rate": 0}, "rate"),
        ("x", {"template": "{x}"}, "template"),
        ("s3://bucket/prefix", {}, "give manifest"),
        ("x", {"manifest": "."}, "manifest must be a file"),
    ],
)
def test_an_archive_that_cannot_be(g2a_client: G2AClient, place: str, changes: dict[str, Any], told: str) -> None:
    """ValueError when it is made."""
    with pytest.raises(ValueError, match=told):
        RecordingArchive(g2a_client, place, **changes)


async def test_a_file_address_is_a_folder(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """`file://` names a folder, escapes and all, and what is told of the archive names it."""
    recordings = add(g2a_emulator)
    place = tmp_path / "a b"
    async with client_of(g2a_emulator) as client:
        archive = RecordingArchive(client, place.as_uri())
        await ran(archive, g2a_emulator)
    assert held(place) == whole(recordings)
    assert repr(archive) == f"RecordingArchive({str(place)!r})"


async def test_a_manifest_elsewhere(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """The manifest may be on another disk; then it is bound to its destination, and says so to another one."""
    recordings = add(g2a_emulator)
    place, manifest = tmp_path / "files", tmp_path / "state" / "m.db"
    async with archiving(g2a_emulator, place, manifest=manifest) as archive:
        await ran(archive, g2a_emulator)
    assert held(place, sidecars=True).keys() - whole(recordings).keys() == {f"{stem(recordings[0])}.json"}
    assert rows(manifest, "SELECT destination FROM archive") == [(str(place),)]


async def test_a_limit_is_shared_by_all_jobs(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Four jobs together stay within the bytes a second that were asked for."""
    recordings = add(g2a_emulator, 8, padding=50_000)
    clock = Passing(g2a_emulator)
    async with archiving(g2a_emulator, tmp_path, clock, parts=["mp4"], limit_rate=10_000) as archive:
        events = await ran(archive, g2a_emulator)
    total = sum(map(media.mp4_size, recordings))
    assert sum(clock.slept) >= total / 10_000 * 0.9
    progress = [event for event in events if event.kind == "progress"]
    assert progress
    assert all(0 < event.bytes <= (event.total or 0) for event in progress)


async def test_the_range_is_the_one_asked_for(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Since, until, the session's kind and what is marked select; nothing else is fetched."""
    now = datetime.now(UTC).replace(microsecond=0)
    state = g2a_emulator.state
    state.add_recording(recording_id=1, started_at=now - timedelta(days=3))
    state.add_recording(recording_id=2, started_at=now - timedelta(days=2))
    state.add_recording(recording_id=3, started_at=now - timedelta(days=2), company_id=9)
    state.add_recording(recording_id=4, started_at=now - timedelta(days=2), archived=True)
    state.add_recording(recording_id=5, started_at=now - timedelta(days=1))
    between: dict[str, Any] = {"since": now - timedelta(days=2, hours=1), "until": now - timedelta(days=1, hours=1)}
    queries: list[dict[str, Any]] = [{"session_type": 0}, {"company_id": 9}, {"archived": True}]
    numbers = []
    for number, query in enumerate(queries):
        place = tmp_path / str(number)
        await ran_at(g2a_emulator, place, **between, **query)
        numbers.append([int(path.stem) for path in found(place, "*.mp4")])
        shutil.rmtree(place)
    assert numbers == [[2], [3], [4]]
