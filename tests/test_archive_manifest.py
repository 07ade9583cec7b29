"""The manifest: one writer among several, never torn, never somebody else's."""

import asyncio
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from tools.archives import MANIFEST, add, archiving, found, held, kinds, ran, ran_at, rows, until, whole

from g2a_async import ConfigError
from g2a_async.archive import entries
from g2a_async.archive.entries import File, Found
from g2a_async.archive.manifest import Manifest, transaction
from g2a_async.downloads.files import open_alone
from g2a_async.emulator import Emulator

HERE = "/srv/recordings"


def told(number: int, stem: str | None = None) -> Found:
    """A recording that can be downloaded."""
    return Found(
        recording_id=number, started=None, stem=stem or str(number), paths={"mp4": ".mp4", "events": None}, declared=9
    )


async def planned(manifest: Manifest, *numbers: int) -> dict[int, entries.Entry]:
    """Note them."""
    return await manifest.write(lambda db: entries.plan(db, [told(one) for one in numbers], {}, mark=False))


async def test_what_is_noted_is_found_again(tmp_path: Path) -> None:
    """IDs beyond 63 bits are exact, and states outlive the process."""
    big = 2**64 - 1
    path = tmp_path / "new" / "m.db"
    async with Manifest(path, HERE) as manifest:
        await planned(manifest, 7, big)
        done = File("mp4", "done", "7.mp4", 9, 9, "aa", 1)
        await manifest.write(lambda db: entries.note(db, [(7, [done])]))
    async with Manifest(path, HERE) as manifest:
        known = await manifest.read(lambda db: entries.find(db, [7, big, 8]))

    assert known.keys() == {7, big}
    assert known[7].files["mp4"] == done
    assert known[7].is_settled(["mp4", "events"])
    assert not known[big].is_settled(["mp4"])
    assert found(path.parent) == [path]


async def test_a_lease_is_one_archivers(tmp_path: Path) -> None:
    """What one has taken, another one does not get until it is given back, or its holder has ended."""
    path = tmp_path / MANIFEST
    async with Manifest(path, HERE) as other:
        async with Manifest(path, HERE) as one:
            await planned(one, 1, 2, 3)
            mine = await one.write(lambda db: entries.take(db, one, [1, 2]))
            await one.write(lambda db: entries.give_back(db, one, [2]))
            theirs = await other.write(lambda db: entries.take(db, other, [1, 2, 3]))
        after = await other.write(lambda db: entries.take(db, other, [1]))

    assert {entry.owner for entry in mine.values()} == {one.owner}
    assert {number: entry.owner == other.owner for number, entry in theirs.items()} == {1: False, 2: True, 3: True}
    assert after[1].owner == other.owner


async def test_what_several_write_is_one_transaction(tmp_path: Path) -> None:
    """Writers that come while one is at it share the next transaction; one that fails takes its neighbours along."""
    async with Manifest(tmp_path / MANIFEST, HERE) as manifest:
        await planned(manifest, *range(50))
        commits: list[str] = []
        await manifest.read(lambda db: db.set_trace_callback(commits.append))
        gate = threading.Event()
        first = asyncio.ensure_future(manifest.write(lambda _: gate.wait(5)))
        await until(lambda: commits)
        rest = [asyncio.ensure_future(manifest.write(lambda db: entries.note_marked(db, [1]))) for _ in range(50)]
        await asyncio.sleep(0.01)
        gate.set()
        await asyncio.gather(first, *rest)
        assert commits.count("COMMIT") == 2

        def wrong(_: sqlite3.Connection) -> None:
            raise LookupError

        ends = await asyncio.gather(planned(manifest, 51), manifest.write(wrong), return_exceptions=True)
        assert LookupError in {type(end) for end in ends}
        assert await manifest.read(lambda db: db.in_transaction) is False


async def test_a_cancelled_write_is_over_when_it_returns(tmp_path: Path) -> None:
    """Cancelled while its transaction runs: it waits for its end, and what it wrote is there."""
    async with Manifest(tmp_path / MANIFEST, HERE) as manifest:
        await planned(manifest, 1)
        gate, inside = threading.Event(), threading.Event()

        def work(db: sqlite3.Connection) -> None:
            inside.set()
            gate.wait(5)
            entries.note_marked(db, [1])

        writing = asyncio.ensure_future(manifest.write(work))
        await until(inside.is_set)
        writing.cancel()
        asyncio.get_running_loop().call_later(0.02, gate.set)
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert (await manifest.read(lambda db: entries.find(db, [1])))[1].mark == entries.MARKED


