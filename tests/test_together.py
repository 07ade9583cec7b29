"""Small pieces of work that share a thread, and downloads that hand their turn on."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from g2a_async.archive.turns import LastSink, Turn
from g2a_async.downloads.folder import FileSink
from g2a_async.downloads.sink import Saved, Validators
from g2a_async.threads import Together


def fail() -> None:
    """Work that fails."""
    raise OSError("no")


def found(folder: Path) -> dict[str, bytes]:
    """What is in a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class TestTogether:
    """What waits goes as one."""

    async def test_order_results_and_errors(self) -> None:
        """Each caller has its own result or error, all in the order in which they came, in one thread at a time."""
        together, seen = Together(), list[tuple[int, int]]()

        def work(number: int) -> int:
            seen.append((number, threading.get_ident()))
            return number

        calls: list[Callable[[], object]] = [partial(work, number) for number in range(50)]
        calls.insert(20, fail)
        results = await asyncio.gather(*map(together.do, calls), return_exceptions=True)
        assert isinstance(results.pop(20), OSError)
        assert results == [number for number, _ in seen] == [*range(50)]
        assert len({thread for _, thread in seen}) <= 2
        assert threading.get_ident() not in {thread for _, thread in seen}

    async def test_the_thread_is_woken_once_for_all_that_waits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """While the thread is busy, what comes waits, and goes with the next hop."""
        loop, go, hops = asyncio.get_running_loop(), threading.Event(), list[object]()
        real = loop.run_in_executor

        def hop(*args: Any) -> Any:
            hops.append(args)
            return real(*args)

        monkeypatch.setattr(loop, "run_in_executor", hop)
        together = Together()
        first = asyncio.create_task(together.do(lambda: go.wait(10)))
        await asyncio.sleep(0)
        others = [asyncio.create_task(together.do(lambda: None)) for _ in range(10)]
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(first, *others)
        assert len(hops) == 2

    async def test_a_cancelled_caller_waits_for_its_work(self) -> None:
        """Nothing goes on after a cancellation, and what others wait for is done."""
        together, go, done = Together(), threading.Event(), list[int]()

        def hold() -> None:
            assert go.wait(10)
            done.append(1)

        held = asyncio.create_task(together.do(hold))
        other = asyncio.create_task(together.do(partial(done.append, 2)))
        await asyncio.sleep(0.01)
        held.cancel()
        await asyncio.sleep(0.01)
        assert not held.done()
        go.set()
        await other
        with pytest.raises(asyncio.CancelledError):
            await held
        assert done == [1, 2]


class TestNew:
    """A file of which nothing was there."""

    @pytest.mark.parametrize("first", [b"", b"ab"])
    async def test_it_is_opened_with_the_first_bytes(self, tmp_path: Path, first: bytes) -> None:
        """Opening touches nothing; then the file is made, with its folders, and is whole at its place."""
        sink = FileSink(tmp_path / "a" / "b", make_folders=True, is_new=True, together=Together())
        await sink.open()
        await sink.restart(Validators(etag='"1"', total=4))
        assert found(tmp_path) == {}
        if first:
            await sink.write([first])
        saved = await sink.finish([b"cd"])
        assert found(tmp_path / "a") == {"b": first + b"cd"}
        assert saved.size == len(first) + 2

    async def test_what_has_come_there_since_counts_for_nothing(self, tmp_path: Path) -> None:
        """Bytes that somebody else left meanwhile are not taken for ours."""
        sink = FileSink(tmp_path / "b", is_new=True)
        await sink.open()
        await sink.restart(Validators(etag='"1"', total=2))
        (tmp_path / "b.part").write_bytes(b"others'")
        (tmp_path / "b.part.json").write_text("{}", encoding="utf-8")
        await sink.finish([b"cd"])
        assert found(tmp_path) == {"b": b"cd"}

    async def test_leaving_it_leaves_nothing(self, tmp_path: Path) -> None:
        """A download that never began has made no file."""
        sink = FileSink(tmp_path / "a" / "b", make_folders=True, is_new=True)
        await sink.open()
        await sink.leave()
        assert found(tmp_path) == {}


class Held:
    """A sink whose end can be waited for."""

    held = 0
    validators: Validators | None = None

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def open(self) -> None:
        """Nothing."""

    async def restart(self, validators: Validators) -> None:
        """Note it."""
        self.validators = validators

    async def write(self, pieces: Sequence[bytes]) -> None:
        """Count."""
        self.held += sum(map(len, pieces))

    async def finish(self, last: Sequence[bytes] = ()) -> Saved:
        """Once it may."""
        await self.go.wait()
        return Saved(self.held + sum(map(len, last)), "")

    async def leave(self) -> None:
        """Nothing."""


async def test_the_next_download_begins_while_one_is_put_at_its_place() -> None:
    """A turn is over when all bytes have come, once, and not when the file is at its place."""
    turns = asyncio.Semaphore(1)
    await turns.acquire()
    turn, inner = Turn(turns), Held()
    sink = LastSink(inner, turn)
    await sink.open()
    await sink.restart(Validators(total=3))
    await sink.write([b"ab"])
    assert (sink.held, sink.validators, turns.locked()) == (2, Validators(total=3), True)
    finishing = asyncio.create_task(sink.finish([b"c"]))
    await asyncio.wait_for(turns.acquire(), 10)
    turn.end()
    assert turns.locked()
    inner.go.set()
    assert (await finishing).size == 3
