"""One refresh for all tasks, threads and event loops, whoever of them goes away in the middle of it."""

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import uvloop
from tools.oauth import HOME, TOKEN_CALL, Address, Child, code_of, ended, oauth_for, refreshes, settled

from g2a_async.emulator import Emulator
from g2a_async.file_store import FileTokenStore
from g2a_async.flight import SingleFlight
from g2a_async.oauth import OAuth2
from g2a_async.tokens import MemoryTokenStore, Token, TokenStore

Loops = Callable[[], asyncio.AbstractEventLoop]
LOOPS = pytest.mark.parametrize("loops", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Run an authorization server that replaces refresh tokens."""
    with Emulator() as running:
        running.state.oauth.rotate = True
        yield running


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> TokenStore:
    """Make an empty store."""
    return MemoryTokenStore() if request.param == "memory" else FileTokenStore(tmp_path / "token.json")


def run(loops: Loops, work: Coroutine[Any, Any, Any]) -> Any:
    """Run *work* as `asyncio.run` does, on a loop of this kind."""
    with asyncio.Runner(loop_factory=loops) as runner:
        return runner.run(work)


@LOOPS
def test_works_from_one_loop_after_another(emulator: Emulator, store: TokenStore, loops: Loops) -> None:
    """The token of the first `asyncio.run` serves the second, and a third can refresh it."""
    auth = oauth_for(emulator, store=store)
    first, second = run(loops, auth.token()), run(loops, auth.token())
    assert first == second
    assert run(loops, auth.renew(first)) not in {None, first}
    assert refreshes(emulator) == 2


@LOOPS
def test_one_refresh_for_all_threads(emulator: Emulator, store: TokenStore, loops: Loops) -> None:
    """Eight threads, each with a loop of its own and 25 tasks on it, make one refresh."""
    auth = oauth_for(emulator, store=store)
    together = threading.Barrier(8)

    async def many(stale: str | None) -> set[str | None]:
        together.wait()
        return set(await asyncio.gather(*(auth.renew(stale) if stale else auth.token() for _ in range(25))))

    with ThreadPoolExecutor(8) as threads:
        first = set.union(*threads.map(lambda _: run(loops, many(None)), range(8)))
        stale = first.pop()
        second = set.union(*threads.map(lambda _: run(loops, many(stale)), range(8)))
    assert not first
    assert len(second) == 1
    assert refreshes(emulator) == 2


def test_one_refresh_for_all_objects(emulator: Emulator, store: TokenStore) -> None:
    """Eight objects in eight threads, with one store, make one refresh."""
    together = threading.Barrier(8)
    asyncio.run(store.save(ended(emulator.refresh_token)))

    def one(_: int) -> str:
        auth = oauth_for(emulator, store=store, refresh_token=None)
        together.wait()
        return asyncio.run(auth.token())

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(one, range(8)))) == 1
    assert refreshes(emulator) == 1


async def test_a_cancelled_caller_does_not_cancel_the_refresh(emulator: Emulator, store: TokenStore) -> None:
    """When all who wait are cancelled, the first one too, the refresh goes on, and its token is the next one's."""
    emulator.faults.add(TOKEN_CALL, "slow", seconds=0.05, after=True)
    auth = oauth_for(emulator, store=store)
    callers = [asyncio.create_task(auth.token()) for _ in range(10)]
    await settled(lambda: refreshes(emulator) > 0)
    for caller in callers:
        caller.cancel()
    assert {type(end) for end in await asyncio.gather(*callers, return_exceptions=True)} == {asyncio.CancelledError}
    assert await auth.token()
    assert refreshes(emulator) == 1


async def test_a_cancelled_caller_costs_the_others_nothing(emulator: Emulator) -> None:
    """The one who began the refresh is cancelled, and the others get its token."""
    emulator.faults.add(TOKEN_CALL, "slow", seconds=0.03)
    auth = oauth_for(emulator)
    callers = [asyncio.create_task(auth.token()) for _ in range(10)]
    await asyncio.sleep(0.01)
    callers[0].cancel()
    assert len(set(await asyncio.gather(*callers[1:]))) == 1
    assert refreshes(emulator) == 1


@pytest.mark.parametrize("policy", ["file", "memory"])
async def test_a_caller_can_be_cancelled_at_any_point(policy: str, tmp_path: Path) -> None:
    """Wherever a caller is cancelled, one refresh is made, and none is lost, although the server takes no old token."""
    async with Emulator() as emulator:
        emulator.state.oauth.rotate = True
        store = MemoryTokenStore() if policy == "memory" else FileTokenStore(tmp_path / "token.json")
        auth = oauth_for(emulator, store=store)
        token: str | None = await auth.token()
        for steps in range(60):
            assert token is not None
            auth = oauth_for(emulator, store=store, refresh_token=None)
            caller = asyncio.create_task(auth.renew(token))
            for _ in range(steps):
                await asyncio.sleep(0)
            caller.cancel()
            await asyncio.gather(caller, return_exceptions=True)
            token = await auth.renew(token)
            assert refreshes(emulator) == steps + 2


@LOOPS
def test_a_loop_can_end_at_any_point_of_a_refresh(emulator: Emulator, tmp_path: Path, loops: Loops) -> None:
    """A program that ends in the middle of a refresh loses no token, though the server takes no old one."""
    store = FileTokenStore(tmp_path / "token.json")
    auth = oauth_for(emulator, store=store)
    token = run(loops, auth.token())

    async def leave(auth: OAuth2, token: str, steps: int) -> None:
        caller = asyncio.create_task(auth.renew(token))
        for _ in range(steps):
            await asyncio.sleep(0.0002)
        caller.cancel()

    for steps in range(40):
        auth = oauth_for(emulator, store=store, refresh_token=None)
        run(loops, leave(auth, token, steps))
        token, before = run(loops, asyncio.wait_for(auth.renew(token), 5)), token
        assert token not in {None, before}


class BoundMemory(MemoryTokenStore):
    """A store whose methods do not work on any loop, as those of most databases."""

    any_loop = False


class BoundFile(FileTokenStore):
    """The same, in a file."""

    any_loop = False


def leave_and_take_over(address: Address, path: Path | None, tell: Connection) -> None:
    """Begin a refresh on a loop, close that without a word, and let another thread have the token."""
    auth = address.oauth(store=BoundMemory() if path is None else BoundFile(path))
    loop = asyncio.new_event_loop()
    left = loop.create_task(auth.token())
    loop.run_until_complete(asyncio.sleep(0.05))
    waiting = threading.Event()

    async def wait() -> str:
        asyncio.get_running_loop().call_later(0.01, waiting.set)
        return await asyncio.wait_for(auth.token(), 5)

    with ThreadPoolExecutor(1) as thread:
        token = thread.submit(asyncio.run, wait())
        waiting.wait(5)
        loop.close()
        tell.send((left.done(), token.result()))


@pytest.mark.parametrize("how", ["closed", "idle"])
def test_a_refresh_outlives_its_loop(
    emulator: Emulator, store: TokenStore, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A loop that is closed or left in the middle of a refresh, without a word, costs nobody anything."""
    caplog.set_level(logging.CRITICAL + 1, "asyncio")  # it complains of the task that was left
    emulator.faults.add(TOKEN_CALL, "slow", seconds=0.05)
    auth = oauth_for(emulator, store=store)
    loop = asyncio.new_event_loop()
    left = loop.create_task(auth.token())
    loop.run_until_complete(settled(lambda: refreshes(emulator) > 0))
    if how == "closed":
        loop.close()
    token = asyncio.run(asyncio.wait_for(auth.token(), 5))
    assert asyncio.run(store.load()) == auth._tokens._usable()
    assert refreshes(emulator) == 1
    if how == "idle":
        assert loop.run_until_complete(left) == token
        loop.close()
    del left, loop
    gc.collect()


def test_waiting_threads_do_not_hold_a_refresh_up(emulator: Emulator, store: TokenStore) -> None:
    """When all threads of the loop's executor wait for the refresh, it needs none of them."""
    emulator.faults.add(TOKEN_CALL, "slow", seconds=0.02)
    auth = oauth_for(emulator, store=store)

    async def main() -> set[str]:
        first = asyncio.create_task(auth.token())
        await asyncio.sleep(0)
        others = [asyncio.to_thread(lambda: asyncio.run(auth.token())) for _ in range(40)]
        return {await first, *await asyncio.gather(*others)}

    assert len(asyncio.run(asyncio.wait_for(main(), 10))) == 1
    assert refreshes(emulator) == 1


async def test_a_refresh_that_cannot_begin_holds_up_nobody(
    emulator: Emulator, store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the system has no more threads, that call fails, and the next one begins anew."""
    auth = oauth_for(emulator, store=store)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="thread"):
            await auth.token()
    assert await asyncio.wait_for(auth.token(), 5)


async def test_a_code_is_exchanged_though_its_caller_leaves(emulator: Emulator, store: TokenStore) -> None:
    """A time-out around a login comes when it should, and the code, which works once, is not lost."""
    emulator.faults.add(TOKEN_CALL, "slow", seconds=0.2)
    auth = oauth_for(emulator, store=store, refresh_token=None)
    code = await code_of(auth)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(auth.exchange_code(code, HOME), 0.02)
    assert time.monotonic() - began < 0.19
    while await store.load() is None:  # noqa: ASYNC110  it becomes so in another thread
        await asyncio.sleep(0.001)


@pytest.mark.system
@pytest.mark.parametrize("kind", ["memory", "file"])
def test_others_take_over_when_a_loop_dies(emulator: Emulator, kind: str, tmp_path: Path) -> None:
    """A loop that is closed in the middle of a refresh, without a word, costs the other threads a moment only."""
    emulator.faults.add(TOKEN_CALL, "slow", seconds=30)
    path = tmp_path / "token.json" if kind == "file" else None
    with Child(leave_and_take_over, Address.of(emulator), path) as child:
        left_done, token = child.hear()
    assert not left_done
    assert emulator.state.oauth.valid(token, emulator.clock.now())
    assert refreshes(emulator) == 2


async def test_an_error_that_nobody_waits_for_is_no_noise(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """A refresh that fails after all callers were cancelled leaves nothing in asyncio's log."""
    emulator.faults.add(TOKEN_CALL, "slow", seconds=0.02)
    auth = oauth_for(emulator, refresh_token="revoked")
    caller = asyncio.create_task(auth.token())
    await settled(lambda: refreshes(emulator) > 0)
    caller.cancel()
    await settled(lambda: auth._tokens._flights._flight is None and len(asyncio.all_tasks()) == 1)
    gc.collect()
    assert not [record for record in caplog.records if record.name == "asyncio"]


async def test_a_shared_token_is_never_the_refused_one(emulator: Emulator) -> None:
    """Who was refused with the token that others are just taking from the store gets another one."""

    class Slow(MemoryTokenStore):
        async def load(self) -> Token | None:
            await asyncio.sleep(0.005)
            return await super().load()

    auth = oauth_for(emulator, store=Slow(Token("stored", emulator.refresh_token)), refresh_token=None)
    taken, renewed = await asyncio.gather(auth.token(), auth.renew("stored"))
    assert taken == "stored"
    assert renewed not in {None, "stored"}
    assert refreshes(emulator) == 1


def test_a_closed_loop_lets_go_of_its_locks(caplog: pytest.LogCaptureFixture) -> None:
    """Work that a closed loop left is ended, also where it would wait on its way out, before another begins it anew."""
    caplog.set_level(logging.CRITICAL + 1, "asyncio")  # it complains of the tasks that were left
    flights: SingleFlight[str] = SingleFlight()
    store = MemoryTokenStore()

    async def left() -> str:
        async with store.lock():
            try:
                await asyncio.sleep(30)
            finally:
                await asyncio.sleep(0)
        return "left"

    async def anew() -> str:
        async with store.lock():
            return "anew"

    loop = asyncio.new_event_loop()
    waiting = loop.create_task(flights.share(left))
    loop.run_until_complete(asyncio.sleep(0.001))
    loop.close()
    assert asyncio.run(asyncio.wait_for(flights.share(anew), 5)) == "anew"
    assert not waiting.done()
    del waiting, loop
    gc.collect()


async def test_work_that_fails_is_everybodys() -> None:
    """An error that is not ours reaches all who share the work."""
    flights: SingleFlight[None] = SingleFlight()

    async def work() -> None:
        await asyncio.sleep(0)
        raise LookupError

    ends = await asyncio.gather(*(flights.share(work) for _ in range(5)), return_exceptions=True)
    assert [type(end) for end in ends] == [LookupError] * 5
