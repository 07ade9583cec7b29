"""A file's way to its place in a folder: what is kept, what counts after a crash, what a full disk does."""

import asyncio
import errno
import hashlib
import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tools.host import Links, Version, film, get, left, starts
from tools.peer import Peer

from g2a_async import TransportError
from g2a_async.downloads import files, folder
from g2a_async.downloads.folder import FileSink
from g2a_async.downloads.pipeline import Pipeline
from g2a_async.downloads.sink import Saved, Validators
from g2a_async.file_store import sync_folder, try_lock
from g2a_async.threads import to_the_end

FILM = film(3_000_000)
V1 = Version(FILM)
TOLD = Validators('"v1"', None, len(FILM))


async def partly(path: Path, size: int, told: Validators = TOLD) -> FileSink:
    """A sink that holds so much of the film, and is as a killed process leaves it but for its lock."""
    sink = FileSink(path)
    await sink.open()
    await sink.restart(told)
    await sink.write([FILM[:size]])
    sink._close()
    return sink


async def opened(path: Path) -> FileSink:
    """Another one, which looks at what is there."""
    sink = FileSink(path)
    await sink.open()
    return sink


async def held(path: Path) -> int:
    """How much of what is there counts."""
    sink = await opened(path)
    sink._close()
    return sink.held


