"""Many accounts at once: clients of 50 credentials over one borrowed session, each within its own quota."""

import asyncio
import heapq
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import count

import aiohttp
from attrs import define, field

from g2a_async import G2AClient, Settings
from g2a_async.emulator import Emulator, EmulatorClock

ACCOUNTS = 50
CALLS = 25
CONNECTIONS = 20
PACE = 1 / 9
"""Seconds between two calls of a credential."""


@define
class Together:
    """The service's own frozen clock for its clients, too: time passes when every one of them waits for it."""

    emulator: EmulatorClock
    busy: int = 0
    """How many tasks are not done yet."""
    _order: "count[int]" = field(factory=count)
    _sleepers: list[tuple[float, int, asyncio.Future[None]]] = field(factory=list)

    def now(self) -> datetime:
        """The time of day."""
        return self.emulator.now()

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return self.emulator.seconds()

    async def sleep(self, seconds: float) -> None:
        """Wait until everybody does, and it is this one's turn."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.monotonic() + seconds, next(self._order), future))
        self.move()
        await future

    def move(self) -> None:
        """Let time pass, if everybody waits for it."""
        if self._sleepers and len(self._sleepers) == self.busy:
            wake, _, future = heapq.heappop(self._sleepers)
            self.emulator.advance(max(0.0, wake - self.monotonic()))
            future.set_result(None)

    async def run(self, work: Awaitable[None]) -> None:
        """Do *work* as one of those who share the time."""
        self.busy += 1
        try:
            await work
        finally:
            self.busy -= 1
            self.move()


@define
class Desk:
    """50 accounts of one service, and what became of the connections."""

    emulator: Emulator
    clock: Together
    clients: dict[str, G2AClient]
    opened: list[object] = field(factory=list)

    async def all(self, work: Callable[[G2AClient], Awaitable[None]]) -> None:
        """Every account does *work*, all at once."""
        await asyncio.gather(*[self.clock.run(work(client)) for client in self.clients.values()])

    def times(self) -> dict[str, list[float]]:
        """When the requests of each token came that were answered well."""
        found: dict[str, list[float]] = {token: [] for token in self.clients}
        for entry in self.emulator.journal:
            if entry.status == 200:
                token = (entry.authorization or "").removeprefix("Bearer ")
                found[token].append((entry.time - self.emulator.clock.start) / timedelta(seconds=1))
        return found


@asynccontextmanager
async def desk(**changes: float | None) -> AsyncIterator[Desk]:
    """A service that answers 429 over 10 requests a second of a token, and clients that share a session."""
    opened: list[object] = []

    async def on_opened(*about: object) -> None:
        opened.append(about)

    traces = aiohttp.TraceConfig()
    traces.on_connection_create_end.append(on_opened)
    async with (
        Emulator(requests_per_second=10, clock=EmulatorClock(frozen=True)) as emulator,
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS), trace_configs=[traces], headers={"X-Mine": "untouched"}
        ) as http,
    ):
        emulator.state.add_company()
        clock = Together(emulator.clock)
        tokens = [emulator.state.secret("access") for _ in range(ACCOUNTS)]
        emulator.state.oauth.access_tokens |= dict.fromkeys(tokens)
        settings = Settings(base_url=emulator.url, deadline=None, **changes)  # type: ignore[arg-type]  # numbers only
        yield Desk(
            emulator,
            clock,
            {token: G2AClient(token, settings=settings, http=http, clock=clock) for token in tokens},
            opened,
        )
        assert not http.closed


async def calls(client: G2AClient) -> None:
    """One after the other, as fast as the quota lets them."""
    for _ in range(CALLS):
        assert await client.companies.list().first() is not None


async def test_fifty_accounts_go_side_by_side() -> None:
    """Each goes at its own full pace, as if it were alone: no 429, no account behind another, 20 connections."""
    async with desk() as accounts:
        await accounts.all(calls)
        times = accounts.times()
        assert accounts.emulator.rate_limit.refused == 0
        assert {len(one) for one in times.values()} == {CALLS}
        for one in times.values():
            assert abs(one[-1] - (CALLS - 1) * PACE) < 2 * PACE
        turns = Counter(round(time / PACE) for one in times.values() for time in one)
        assert max(turns.values()) <= ACCOUNTS
        assert 1 <= len(accounts.opened) <= CONNECTIONS
        assert all(entry.header("X-Mine") is None for entry in accounts.emulator.journal)


async def test_without_quotas_they_would_be_refused() -> None:
    """The service means it: the same calls without a pace draw 429s."""
    async with desk(requests_per_second=None) as accounts:
        await accounts.all(calls)
        assert accounts.emulator.rate_limit.refused > ACCOUNTS


async def test_one_account_in_trouble_holds_up_no_other() -> None:
    """A 429 that one token draws, because somebody else uses it too, pauses that one alone."""
    async with desk() as accounts:
        troubled = next(iter(accounts.clients))
        for _ in range(10):
            accounts.emulator.rate_limit.admit(troubled)
        await accounts.all(calls)
        last = {token: one[-1] for token, one in accounts.times().items()}
        assert accounts.emulator.rate_limit.refused == 1
        assert last.pop(troubled) > CALLS * PACE + 0.9
        assert max(last.values()) < (CALLS + 1) * PACE


async def test_fifty_accounts_watch() -> None:
    """Each account's waits share a poll of its own: one list call a tick and account, and nothing of another's."""
    async with desk() as accounts:
        session = accounts.emulator.state.begin_session()

        async def wait(client: G2AClient) -> None:
            waits = [client.sessions.wait(session.session_id or "", interval=1.0) for _ in range(5)]
            assert {one.status for one in await asyncio.gather(*waits)} == {"complete"}

        await accounts.all(wait)
        assert accounts.emulator.rate_limit.refused == 0
        assert {len(one) for one in accounts.times().values()} == {4}
        assert accounts.emulator.journal.count("GET /sessions/{sessionId}") == 0
