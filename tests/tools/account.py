"""An account whose sessions have a life, on a fake clock: what a watch asks, and what it was told."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Collection
from datetime import datetime
from typing import Any

from g2a_async import BadRequestError, G2AError, NotFoundError, Session, SessionChange
from g2a_async.clock import Clock
from g2a_async.codec import read
from g2a_async.endpoints import GET_SESSION
from g2a_async.watch import watch
from g2a_async.watcher import Source
from tools.clock import EPOCH, FakeClock

TICK = 5.0
Row = dict[str, Any]


class Account:
    """Sessions that have a status at each tick; None where there is no such session. The last one stays."""

    def __init__(self, clock: Clock | None = None, /, **lives: tuple[str | None, ...]) -> None:
        self.fake = FakeClock()
        self.clock: Clock = clock or self.fake
        self.lives = lives
        self.more: dict[str, Row] = {}
        """What else is told of a session."""
        self.tokens: dict[str, str] = {}
        """Whom a look-up finds by another name."""
        self.hidden: set[str] = set()
        """Whom the list leaves out."""
        self.fails: dict[int, G2AError] = {}
        """By tick."""
        self.lookup_fails: dict[int, G2AError] = {}
        self.latency: Callable[[], float] = lambda: 0.0
        self.lookup_latency = 0.0
        self.longest: float | None = None
        """Seconds: the list refuses longer ranges."""
        self.wrap: Callable[[list[Row]], Any] = lambda rows: {"totalNumSessions": len(rows), "sessions": rows}
        self.listed: list[float] = []
        """When the list was asked for."""
        self.ranges: list[tuple[datetime, datetime | None]] = []
        self.lookups: list[tuple[int, str]] = []
        self.events: list[tuple[float, str | None, dict[str, str]]] = []
        """What was answered and when: to whose look-up (None: the list), and the statuses."""

    @property
    def tick(self) -> int:
        """How many ticks are over."""
        return int((self.clock.monotonic() - 1000.0) / TICK)

    def row(self, name: str) -> Row | None:
        """The session as it is now."""
        life = self.lives.get(name, (None,))
        status = life[min(self.tick, len(life) - 1)]
        return None if status is None else {"sessionId": name, "status": status, **self.more.get(name, {})}

    async def list(self, begin: datetime, end: datetime | None) -> bytes:
        """The list call, whose answer is as of its end."""
        self.listed.append(self.clock.monotonic())
        self.ranges.append((begin, end))
        if latency := self.latency():
            await self.clock.sleep(latency)
        if self.tick in self.fails:
            raise self.fails[self.tick]
        length = (end or self.clock.now()) - begin
        if self.longest is not None and length.total_seconds() > self.longest:
            raise BadRequestError(400)
        rows = [
            row
            for name in self.lives
            if name not in self.hidden and (row := self.row(name)) is not None and _is_within(row, begin, end)
        ]
        self.events.append((self.clock.monotonic(), None, {row["sessionId"]: row["status"] for row in rows}))
        return json.dumps(self.wrap(rows)).encode()

    async def look_up(self, name: str) -> Session:
        """The call for one session."""
        self.lookups.append((self.tick, name))
        if self.tick in self.lookup_fails:
            raise self.lookup_fails[self.tick]
        await self.clock.sleep(self.lookup_latency)
        row = self.row(self.tokens.get(name, name))
        if row is None:
            raise NotFoundError(404)
        self.events.append((self.clock.monotonic(), name, {row["sessionId"]: row["status"]}))
        return read(json.dumps(row).encode(), Session, GET_SESSION)

    def watch(
        self,
        names: Collection[str] | None,
        *,
        interval: float = TICK,
        timeout: float | None = 600.0,
        since: datetime | None = None,
        service: str = "",
    ) -> AsyncGenerator[SessionChange]:
        """A watch of it; all of them share a poll."""
        source = Source(self.list, self.look_up)
        return watch(self, service, source, self.clock, names, interval=interval, since=since, timeout=timeout)


def _is_within(row: Row, begin: datetime, end: datetime | None) -> bool:
    start = datetime.fromisoformat(row.get("startedAt") or EPOCH.isoformat())
    return begin.replace(microsecond=0) <= start <= (end or start)


def told(changes: list[SessionChange]) -> list[tuple[str, str | None, str]]:
    """What became of whom."""
    return [
        (
            change.session.session_id,
            change.previous.status.value if change.previous else None,
            change.session.status.value,
        )
        for change in changes
    ]


async def whole(account: Account, names: list[str] | None, interval: float = TICK) -> list[SessionChange]:
    """All that a watch gives."""
    return [change async for change in account.watch(names, interval=interval)]


async def rest() -> None:
    """Long enough for the loop to close generators that were dropped."""
    for _ in range(10):
        await asyncio.sleep(0)
