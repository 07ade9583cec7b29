"""What `verify` finds, and what is done about it."""

from pathlib import Path

import pytest
from tools.archives import FILES, LISTED, URLS, add, archiving, asked, held, kinds, ran, ran_at, stamps, stem, whole

from g2a_async.emulator import Emulator


@pytest.mark.parametrize("again", ["retry", "run"])
async def test_a_file_that_was_deleted(g2a_emulator: Emulator, tmp_path: Path, again: str) -> None:
    """It is told as missing, and a retry or the next run fetches it, and it alone."""
    recordings = add(g2a_emulator, 5)
    gone = f"{stem(recordings[2])}.mp4"
    async with archiving(g2a_emulator, tmp_path) as archive:
        await ran(archive, g2a_emulator)
        (tmp_path / gone).unlink()
        report = await archive.verify()
        g2a_emulator.journal.clear()
        if again == "retry":
            events = [event async for event in archive.retry_failed()]
        else:
            events = await ran(archive, g2a_emulator)
        after = await archive.verify(deep=True)

    assert [(one.path, one.reason) for one in report.missing] == [(gone, "it is not there any more")]
    assert (report.is_whole, report.damaged, report.counts) == (False, (), {"done": 14, "missing": 1})
    assert kinds(events)["done"] == 1
    assert asked(g2a_emulator) == {URLS: 1, FILES: 1} | ({} if again == "retry" else {LISTED: 1})
    assert after.is_whole
    assert held(tmp_path) == whole(recordings)


async def test_a_flipped_byte(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Only a deep look finds it; then the file is fetched anew, and not taken up for its size."""
    recordings = add(g2a_emulator, 3)
    path = tmp_path / f"{stem(recordings[1])}.mp4"
    async with archiving(g2a_emulator, tmp_path) as archive:
        await ran(archive, g2a_emulator)
        data = bytearray(path.read_bytes())
        data[500] ^= 1
        path.write_bytes(data)
        shallow = await archive.verify()
        deep = await archive.verify(deep=True)
        again = await archive.verify()
        events = [event async for event in archive.retry_failed()]

    assert shallow.is_whole
    assert [(one.recording_id, one.part) for one in deep.damaged] == [(recordings[1].recording_id, "mp4")]
    assert again.damaged == deep.damaged
    assert kinds(events) == {"planned": 1, "started": 1, "done": 1, "finished": 1}
    assert held(tmp_path) == whole(recordings)


async def test_a_file_of_another_size(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """A look at the sizes finds it."""
    [recording] = add(g2a_emulator)
    async with archiving(g2a_emulator, tmp_path) as archive:
        await ran(archive, g2a_emulator)
        path = tmp_path / f"{stem(recording)}.png"
        path.write_bytes(path.read_bytes() + b"x")
        [damaged] = (await archive.verify()).damaged
    assert damaged.reason == f"it has {path.stat().st_size} bytes, and had {path.stat().st_size - 1}"


async def test_a_file_that_is_back(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """Restored from a backup, it is right again, by its hash; another file in its place is not."""
    [recording] = add(g2a_emulator)
    path = tmp_path / f"{stem(recording)}.mp4"
    async with archiving(g2a_emulator, tmp_path) as archive:
        await ran(archive, g2a_emulator)
        backup = path.read_bytes()
        path.unlink()
        found = [await archive.verify()]
        path.write_bytes(backup[::-1])
        found.append(await archive.verify())
        path.write_bytes(backup)
        found.append(await archive.verify())
    assert [(len(one.missing), len(one.damaged)) for one in found] == [(1, 0), (0, 1), (0, 0)]


async def test_a_report_is_plain(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """It becomes JSON as it is, tells bytes by state, and making it changes nothing."""
    recordings = add(g2a_emulator, 2)
    recordings[0].untold = {"eventsUrl"}
    await ran_at(g2a_emulator, tmp_path)
    before = stamps(tmp_path)
    async with archiving(g2a_emulator, tmp_path) as archive:
        report = (await archive.report()).to_dict()
    size = sum((tmp_path / path).stat().st_size for path in held(tmp_path))

    assert report == {
        "counts": {"absent": 1, "done": 5},
        "bytes": {"absent": 0, "done": size},
        "failures": (),
        "missing": (),
        "damaged": (),
    }
    assert before == stamps(tmp_path)