@pytest.mark.parametrize("size", [12, 50_000])
async def test_a_small_file_takes_two_turns_of_a_thread(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One to look at what is there, one for all the rest; and no notes are written."""
    turns: list[str] = []

    async def counted(work: Any) -> Any:
        turns.append(repr(work))
        return await to_the_end(work)

    monkeypatch.setattr(folder, "to_the_end", counted)
    monkeypatch.setattr(FileSink, "_write_notes", None)
    async with Peer(Version(film(size))) as peer:
        await get(peer, tmp_path / "a.mp4")
    assert len(turns) == 2
    assert (tmp_path / "a.mp4").read_bytes() == film(size)


@pytest.mark.parametrize("boot", ["another", None])
async def test_after_a_crash_of_the_machine_only_what_was_synced_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, boot: str | None
) -> None:
    """The process alone was killed: all counts. The machine was, or nobody knows: what the last checkpoint had."""
    monkeypatch.setattr(folder, "_CHECKPOINT", 1_000_000)
    path = tmp_path / "a.mp4"
    for size, synced in ((500_000, 0), (1_200_000, 1_200_000)):
        with monkeypatch.context() as earlier:
            earlier.setattr(files, "boot", lambda: "earlier")
            await partly(path, size)
            assert await held(path) == size
        with path.with_name("a.mp4.part").open("ab") as file:
            file.write(bytes(700_000))  # what a file system may show after a crash
        monkeypatch.setattr(files, "boot", lambda: boot)
        assert await held(path) == synced
    async with Peer(V1) as peer:
        await get(peer, path)
    assert starts(peer) == [1_200_000]
    assert path.read_bytes() == FILM


async def test_what_a_crash_left_is_never_taken_for_this_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed again just after the first write that followed a crash: zeros of the crash do not count."""
    path = tmp_path / "a.mp4"
    with monkeypatch.context() as earlier:
        earlier.setattr(files, "boot", lambda: "earlier")
        sink = await opened(path)
        await sink.restart(TOLD)
        await sink.write([FILM[:500_000]])
        await sink.leave()
    with path.with_name("a.mp4.part").open("ab") as file:
        file.write(bytes(700_000))
    sink = await opened(path)
    assert sink.held == 500_000
    monkeypatch.setattr(FileSink, "_append", None)  # it is killed where this would be called
    with pytest.raises(TypeError):
        await sink.write([])
    sink._close()
    assert await held(path) == 500_000


@pytest.mark.parametrize(
    "notes",
    [
        b"",
        b"{",
        b"[]",
        b'{"etag": "v1"}',
        b'{"etag": 1, "last_modified": null, "total": null, "synced": 0, "boot": null}',
        b'{"etag": null, "last_modified": null, "total": null, "synced": 9, "boot": null}',
        b'{"etag": "\\"v1\\"", "last_modified": null, "total": 5, "synced": 9, "boot": null}',
        b'{"etag": "\\"v1\\"", "last_modified": null, "total": null, "synced": -1, "boot": null}',
        None,
    ],
)
async def test_notes_that_are_none_are_not_believed(tmp_path: Path, notes: bytes | None) -> None:
    """Torn, somebody else's, or gone: nothing is held, and a download begins anew."""
    path, part = tmp_path / "a.mp4", tmp_path / "a.mp4.part.json"
    await partly(path, 500_000)
    part.unlink() if notes is None else part.write_bytes(notes)
    async with Peer(V1) as peer:
        await get(peer, path)
    assert starts(peer) == [None]
    assert path.read_bytes() == FILM
    assert left(tmp_path) == ["a.mp4"]


async def test_notes_of_one_version_never_tell_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begun anew with another version, and killed: what is there is the new one's, or nobody's.

    The notes are gone for good, also should the machine stop, before the bytes are.
    """
    path = tmp_path / "a.mp4"
    await partly(path, 500_000)
    seen: list[tuple[list[str], int]] = []

    def watched(where: Path) -> None:
        seen.append((left(where), (where / "a.mp4.part").stat().st_size))
        sync_folder(where)

    monkeypatch.setattr(folder, "sync_folder", watched)
    for told in (Validators('"v2"'), Validators()):
        sink = await opened(path)
        await sink.restart(told)
        assert left(tmp_path) == ["a.mp4.part"]
        await sink.write([b"x" * 900_000])
        sink._close()
        again = await opened(path)
        assert (again.held, again.validators) == ((900_000, told) if told.etag else (0, None))
        again._close()
    assert seen == [(["a.mp4.part"], 500_000), (["a.mp4.part"], 900_000)]


async def test_a_sink_that_is_new_takes_nothing_over(tmp_path: Path) -> None:
    """It was said that nothing is there, and something came in between: it goes, and is not a part of the file."""
    path = tmp_path / "a.mp4"
    await partly(path, 500_000, Validators('"v2"'))
    async with Peer(V1) as peer:
        await get(peer, FileSink(path, is_small=True))
    assert starts(peer) == [None]
    assert path.read_bytes() == FILM
    assert left(tmp_path) == ["a.mp4"]


async def test_notes_hold_no_address(tmp_path: Path) -> None:
    """What is kept tells the version, not where it came from."""
    async with Peer([V1.whole(cut_body=2_000_000, then="fin")]) as peer:
        with pytest.raises(TransportError):
            await get(peer, tmp_path / "a.mp4", attempts=1)
        kept = (tmp_path / "a.mp4.part.json").read_text()
        assert peer.origin.partition("//")[2] not in kept
    assert sorted(json.loads(kept)) == ["boot", "etag", "last_modified", "synced", "total"]


async def test_a_file_that_is_all_there_is_not_asked_for(tmp_path: Path) -> None:
    """Killed between the last byte and the move: the next download only moves it, and needs no address."""
    path = tmp_path / "a.mp4"
    await partly(path, len(FILM))
    saved = await get(Links([]), path)
    assert saved == Saved(len(FILM), hashlib.sha256(FILM).hexdigest())
    assert left(tmp_path) == ["a.mp4"]


async def test_two_downloads_of_one_path_exclude_each_other(tmp_path: Path) -> None:
    """The second is refused before it asks for anything, and leaves the first one alone."""
    path = tmp_path / "a.mp4"
    sink = await opened(path)
    await sink.restart(TOLD)
    async with Peer(V1) as peer:
        with pytest.raises(BlockingIOError, match=r"another download is writing this file: .*a\.mp4"):
            await get(peer, path)
    assert peer.requests == []
    await sink.write([FILM[:-5]])
    assert await sink.finish([FILM[-5:]]) == Saved(len(FILM), hashlib.sha256(FILM).hexdigest())
    assert path.read_bytes() == FILM


async def test_a_file_moved_away_while_it_was_opened_is_opened_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other download ended just then: what it saved is not written to."""
    path, moves = tmp_path / "a.part", [tmp_path / "whole"]
    path.write_bytes(b"whole")

    def slowly(fd: int) -> bool:
        if moves:
            path.rename(moves.pop())
        return try_lock(fd)

    monkeypatch.setattr(files, "try_lock", slowly)
    fd = files.open_alone(path)
    assert os.fstat(fd).st_size == 0
    os.close(fd)
    assert left(tmp_path) == ["a.part", "whole"]


async def test_without_locks_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some network file systems have none."""

    def none(_: int) -> bool:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(files, "try_lock", none)
    async with Peer(V1) as peer:
        await get(peer, tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == FILM


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The system refuses to let any file grow further, as a full disk does: part of a write may succeed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("limit", [1_700_001, 2_999_999, 20])
async def test_a_full_disk(tmp_path: Path, limit: int) -> None:
    """The system's own error, at once; and once there is room again, the download goes on with what had fitted."""
    async with Peer(V1) as peer:
        with files_of_at_most(limit), pytest.raises(OSError, match="large") as caught:
            await get(peer, tmp_path / "a.mp4")
        assert caught.value.errno == errno.EFBIG
        assert not (tmp_path / "a.mp4").exists()
        assert len(peer.requests) == 1
        await get(peer, tmp_path / "a.mp4")
        assert starts(peer)[1] is None or (starts(peer)[1] or 0) <= limit
    assert (tmp_path / "a.mp4").read_bytes() == FILM
    assert left(tmp_path) == ["a.mp4"]


@contextmanager
def closed_to_us(path: Path) -> Iterator[None]:
    """Nobody may write there; root gives up its right to write everywhere."""
    user = os.geteuid()
    path.chmod(0o555)
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        path.chmod(0o755)


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Told before anything is asked of the host or of *link*."""
    with closed_to_us(tmp_path), pytest.raises(PermissionError):
        await get(Links([]), tmp_path / "a.mp4")
    assert left(tmp_path) == []


async def test_folders_are_made_where_they_are_wanted(tmp_path: Path) -> None:
    """`make_folders` makes those above the file; a name that is a folder is refused."""
    async with Peer(V1) as peer:
        await get(peer, FileSink(tmp_path / "2024" / "02" / "a.mp4", make_folders=True))
        with pytest.raises(IsADirectoryError):
            await get(peer, tmp_path / "2024")
    assert (tmp_path / "2024" / "02" / "a.mp4").read_bytes() == FILM


async def test_bytes_that_the_disk_lost_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed sync: the system takes the bytes for written when it is asked again, so nothing of them is trusted."""

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(files, "sync", broken)
    async with Peer(V1) as peer:
        with pytest.raises(OSError, match="input/output"):
            await get(peer, tmp_path / "a.mp4")
    assert left(tmp_path) == []


async def test_cancelled_while_it_is_hashed_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held is still there for the next time, all of it."""
    path = tmp_path / "a.mp4"
    await partly(path, 2_500_000)
    before = {name: (tmp_path / name).read_bytes() for name in left(tmp_path)}
    monkeypatch.setattr(files, "SLICE", 100_000)
    sink = FileSink(path)
    task = asyncio.create_task(get(Links([]), sink))
    while sink.held < 300_000:  # noqa: ASYNC110  it is counted in a thread
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert {name: (tmp_path / name).read_bytes() for name in left(tmp_path)} == before


async def test_a_part_that_shrinks_while_it_is_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody truncated it: an error, no endless loop."""
    path = tmp_path / "a.mp4"
    await partly(path, 500_000)
    sink = FileSink(path)
    monkeypatch.setattr(os, "read", lambda *_: b"")
    with pytest.raises(OSError, match="became shorter"):
        await sink.open()
    await sink.leave()


@pytest.mark.parametrize("pieces", [0, 1, 2000])
def test_pieces_are_written_one_after_the_other(tmp_path: Path, pieces: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, however little the system takes at once, and where it takes but one."""
    parts = [bytes([number % 251]) * (number % 7) for number in range(pieces)]
    really = os.writev
    for name in ("whole", "bit by bit", "one by one"):
        if name == "bit by bit":
            monkeypatch.setattr(os, "writev", lambda fd, queue: really(fd, [b"".join(queue)[:100]]))
        if name == "one by one":
            monkeypatch.delattr(os, "writev")
        fd = files.open_alone(tmp_path / name)
        files.append(fd, parts)
        os.close(fd)
        assert (tmp_path / name).read_bytes() == b"".join(parts)


class Slow:
    """A sink that writes only when it is told to."""

    held = 0

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.sizes: list[int] = []

    async def write(self, pieces: list[bytes]) -> None:
        """Wait, and count."""
        await self.go.wait()
        self.sizes.append(sum(map(len, pieces)))


async def test_memory_has_a_bound() -> None:
    """While a slow disk writes, at most 4 MiB more gather; then nothing is taken until it is done."""
    sink = Slow()
    async with Pipeline(sink, 0) as pipe:  # type: ignore[arg-type]  # it only writes
        while not pipe.is_due():
            pipe.gather(bytes(100_000))
        await pipe.pass_on()
        while not pipe.is_due():
            pipe.gather(bytes(100_000))
        stuck = asyncio.ensure_future(pipe.pass_on())
        await asyncio.sleep(0)
        assert not stuck.done()
        sink.go.set()
        await stuck
    assert len(sink.sizes) == 2
    assert max(sink.sizes) < (4 << 20) + 100_000
    assert pipe.size == sum(sink.sizes)
