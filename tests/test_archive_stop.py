"""What a run leaves to others: it ends when told to, keeps from their connections, and says what is missing."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from tools.archives import (
    FILES,
    Passing,
    add,
    archiving,
    asked,
    client_of,
    drained,
    held,
    kinds,
    ran,
    run,
    until,
    whole,
)

from g2a_async import G2AError
from g2a_async.archive import ArchiveEvent, RecordingArchive
from g2a_async.downloads.size import size_of
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


@pytest.mark.parametrize("second", [429, 404])
async def test_a_size_that_nobody_tells_costs_no_link_too_many(g2a_emulator: Emulator, second: int) -> None:
    """Another link is asked for where one may have expired, and neither that nor a wait follows the last try."""
    clock, renewed = Passing(g2a_emulator), []
    [recording] = add(g2a_emulator)
    for status in (429, second, 404):
        g2a_emulator.faults.add(FILES, status=status)
    async with client_of(g2a_emulator) as client:
        [files] = await client.recordings.urls([recording.recording_id]).collect()

        async def link(error: G2AError | None) -> str:
            renewed.append(getattr(error, "status", None))
            return files.recording_url

        wire = client._transport
        assert await size_of(wire.pool, wire.settings, clock, link) is None
    assert renewed == ([None] if second == 429 else [None, 404])
    assert clock.slept == [0.5, 2.0]


def test_the_command_names_the_missing_extra() -> None:
    """Without it `g2a archive` tells what to install, and exits as for other configuration that is missing."""
    code = "import sys; sys.modules['pathvalidate'] = None; from g2a_async.cli import main; main()"
    command = [sys.executable, "-c", code, "archive", "report", "nowhere"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 3
    assert done.stderr == "g2a: the archive needs what its extra brings: pip install 'g2a-async[archive]'\n"
