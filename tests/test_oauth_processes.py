"""One refresh for all processes that share a store, and what `kill -9` leaves behind."""

import asyncio
import os
import random
import threading
import time
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from tools.oauth import Address, Child, Graceful, ended, refreshes

from g2a_async import G2AClient, Settings
from g2a_async.clock import SystemClock
from g2a_async.emulator import Emulator
from g2a_async.file_store import FileTokenStore
from g2a_async.oauth import OAuth2
from g2a_async.tokens import Token


class Tomorrow(SystemClock):
    """The machine's time, and `ahead` seconds."""

    ahead = 0.0

    def now(self) -> datetime:
        """Tell the time of day."""
        return super().now() + timedelta(seconds=self.ahead)


def call_with_many_tasks(address: Address, path: Path, tasks: int, pipe: Connection) -> None:
    """Whenever told to, make a call in each of many tasks, and tell what came of them."""

    async def work() -> None:
        clock = Tomorrow()
        auth = address.oauth(store=FileTokenStore(path), refresh_token=None, clock=clock)
        settings = Settings(base_url=address.url, requests_per_second=None)
        async with G2AClient(auth, settings=settings) as client:
            pipe.send("ready")
            while (ahead := await asyncio.to_thread(pipe.recv)) is not None:
                clock.ahead = ahead
                ends = await asyncio.gather(
                    *(client.companies.list().collect() for _ in range(tasks)), return_exceptions=True
                )
                pipe.send({repr(end) for end in ends})

    asyncio.run(work())


async def store_with(path: Path, token: Token) -> FileTokenStore:
    """Make a store that has *token*."""
    store = FileTokenStore(path)
    await store.save(token)
    return store


def test_one_refresh_for_each_generation(tmp_path: Path) -> None:
    """500 tasks in 4 processes with one store refresh once at each end of a token, and nobody sees a 401."""
    path = tmp_path / "token.json"
    with Emulator() as emulator:
        emulator.state.oauth.rotate = True
        store = asyncio.run(store_with(path, ended(emulator.refresh_token)))
        children = [Child(call_with_many_tasks, Address.of(emulator), path, 125) for _ in range(4)]
        try:
            assert [child.hear() for child in children] == ["ready"] * 4
            generations: list[int] = []
            # The first token has ended; the second is due; the others end for the server alone.
            for ahead, passed in [(0, 0), (3500, 3500), (3500, 3700), (3500, 3700)]:
                emulator.clock.advance(passed)
                for child in children:
                    child.say(ahead)
                assert [child.hear() for child in children] == [{"[]"}] * 4
                generations.append(refreshes(emulator))
        finally:
            for child in children:
                child.kill()
        kept = asyncio.run(store.load())
        assert generations == [1, 2, 3, 4]
        assert kept is not None
        assert kept.refresh_token in emulator.state.oauth.refresh_tokens


def refresh_for_ever(address: Address, path: Path, pipe: Connection) -> None:
    """Tell of the first refresh, and go on."""

    async def work() -> None:
        auth = address.oauth(store=FileTokenStore(path), refresh_token=None)
        try:
            token = await auth.token()
            while True:
                token = await auth.renew(token) or ""
                pipe.send(None)
                await asyncio.sleep(random.uniform(0, 0.01))
                auth = address.oauth(store=FileTokenStore(path), refresh_token=None)
        except BaseException as error:  # noqa: BLE001  whatever it is, it fails the test
            pipe.send(repr(error))

    asyncio.run(work())


@pytest.mark.system
@pytest.mark.parametrize("rotate", [False, True])
def test_kill_9_leaves_a_store_from_which_the_next_goes_on(tmp_path: Path, rotate: bool) -> None:
    """Processes are killed while they refresh; whoever comes next, or was there, always gets a new token."""
    path = tmp_path / "token.json"
    with Emulator() as emulator:
        emulator.state.oauth.rotate = rotate
        # A server that ended a refresh token while its successor was on the way to a process that is
        # being killed would leave nobody with a token that works: there, the user must log in anew.
        emulator.state.oauth.refresh_tokens = Graceful(emulator.state.oauth.refresh_tokens)
        address = Address.of(emulator)
        store = asyncio.run(store_with(path, ended(emulator.refresh_token)))
        with Child(refresh_for_ever, address, path) as other:
            for _ in range(15):
                with Child(refresh_for_ever, address, path) as victim:
                    assert victim.hear() is None
                    time.sleep(random.uniform(0, 0.03))
                assert other.hear() is None
        kept = asyncio.run(asyncio.wait_for(store.load(), 5))
        assert kept is not None
        auth = address.oauth(store=store, refresh_token=None)
        assert asyncio.run(asyncio.wait_for(auth.renew(kept.access_token), 5)) not in {None, kept.access_token}


def live_on() -> None:
    """Do nothing, in a forked child, for longer than the test takes."""
    time.sleep(30)
    os._exit(0)


def hold(path: Path, pipe: Connection) -> None:
    """Take the lock of a file store, and keep it; a forked child of this process lives on."""

    async def work() -> None:
        async with FileTokenStore(path).lock():
            child = os.fork()
            if child == 0:
                live_on()
            pipe.send(child)
            await asyncio.sleep(30)

    asyncio.run(work())


async def locked(store: FileTokenStore) -> bool:
    """Try whether somebody has the lock."""
    try:
        async with asyncio.timeout(0.05), store.lock():
            return False
    except TimeoutError:
        return True


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    """The lock of a process that is killed is free at once, although a child that it had forked lives on."""
    store = FileTokenStore(tmp_path / "token.json")
    with Child(hold, store.path) as holder:
        orphan = holder.hear()
        try:
            before = asyncio.run(locked(store))
            holder.kill()
            after = asyncio.run(locked(store))
        finally:
            os.kill(orphan, 9)
    assert (before, after) == (True, False)


def tell_token(auth: OAuth2, pipe: Connection) -> None:
    """Tell the token, in a forked child, whose running loop is its parent's: a new thread has none."""
    thread = threading.Thread(target=lambda: pipe.send(asyncio.run(asyncio.wait_for(auth.token(), 10))))
    thread.start()
    thread.join()
    os._exit(0)


def renew_in_a_fork(address: Address, path: Path, pipe: Connection) -> None:
    """Fork in the middle of a refresh; parent and child tell their tokens."""

    async def work() -> None:
        auth = address.oauth(store=FileTokenStore(path), refresh_token=None)
        asking = asyncio.create_task(auth.token())
        await asyncio.sleep(0.05)
        if os.fork() == 0:
            tell_token(auth, pipe)
        pipe.send(await asking)

    asyncio.run(work())
    os.wait()


def test_a_fork_in_the_middle_of_a_refresh(tmp_path: Path) -> None:
    """The child waits for nothing that only its parent does, and shares the token by the store."""
    path = tmp_path / "token.json"
    with Emulator() as emulator:
        emulator.faults.add("POST /oauth/token", "slow", seconds=0.2)
        asyncio.run(store_with(path, ended(emulator.refresh_token)))
        with Child(renew_in_a_fork, Address.of(emulator), path) as child:
            assert child.hear() == child.hear()
        assert refreshes(emulator) == 1
