"""Calls that fail leave nothing behind: no connection, no task, no file descriptor, no turn of the quota."""

import asyncio
import random
from pathlib import Path
from typing import Literal

import pytest

from g2a_async import G2AClient, G2AError, Quota, RetryPolicy, Settings
from g2a_async.emulator import Emulator

FAULTS: list[Literal["reset", "truncate", "html", "garbage", "empty"]] = [
    "reset",
    "truncate",
    "html",
    "garbage",
    "empty",
]


def open_files() -> int:
    """File descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_thousand_failures_leave_nothing() -> None:
    """After a thousand calls that were cut, spoilt or cancelled, all is as before, and the next call works."""
    chance = random.Random(1)
    async with Emulator() as emulator:
        session = emulator.state.add_session()
        settings = Settings(
            base_url=emulator.url, requests_per_second=None, retry=RetryPolicy.none(), max_connections=10, deadline=5
        )
        async with G2AClient(emulator.access_token, settings=settings, limiter=Quota(1e6)) as g2a:
            await g2a.sessions.get(str(session.session_id))
            tasks, files = asyncio.all_tasks(), open_files()

            async def fail(number: int) -> str:
                try:
                    async with asyncio.timeout(0.0 if number % 7 == 0 else 5):
                        await g2a.sessions.get(str(session.session_id))
                except (G2AError, TimeoutError) as error:
                    return type(error).__name__
                return "nothing"

            kinds = set()
            for turn in range(20):
                emulator.faults.clear()
                emulator.faults.add("*", chance.choice(FAULTS), times=None)
                kinds |= set(await asyncio.gather(*[fail(50 * turn + number) for number in range(50)]))
            emulator.faults.clear()
            await g2a.sessions.get(str(session.session_id))
            assert {"TimeoutError", "TransportError", "DecodeError", "ServerError"} <= kinds
            await asyncio.sleep(0.02)
            lease = await g2a._transport.pool.lease()
            assert lease.slots._value == 10
        await asyncio.sleep(0.02)
        handlers = {task for task in asyncio.all_tasks() - tasks if "RequestHandler" not in repr(task)}
        assert handlers == set()
        assert open_files() <= files


@pytest.mark.parametrize("kind", ["slow", "stall"])
async def test_a_cancelled_call_gives_everything_back(kind: Literal["slow", "stall"]) -> None:
    """A call cancelled while the service is slow ends at once, with its connection, and the others go on."""
    async with Emulator() as emulator:
        session = emulator.state.add_session()
        emulator.faults.add("GET /sessions/{sessionId}", kind, seconds=5.0, times=1)
        settings = Settings(base_url=emulator.url, requests_per_second=None, max_connections=1)
        async with G2AClient(emulator.access_token, settings=settings) as g2a:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await g2a.sessions.get(str(session.session_id))
            async with asyncio.timeout(1):
                await g2a.sessions.get(str(session.session_id))
