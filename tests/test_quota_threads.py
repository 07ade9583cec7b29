"""One quota for several threads and loops, also for loops that end while somebody waits."""

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import uvloop

from g2a_async.clock import SystemClock
from g2a_async.quota import Quota


def run_in_threads(*mains: Callable[[], Awaitable[None]], uv: bool = False) -> None:
    """Run each in a thread and loop of its own; all must end soon."""
    errors: list[BaseException] = []

    def run(main: Callable[[], Awaitable[None]]) -> None:
        async def bounded() -> None:
            await asyncio.wait_for(main(), 3)

        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop if uv else None) as runner:
                runner.run(bounded())
        except BaseException as error:  # noqa: BLE001  shown by the test
            errors.append(error)

    threads = [threading.Thread(target=run, args=[main], daemon=True) for main in mains]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(4)
        assert not thread.is_alive(), "somebody waits for ever"
    assert not errors, errors


@pytest.mark.parametrize("uv", [False, True])
def test_threads_with_loops_of_their_own_share_it(uv: bool) -> None:
    """Three threads, a loop each, both lanes, some cancelled: all leave, and together no faster than one would."""
    quota = Quota(400.0)
    times: list[float] = []

    async def main() -> None:
        async def one(number: int) -> None:
            wait = quota.acquire_bulk if number % 2 else quota.acquire
            limit = 0.002 if number % 5 == 0 else 5
            with suppress(TimeoutError):
                async with asyncio.timeout(limit):
                    await wait()
                    times.append(SystemClock().monotonic())

        await asyncio.gather(*[one(number) for number in range(25)])

    run_in_threads(main, main, main, uv=uv)
    assert len(times) >= 60
    times.sort()
    assert times[-1] - times[0] >= (len(times) - 1) / 400.0 - 0.03


class CollectingLoop(asyncio.SelectorEventLoop):
    """A loop that the garbage collector visits at the worst moment."""

    def call_soon_threadsafe(self, *args: Any, **names: Any) -> asyncio.Handle:  # type: ignore[override]  # as it comes
        """Collect, then go on."""
        gc.collect()
        return super().call_soon_threadsafe(*args, **names)


def abandoned(
    quota: Quota,
    count: int = 1,
    *,
    bulk: bool = False,
    kind: type[asyncio.AbstractEventLoop] = asyncio.SelectorEventLoop,
) -> list[asyncio.Task[None]]:
    """Waiters whose loop was closed under them; somebody still holds their tasks."""
    loop = kind()
    wait = quota.acquire_bulk if bulk else quota.acquire
    tasks = [loop.create_task(wait()) for _ in range(count)]
    for task in tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # that is the point
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    return tasks


@pytest.mark.parametrize("bulk", [False, True])
@pytest.mark.parametrize("count", [1, 3])
def test_a_waiter_at_the_head_whose_loop_died_blocks_nobody(count: int, bulk: bool) -> None:
    """Waiters of a closed loop stand at the head of the queue: calls of other loops go on."""
    quota = Quota(200.0)
    quota.penalize(0.02)
    dead = abandoned(quota, count, bulk=bulk)

    async def main() -> None:
        await quota.acquire()
        await quota.acquire_bulk()

    run_in_threads(main, main)
    assert not any(task.done() for task in dead)


def test_a_waiter_in_the_middle_whose_loop_died_blocks_nobody() -> None:
    """Waiters of a closed loop stand between others: those behind them get their turn, and the dead end quietly."""
    quota = Quota(200.0)
    dead: list[asyncio.Task[None]] = []

    async def main() -> None:
        first = [asyncio.ensure_future(quota.acquire()) for _ in range(2)]
        await asyncio.sleep(0)
        dead.extend(await asyncio.to_thread(abandoned, quota, 3))
        await asyncio.gather(*first, quota.acquire(), quota.acquire_bulk())

    quota.penalize(0.03)
    run_in_threads(main)
    assert len(dead) == 3
    dead.clear()
    gc.collect()  # a traceback of the dead would be a warning, and a warning an error


def test_collecting_the_dead_does_not_lock_the_quota() -> None:
    """The garbage collector may end a forgotten waiter at any moment, also while the quota is being used."""
    quota = Quota(300.0)

    async def main() -> None:
        first = asyncio.ensure_future(quota.acquire())
        await asyncio.sleep(0)
        await asyncio.to_thread(lambda: len(abandoned(quota, 3, kind=CollectingLoop)))
        await asyncio.gather(first, quota.acquire())

    quota.penalize(0.03)
    run_in_threads(main)


def test_a_waiter_whose_loop_stands_still_blocks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that does not run for a while loses its turn to others; when it runs again, its call goes as well."""
    monkeypatch.setattr("g2a_async.quota._PATIENCE", 0.02)
    quota = Quota(200.0)
    quota.penalize(0.01)
    with asyncio.Runner() as idle:

        async def begin() -> asyncio.Task[None]:
            task = asyncio.ensure_future(quota.acquire())
            await asyncio.sleep(0)
            return task

        async def end(task: asyncio.Task[None]) -> None:
            await asyncio.wait_for(task, 3)

        async def main() -> None:
            await asyncio.gather(quota.acquire(), quota.acquire_bulk())

        task = idle.run(begin())
        run_in_threads(main, main)
        assert not task.done()
        idle.run(end(task))
