"""A run that is stopped early, and a client whose downloads take every connection that they may have."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from tools.archives import FILES, add, archiving, asked, client_of, drained, held, kinds, ran, run, until, whole

from g2a_async.archive import ArchiveEvent, RecordingArchive
from g2a_async.emulator import Emulator


def retry(archive: RecordingArchive, emulator: Emulator) -> AsyncGenerator[ArchiveEvent]:
    """What is left, once more."""
    return archive.retry_failed()


@pytest.mark.parametrize("begin", [run, retry])
async def test_a_stop_is_heard_from_the_start(
    g2a_emulator: Emulator, tmp_path: Path, begin: Callable[..., AsyncGenerator[ArchiveEvent]]
) -> None:
    """A run that is stopped before its manifest is open fetches nothing, and the next one is none the wiser."""
    recordings = add(g2a_emulator, 3)
    g2a_emulator.faults.add(FILES, status=404, times=27)
    async with archiving(g2a_emulator, tmp_path) as archive:
        assert kinds(await ran(archive, g2a_emulator))["failed"] == 9
        g2a_emulator.faults.clear()
        g2a_emulator.journal.clear()
        running = asyncio.ensure_future(drained(begin(archive, g2a_emulator)))
        await asyncio.sleep(0)
        archive.stop()
        assert kinds(await running) == {"finished": 1}
        assert FILES not in asked(g2a_emulator)
        assert kinds(await drained(begin(archive, g2a_emulator)))["done"] == 9
    assert held(tmp_path) == whole(recordings)


async def test_calls_go_on_while_downloads_hold_their_connections(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """As many downloads as the client may have connections leave its calls theirs."""
    add(g2a_emulator, 2)
    stalled = g2a_emulator.faults.add(FILES, "stall", times=None, keep=10)
    async with client_of(g2a_emulator, max_connections=2, deadline=5.0) as client:
        archive = RecordingArchive(client, tmp_path, parts=["mp4"], jobs=2)
        running = asyncio.ensure_future(ran(archive, g2a_emulator))
        await until(lambda: stalled.hits == 2)
        assert await client.companies.list().total() == 0
        running.cancel()
        await asyncio.wait([running])
