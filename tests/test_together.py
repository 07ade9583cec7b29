"""Small pieces of work that share a thread, and downloads that hand their turn on."""

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from g2a_async import threads
from g2a_async.archive.channel import Channel
from g2a_async.archive.records import ArchiveEvent
from g2a_async.archive.turns import LastSink, Turn
from g2a_async.downloads import files, folder
from g2a_async.downloads.folder import FileSink, Finishing, put_at_place
from g2a_async.downloads.pipeline import Pipeline
from g2a_async.downloads.sink import Piece, Saved, Validators
from g2a_async.threads import Together, each


def fail() -> None:
    """Work that fails."""
    raise OSError("no")


def found(folder: Path) -> dict[str, bytes]:
    """What is in a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def calls() -> Together[Callable[[], Any], Any]:
    """What calls functions together."""
    return Together(each)


async def begun(path: Path, finishing: Finishing) -> FileSink:
    """A new file that bytes are about to come for."""
    sink = FileSink(path, make_folders=True, is_small=True, together=finishing)
    await sink.open()
    await sink.restart(Validators())
    return sink


class TestTogether:
    """What waits goes as one."""

    async def test_company(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What comes alone goes at once; where many come, each waits for more of them."""
        monkeypatch.setattr(threads, "_SOON", 1000.0)
        monkeypatch.setattr(threads, "_CROWD", 4)
        monkeypatch.setattr(threads, "_ENOUGH", 6)
        sizes: list[int] = []

        def work(pieces: Sequence[int]) -> Sequence[int]:
            sizes.append(len(pieces))
            return pieces

        together = Together[int, int](work)
        for number in range(3):
            await asyncio.wait_for(together.do(number), 10)
        await asyncio.wait_for(asyncio.gather(*map(together.do, range(6))), 10)
        assert sizes == [1, 1, 1, 6]

    async def test_order_results_and_errors(self) -> None:
        """Each caller has its own result or error, all in the order in which they came, in one thread at a time."""
        together, seen = calls(), list[tuple[int, int]]()

        def work(number: int) -> int:
            seen.append((number, threading.get_ident()))
            return number

        works: list[Callable[[], object]] = [partial(work, number) for number in range(50)]
        works.insert(20, fail)
        results = await asyncio.gather(*map(together.do, works), return_exceptions=True)
        assert isinstance(results.pop(20), OSError)
        assert results == [number for number, _ in seen] == [*range(50)]
        assert len({thread for _, thread in seen}) <= 2
        assert threading.get_ident() not in {thread for _, thread in seen}

    async def test_the_thread_is_woken_once_for_all_that_waits(self) -> None:
        """What comes at nearly one time goes at once, and so does what comes while the thread is busy; not too much."""
        begun, go, hops = threading.Event(), threading.Event(), list[int]()

        def work(pieces: Sequence[int]) -> list[int]:
            hops.append(len(pieces))
            begun.set()
            assert go.wait(10)
            return [*pieces]

        together = Together(work)
        first = [asyncio.create_task(together.do(one)) for one in range(5)]
        assert await asyncio.to_thread(begun.wait, 10)
        others = [asyncio.create_task(together.do(one)) for one in range(threads._ENOUGH + 1)]
        await asyncio.sleep(0)
        go.set()
        assert await asyncio.gather(*first, *others) == [*range(5), *range(threads._ENOUGH + 1)]
        assert hops == [5, threads._ENOUGH + 1]

    async def test_many_go_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """When enough are waiting, no time is."""
        monkeypatch.setattr(threads, "_SOON", 1e6)
        together = calls()
        works = [partial(int, one) for one in range(threads._ENOUGH)]
        assert await asyncio.gather(*map(together.do, works)) == [*range(threads._ENOUGH)]

    async def test_a_cancelled_caller_waits_for_its_work(self) -> None:
        """Nothing goes on after a cancellation, and what others wait for is done."""
        together, go, done = calls(), threading.Event(), list[int]()

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

    async def test_without_threads_it_is_done_all_the_same(self) -> None:
        """At the interpreter's end there are none to be had."""
        over = ThreadPoolExecutor(1)
        over.shutdown()
        together = Together[Callable[[], int], int](each, over)
        assert await together.do(lambda: 3) == 3

    @pytest.mark.parametrize("flaw", [AssertionError("no"), StopIteration()])
    async def test_work_that_fails_as_a_whole_is_every_callers_error(self, flaw: Exception) -> None:
        """Whatever it raises, and where there is no thread to be had, too, nobody waits for ever."""

        def work(_: Sequence[int]) -> list[int]:
            raise flaw

        over = ThreadPoolExecutor(1)
        over.shutdown()
        for together in (Together(work), Together(work, over)):
            async with asyncio.timeout(10):
                ends = await asyncio.gather(*map(together.do, range(3)), return_exceptions=True)
            kind = RuntimeError if isinstance(flaw, StopIteration) else type(flaw)
            assert [type(end) for end in ends] == [kind] * 3

    async def test_too_few_results_are_an_error(self) -> None:
        """Then nobody knows whose they are."""
        together = Together[int, int](lambda pieces: [*pieces][1:])
        async with asyncio.timeout(10):
            ends = await asyncio.gather(*map(together.do, range(3)), return_exceptions=True)
        assert [str(end) for end in ends] == ["2 results of 3 pieces of work"] * 3

    async def test_work_whose_executor_ends_is_cancelled(self) -> None:
        """What never began cannot give anything, and whoever waits for it is told."""
        executor, go = ThreadPoolExecutor(1), threading.Event()
        executor.submit(go.wait, 10)
        waiting = asyncio.create_task(Together[int, int](lambda pieces: [*pieces], executor).do(1))
        await asyncio.sleep(0.02)
        executor.shutdown(wait=False, cancel_futures=True)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(waiting, 10)

    async def test_two_loops_share_it(self) -> None:
        """What comes from another loop while one's work goes on is told to that loop."""
        begun, go = threading.Event(), threading.Event()

        def hold() -> int:
            begun.set()
            assert go.wait(10)
            return 1

        together, others = calls(), list[object]()
        ours = asyncio.create_task(together.do(hold))
        assert await asyncio.to_thread(begun.wait, 10)
        other = threading.Thread(target=lambda: others.append(asyncio.run(together.do(lambda: 2))), daemon=True)
        other.start()
        await asyncio.sleep(0.02)
        go.set()
        assert await ours == 1
        await asyncio.to_thread(other.join, 10)
        assert others == [2]


