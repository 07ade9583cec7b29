"""Several archivers on one folder, and what `kill -9` leaves behind. Real processes, real files."""

import asyncio
import os
import random
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import pytest
from tools.archives import FILES, SINCE, add, archiving, held, ran, ran_at, rows, whole
from tools.oauth import Child

from g2a_async import G2AClient, RetryPolicy, Settings
from g2a_async.archive import RecordingArchive
from g2a_async.emulator import Emulator
from g2a_async.emulator.rows import Recording

pytestmark = pytest.mark.system

ROUNDS = 15
IN_HAND = 16
UNFINISHED = (".part", ".part.json", ".part.json.new", ".tmp")


class Account(NamedTuple):
    """What another process must know of an emulator."""

    url: str
    token: str
    key: int


def account_of(emulator: Emulator) -> Account:
    """Take it down."""
    return Account(emulator.url, emulator.access_token, emulator.state.account_key)


def archive_it(account: Account, place: Path, pipe: Connection) -> None:
    """Run an archive of it; tell that it begins, and what it has done."""

    async def work() -> list[tuple[str, int | None, str | None]]:
        retry = RetryPolicy(attempts=2, base=0.001, cap=0.002)
        settings = Settings(base_url=account.url, requests_per_second=None, retry=retry)
        async with G2AClient(account.token, settings=settings) as client:
            archive = RecordingArchive(client, place)
            pipe.send("ready")
            events = archive.run(since=SINCE, account_key=account.key)
            return [(event.kind, event.recording_id, event.part) async for event in events]

    pipe.send(asyncio.run(work()))


def whole_requests(emulator: Emulator) -> dict[str, int]:
    """How often each file was asked for, other than for its first byte or its rest."""
    targets = [entry.target.partition("?")[0] for entry in emulator.journal.of(FILES) if entry.header("Range") is None]
    return dict(Counter(targets))


def test_two_archivers_on_one_folder(tmp_path: Path) -> None:
    """Each recording is fetched once, by one of them; both do some, and both end well."""
    with Emulator() as emulator:
        recordings = add(emulator, 150)
        account = account_of(emulator)
        with Child(archive_it, account, tmp_path) as one, Child(archive_it, account, tmp_path) as other:
            assert (one.hear(), other.hear()) == ("ready", "ready")
            told = [one.hear(60), other.hear(60)]
        done = [{event[1:] for event in events if event[0] == "done"} for events in told]
        assert held(tmp_path) == whole(recordings)
        assert set(whole_requests(emulator).values()) == {1}
        assert len(done[0]) + len(done[1]) == len(done[0] | done[1]) == 450
        assert not [event for events in told for event in events if event[0] == "failed"]
        assert list(tmp_path.glob("*.lock")) == []


def killed_rounds(emulator: Emulator, recordings: list[Recording], place: Path, rounds: int) -> list[str]:
    """What was wrong after each of so many kills, at moments that differ: other bytes, or a file that was replaced."""
    right, wrong = whole(recordings), []
    inodes: dict[str, int] = {}
    for _ in range(rounds):
        with Child(archive_it, account_of(emulator), place) as victim:
            assert victim.hear() == "ready"
            requests = len(emulator.journal) + random.randint(0, 20)
            end = time.monotonic() + 5
            while len(emulator.journal) < requests and time.monotonic() < end:
                time.sleep(0.001)
            time.sleep(random.uniform(0, 0.005))
        there = {path: sha for path, sha in held(place).items() if not path.endswith(UNFINISHED)}
        wrong += [path for path, sha in there.items() if right.get(path) != sha]
        now = {path: (place / path).stat().st_ino for path in there}
        wrong += [path for path, inode in inodes.items() if now.get(path) != inode]
        inodes |= now
    return wrong


def test_kill_9_at_any_moment(tmp_path: Path) -> None:
    """Whenever a process is killed: no file is ever wrong, the next run completes them, nothing is fetched twice."""
    with Emulator() as emulator:
        recordings = add(emulator, 60, padding=60_000)
        wrong = killed_rounds(emulator, recordings, tmp_path, ROUNDS)
        events = asyncio.run(ran_at(emulator, tmp_path))
        again = asyncio.run(ran_at(emulator, tmp_path))

        assert wrong == []
        assert held(tmp_path) == whole(recordings)
        assert not [event for event in events if event.kind == "failed"]
        assert {event.kind for event in again} == {"skipped", "finished"}
        # What a kill interrupts is begun anew where too little of it was there.
        assert sum(whole_requests(emulator).values()) <= 180 + IN_HAND * ROUNDS
        assert rows(tmp_path, "SELECT count(*) FROM recordings WHERE owner IS NOT NULL") == [(0,)]
        for lock in tmp_path.glob("*.lock"):
            os.utime(lock, (0, 0))
        asyncio.run(ran_at(emulator, tmp_path))
        assert [path.name for path in tmp_path.rglob("*") if path.name.endswith((".lock", ".tmp", ".part"))] == []


def test_what_a_killed_archiver_had_taken_is_free_at_once(tmp_path: Path) -> None:
    """Its lease ends with its process; that of one which lives does not."""
    with Emulator() as emulator:
        recordings = add(emulator, 2, padding=200_000)
        stalled = emulator.faults.add(FILES, "stall", times=None, seconds=30, keep=100_000)
        with Child(archive_it, account_of(emulator), tmp_path) as victim:
            assert victim.hear() == "ready"
            end = time.monotonic() + 20
            while stalled.hits < 2 and time.monotonic() < end:
                time.sleep(0.01)
            emulator.faults.clear()
            beside = asyncio.run(ran_at(emulator, tmp_path))
        after = asyncio.run(ran_at(emulator, tmp_path))
        assert {event.error for event in beside if event.kind == "skipped"} == {"another archiver is at it"}
        assert not [event for event in beside if event.kind in {"started", "failed"}]
        assert {event.kind for event in after} == {"planned", "started", "done", "finished"}
        assert held(tmp_path) == whole(recordings)


async def test_two_runs_of_one_process(tmp_path: Path) -> None:
    """Two archives in one event loop, too, share the work without doing any of it twice."""
    with Emulator() as emulator:
        recordings = add(emulator, 60)
        async with archiving(emulator, tmp_path) as one, archiving(emulator, tmp_path) as other:
            told = await asyncio.gather(ran(one, emulator), ran(other, emulator))
        done = [event for events in told for event in events if event.kind == "done"]
        assert held(tmp_path) == whole(recordings)
        assert len(done) == 180
        assert set(whole_requests(emulator).values()) == {1}
