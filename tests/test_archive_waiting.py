"""What waits for a job: the largest first, and not too many."""

import asyncio
from pathlib import Path

import pytest
from tools.archives import add, held, ran_at, whole

from g2a_async.archive import waiting
from g2a_async.archive.waiting import Waiting
from g2a_async.emulator import Emulator


async def test_the_largest_is_the_next() -> None:
    """Of equals, the one that came first; what comes later is sorted in; at the end there is none."""
    line = Waiting()
    for number, size in ((1, 5), (2, 9), (3, 5), (4, 0)):
        line.add(number, size)
    assert await line.take(2) == [2, 1]
    line.add(5, 7)
    line.close()
    assert await line.take(10) == [5, 3, 4]
    assert await line.take(10) == []


async def test_who_takes_waits_until_there_is_some() -> None:
    """And learns of the end, when that comes instead."""
    line = Waiting()
    taking = asyncio.create_task(line.take(2))
    await asyncio.sleep(0)
    line.add(1, 1)
    assert await asyncio.wait_for(taking, 10) == [1]
    taking = asyncio.create_task(line.take(2))
    await asyncio.sleep(0)
    line.close()
    assert await asyncio.wait_for(taking, 10) == []


@pytest.mark.parametrize("sizes", [[1, 1, 1], [99], [60, 60]])
async def test_no_more_is_asked_for_than_is_soon_needed(sizes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many, or too many bytes: there is room once some of it is taken."""
    monkeypatch.setattr(waiting, "_MOST", 3)
    monkeypatch.setattr(waiting, "_BYTES", 99)
    line = Waiting()
    await asyncio.wait_for(line.room(), 10)
    for number, size in enumerate(sizes):
        line.add(number, size)
    asking = asyncio.create_task(line.room())
    await asyncio.sleep(0.01)
    assert not asking.done()
    await line.take(1)
    await asyncio.wait_for(asking, 10)


async def test_a_run_with_little_room_fetches_all(
    g2a_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Addresses are asked for when there is room again, and the run comes to its end."""
    monkeypatch.setattr(waiting, "_MOST", 1)
    monkeypatch.setattr(waiting, "_BYTES", 1)
    recordings = add(g2a_emulator, 12)
    await ran_at(g2a_emulator, tmp_path)
    assert held(tmp_path) == whole(recordings)