class TestLeaving:
    """Who waits for the end of something is cancelled all the same."""

    async def test_of_a_run(self) -> None:
        """A cancellation while the run ends is not lost: whoever left it does not go on."""
        channel, ending, go, after = Channel(), asyncio.Event(), asyncio.Event(), list[str]()

        async def work() -> None:
            await channel.tell(ArchiveEvent(kind="finished"))
            try:
                await asyncio.Event().wait()
            finally:
                ending.set()
                await go.wait()
                after.append("ended")

        async def user() -> None:
            async with aclosing(channel.events(work)) as events:
                await anext(events)
            after.append("went on")

        using = asyncio.create_task(user())
        await ending.wait()
        using.cancel()
        await asyncio.sleep(0.01)
        assert not using.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await using
        assert after == ["ended"]

    async def test_of_what_is_being_written(self) -> None:
        """The same of a download whose last bytes are on their way to the disk."""
        sink, after = Held(), list[str]()

        async def user() -> None:
            async with Pipeline(Slow(sink), 0) as pipeline:
                pipeline.gather(b"ab")
                await pipeline.pass_on()
            after.append("went on")

        using = asyncio.create_task(user())
        await asyncio.sleep(0.01)
        using.cancel()
        await asyncio.sleep(0.01)
        assert (using.done(), sink.held) == (False, 0)
        sink.go.set()
        with pytest.raises(asyncio.CancelledError):
            await using
        assert (after, sink.held) == ([], 2)


class TestManyFiles:
    """Small files that go to their places together."""

    async def test_each_has_its_own_end(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Those that can are whole and at their places, before their folder is synced; a failure is one file's."""
        synced = list[tuple[str, int]]()
        monkeypatch.setattr(folder, "sync_folder", lambda path: synced.append((path.name, len(found(path)))))
        finishing = Finishing(put_at_place)
        sinks = {name: await begun(tmp_path / name, finishing) for name in ("a/1", "a/2", "b/1", "b/2", "c/1")}
        (tmp_path / "b" / "2").mkdir(parents=True)
        taken = files.open_alone(tmp_path / "b" / "1.part")
        ends = await asyncio.gather(*(one.finish([b"xy"]) for one in sinks.values()), return_exceptions=True)
        os.close(taken)
        assert [type(end) for end in ends] == [Saved, Saved, BlockingIOError, IsADirectoryError, Saved]
        assert sorted(synced) == [("a", 2), ("c", 1)]
        for name in ("a/1", "a/2", "c/1"):
            assert (tmp_path / name).read_bytes() == b"xy"

    async def test_a_folder_that_cannot_be_synced_concerns_what_is_in_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its files may be gone after a crash: they do not count as saved. Those in other folders do."""

        def sync(path: Path) -> None:
            if path.name == "b":
                fail()

        monkeypatch.setattr(folder, "sync_folder", sync)
        finishing = Finishing(put_at_place)
        sinks = [await begun(tmp_path / name, finishing) for name in ("a/1", "b/1", "b/2")]
        ends = await asyncio.gather(*(one.finish([b"xy"]) for one in sinks), return_exceptions=True)
        assert [type(end) for end in ends] == [Saved, OSError, OSError]


class TestNew:
    """A file of which nothing was there."""

    @pytest.mark.parametrize("first", [b"", b"ab"])
    async def test_it_is_opened_with_the_first_bytes(self, tmp_path: Path, first: bytes) -> None:
        """Opening touches nothing; then the file is made, with its folders, and is whole at its place."""
        sink = FileSink(tmp_path / "a" / "b", make_folders=True, is_small=True, together=Finishing(put_at_place))
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
        sink = FileSink(tmp_path / "b", is_small=True)
        await sink.open()
        await sink.restart(Validators(etag='"1"', total=2))
        (tmp_path / "b.part").write_bytes(b"others'")
        (tmp_path / "b.part.json").write_text("{}", encoding="utf-8")
        await sink.finish([b"cd"])
        assert found(tmp_path) == {"b": b"cd"}

    async def test_leaving_it_leaves_nothing(self, tmp_path: Path) -> None:
        """A download that never began has made no file."""
        sink = FileSink(tmp_path / "a" / "b", make_folders=True, is_small=True)
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

    async def write(self, pieces: Sequence[Piece]) -> None:
        """Count."""
        self.held += sum(map(len, pieces))

    async def finish(self, last: Sequence[Piece] = ()) -> Saved:
        """Once it may."""
        await self.go.wait()
        return Saved(self.held + sum(map(len, last)), "")

    async def leave(self) -> None:
        """Nothing."""


class Slow(Held):
    """One that writes once it may."""

    def __init__(self, inner: Held) -> None:
        super().__init__()
        self._inner = inner

    async def write(self, pieces: Sequence[Piece]) -> None:
        """Once it may."""
        await self._inner.go.wait()
        await self._inner.write(pieces)


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