async def test_two_names_that_a_disk_takes_for_one(tmp_path: Path) -> None:
    """Stems that differ in case, or in how an accent is written, are told apart by the ID."""
    async with Manifest(tmp_path / MANIFEST, HERE) as manifest:
        founds = [told(1, "Anna é"), told(2, "ANNA e\u0301"), told(3, "anna É")]
        known = await manifest.write(lambda db: entries.plan(db, founds, {}, mark=False))
    assert [known[number].stem for number in (1, 2, 3)] == ["Anna é", "ANNA e\u0301-2", "anna É-3"]


async def test_many_open_a_new_manifest_at_once(tmp_path: Path) -> None:
    """Ten archivers that make one manifest at the same moment all get it, once."""

    async def one(number: int) -> None:
        async with Manifest(tmp_path / MANIFEST, HERE) as manifest:
            await planned(manifest, number)

    await asyncio.gather(*map(one, range(10)))
    assert rows(tmp_path, "SELECT count(*) FROM parts") == [(20,)]
    assert found(tmp_path) == [tmp_path / MANIFEST]


async def test_a_newer_manifest_is_refused(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """A version that this one does not know is not touched, and the message says what to do."""
    async with Manifest(tmp_path / MANIFEST, str(tmp_path)):
        pass
    db = sqlite3.connect(tmp_path / MANIFEST)
    db.execute("PRAGMA user_version = 2")
    db.close()
    with pytest.raises(ConfigError, match="newer version of g2a-async: upgrade"):
        await ran_at(g2a_emulator, tmp_path)
    assert rows(tmp_path, "PRAGMA user_version") == [(2,)]


@pytest.mark.parametrize("how", ["text", "torn", "empty"])
async def test_a_damaged_manifest_is_put_aside(g2a_emulator: Emulator, tmp_path: Path, how: str) -> None:
    """The message says where it is now; the next run takes up the files, and fetches none of them again."""
    recordings = add(g2a_emulator, 40)
    await ran_at(g2a_emulator, tmp_path)
    path = tmp_path / MANIFEST
    data = path.read_bytes()
    damaged = {"text": b"no database " * 999, "torn": data[:4096] + os.urandom(len(data) - 4096), "empty": b""}[how]
    path.write_bytes(damaged)
    if how != "empty":
        with pytest.raises(ConfigError, match="run again"):
            await ran_at(g2a_emulator, tmp_path)
        [aside] = found(tmp_path, f"{MANIFEST}.corrupt-*")
        assert aside.read_bytes() == damaged
    events = await ran_at(g2a_emulator, tmp_path)
    assert "done" not in kinds(events)
    assert {path: sha for path, sha in held(tmp_path).items() if "corrupt" not in path} == whole(recordings)


async def test_somebody_elses_file_is_left_alone(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """A database or a text that is no manifest of ours is neither changed nor moved."""
    other = tmp_path / "other.db"
    db = sqlite3.connect(other)
    db.execute("CREATE TABLE things (x)")
    db.close()
    text = tmp_path / "notes.txt"
    text.write_text("dear diary " * 999)
    before = other.read_bytes(), text.read_bytes()
    for manifest in (other, text):
        async with archiving(g2a_emulator, tmp_path / "files", manifest=manifest) as archive:
            with pytest.raises(ConfigError, match="no manifest"):
                await ran(archive, g2a_emulator)
            with pytest.raises(ConfigError, match="no manifest"):
                await archive.report()
    assert (other.read_bytes()[100:], text.read_bytes()) == (before[0][100:], before[1])
    assert found(tmp_path, "*corrupt*") == []


async def test_the_manifest_of_another_destination(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """A manifest that is elsewhere belongs to one destination: for another one it would tell that all is done."""
    add(g2a_emulator)
    for place in ("one", "other"):
        async with archiving(g2a_emulator, tmp_path / place, manifest=tmp_path / "m.db") as archive:
            if place == "one":
                await ran(archive, g2a_emulator)
                continue
            with pytest.raises(ConfigError, match="is the manifest of"):
                await ran(archive, g2a_emulator)


async def test_an_archive_that_was_moved_goes_on(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """With its manifest inside, a folder may be renamed: nothing is fetched again, and it is the new folder's."""
    add(g2a_emulator, 3)
    await ran_at(g2a_emulator, tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")
    assert kinds(await ran_at(g2a_emulator, tmp_path / "new")) == {"skipped": 3, "finished": 1}
    async with archiving(g2a_emulator, tmp_path / "old", manifest=tmp_path / "new" / MANIFEST) as archive:
        with pytest.raises(ConfigError, match="is the manifest of"):
            await ran(archive, g2a_emulator)


async def test_the_manifest_inside_another_destination(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Whatever its name: it is the other one's, does not tell that all is done, and is never put aside."""
    add(g2a_emulator)
    await ran_at(g2a_emulator, tmp_path / "one")
    theirs = tmp_path / "one" / MANIFEST
    async with archiving(g2a_emulator, tmp_path / "two", manifest=theirs) as archive:
        with pytest.raises(ConfigError, match="is the manifest of"):
            await ran(archive, g2a_emulator)
        theirs.write_bytes(b"no database " * 999)
        with pytest.raises(ConfigError, match="give another file"):
            await ran(archive, g2a_emulator)
    assert theirs.read_bytes() == b"no database " * 999
    assert found(tmp_path, "*corrupt*") == []


async def test_damage_in_the_middle_of_a_run_ends_it(
    g2a_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What jobs have to note after that is told the same; nobody waits for ever, and the next run goes on."""
    recordings = add(g2a_emulator, 12)
    whole_settle = entries.settle
    settled: list[int] = []

    def settle(*args: Any, **kwargs: Any) -> Any:
        settled.append(1)
        if len(settled) == 1:
            raise sqlite3.DatabaseError("malformed")
        return whole_settle(*args, **kwargs)

    monkeypatch.setattr(entries, "settle", settle)
    async with archiving(g2a_emulator, tmp_path, jobs=2) as archive, asyncio.timeout(20):
        with pytest.raises(ConfigError, match="was put aside as"):
            await ran(archive, g2a_emulator)
    await ran_at(g2a_emulator, tmp_path)
    assert {path: sha for path, sha in held(tmp_path).items() if "corrupt" not in path} == whole(recordings)


async def test_after_damage_everybody_is_told_of_it(tmp_path: Path) -> None:
    """Reads and writes that come later have the same error, with the place of what was put aside."""

    def damaged(_: sqlite3.Connection) -> None:
        raise sqlite3.DatabaseError("malformed")

    async with Manifest(tmp_path / MANIFEST, str(tmp_path)) as manifest, asyncio.timeout(20):
        work = [manifest.write(damaged), manifest.write(lambda _: None), manifest.read(lambda _: None)]
        ends = await asyncio.gather(*work, return_exceptions=True)
        later = await asyncio.gather(planned(manifest, 1), manifest.read(damaged), return_exceptions=True)
    [told] = {str(end) for end in [*ends[:2], *later]}
    assert "put aside as" in told
    assert {type(end) for end in later} == {ConfigError}


async def test_an_archivers_lock_is_closed_before_it_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows removes no file that is open."""
    unlink = Path.unlink
    removed: list[str] = []

    def unlink_closed(path: Path, missing_ok: bool = False) -> None:
        os.close(open_alone(path))  # which fails where it is still locked
        removed.append(path.name)
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink_closed)
    async with Manifest(tmp_path / MANIFEST, str(tmp_path)) as manifest:
        pass
    assert removed == [f"{MANIFEST}.{manifest.owner}.lock"]
    assert found(tmp_path) == [tmp_path / MANIFEST]


async def test_there_is_no_archive(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Without one, there is nothing to verify, to retry or to report, and nothing is made."""
    async with archiving(g2a_emulator, tmp_path / "x") as archive:
        for work in (archive.verify(), archive.report(), anext(archive.retry_failed())):
            with pytest.raises(ConfigError, match="no archive here"):
                await work
    assert found(tmp_path) == []


async def test_a_folder_where_nothing_can_be_made(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """A manifest that cannot be made there is told as that, with its path."""
    (tmp_path / "file").write_text("x")
    for place, told in (("file", "is a file: give a folder"), ("file/x", "cannot be used")):
        with pytest.raises(Exception, match=told) as caught:
            await ran_at(g2a_emulator, tmp_path / place)
        assert str(tmp_path) in str(caught.value)


def begun(db: sqlite3.Connection) -> None:
    """Half of a transaction, and then an error."""
    with transaction(db):
        db.execute("INSERT INTO t VALUES (1)")
        raise LookupError


def test_a_transaction_is_all_or_nothing() -> None:
    """What an error interrupts is taken back."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute("CREATE TABLE t (x)")
    with pytest.raises(LookupError):
        begun(db)
    assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)
    db.close()
