"""Watching 10,000 sessions for 60 ticks: requests, the processor's time for a tick, and how long the loop stands still.

The sessions are active until the 60th list, which has them all complete, and one of them changes in the 2nd, 31st and
59th, so that the ticks can be told from outside. Between the first two of these the processor's time of a tick is
taken, between the last two the longest that the loop stands still (`block`), and that of the first two ticks, where
everything is new (`first`), and of the last one, where everything ends (`last`): with nothing else new, with the same
in another order, and with one session, or all of them, that change at each tick. Blocks are processor's time, too: what
else the machine does is no fault of a loop. Beside it, what it takes by hand: reading, `orjson.loads`, and a loop that
compares the dicts of `json.loads`. Then 5,000 waits, each for one session, that all begin at once.

`python benchmarks/bench_watch.py [--rounds N] [--smoke]`
"""

import asyncio
import gc
import itertools
import json
import time
from collections import Counter
from collections.abc import Callable
from functools import cache, lru_cache
from importlib import import_module
from statistics import fmean
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import aiohttp
from peers import SINCE
from rounds import Column, Rounds, options
from service import asked, dump, service, session

from g2a_async import G2AClient, Quota, Settings

TICKS = 60
MARKS = (1, 2, 31, 59, 60)
"""The lists in which the first session is another than before; all of them, where one changes at each tick."""
STILL, ORDER, ONE, ALL, WAITS, READ, ORJSON, RAW = (
    "g2a_async, nothing new",
    "g2a_async, another order",
    "g2a_async, one changes",
    "g2a_async, all change",
    "g2a_async, 5,000 waits",
    "aiohttp, reading alone",
    "orjson.loads alone",
    "aiohttp + json.loads, compared",
)
_lists: Counter[str] = Counter()


@cache
def _records(count: int, status: str) -> tuple[bytes, ...]:
    return tuple(dump(session(number, status)) for number in range(count))


@lru_cache(4)
def _body(count: int, status: str, turned: int, seen: int, noted: int) -> bytes:
    records = [*_records(count, status)]
    for number in range(noted):
        records[number] = b'%s,"notes":"seen %d"}' % (records[number][:-1], seen)
    records = records[turned:] + records[:turned]
    return b'{"totalNumSessions":%d,"sessions":[%s]}' % (count, b",".join(records))


def answer(target: str) -> bytes:
    """`/{count}/{kind}/{run}/sessions`: the next list of a run."""
    path = urlsplit(target).path
    count, kind, *_ = path.strip("/").split("/")
    _lists[path] += 1
    tick = _lists[path]
    if tick >= TICKS:
        return _body(int(count), "complete", 0, 0, 0)
    seen = tick if kind in {"one", "all"} else sum(mark <= tick for mark in MARKS)
    return _body(int(count), "active", tick % 50 * (kind == "order"), seen, int(count) if kind == "all" else 1)


class Beat:
    """The longest that the loop stood still, in ms of its thread's processor time, and as much as one too long.

    It costs time itself, so that it pauses where that is measured.
    """

    def __init__(self) -> None:
        self._longest = 0.0
        self._task: asyncio.Task[None] | None = None
        self.start()

    async def _run(self) -> None:
        while True:
            began = time.thread_time()
            await asyncio.sleep(0.001)
            self._longest = max(self._longest, (time.thread_time() - began) * 1e3)

    def start(self) -> None:
        """From now on."""
        self._longest = 0.0
        self._task = asyncio.create_task(self._run())

    def stop(self) -> float:
        """The longest until now."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        return self._longest


class Course:
    """One run: the processor's time in the first half, the longest block in the second, at its beginning and end."""

    def __init__(self) -> None:
        self._beat = Beat()
        self._busy = 0.0
        self._found: dict[str, float] = {}

    def at(self, tick: int) -> None:
        """The list of this tick has been read."""
        if tick == MARKS[1]:
            self._found["first"] = self._beat.stop()
            self._busy = time.process_time()
        elif tick == MARKS[2]:
            self._found["cpu"] = (time.process_time() - self._busy) / (MARKS[2] - MARKS[1]) * 1e3
            self._beat.start()
        elif tick == MARKS[3]:
            self._found["block"] = self._beat.stop()
            self._beat.start()

    def end(self) -> dict[str, float]:
        """What was found."""
        return self._found | {"last": self._beat.stop()}


async def watch(url: str, base: str, count: int, interval: float) -> dict[str, float]:
    """One watch to its end."""
    settings = Settings(base_url=f"{url}{base}", requests_per_second=None)
    ids = [session(number)["sessionId"] for number in range(count)]
    ticks = iter(range(1, TICKS + 1) if {"one", "all"} & {*base.split("/")} else MARKS)
    asked(url)
    async with G2AClient("token", settings=settings, limiter=Quota(1e9)) as g2a:
        course = Course()
        async for change in g2a.sessions.watch(ids, interval=interval, since=SINCE, timeout=100):
            if change.session.session_id == ids[0]:
                course.at(next(ticks))
        found = course.end()
    counts = asked(url)
    return found | {"lists": counts.pop(f"{base}/sessions"), "others": counts.total()}


async def poll(url: str, base: str, interval: float, use: Callable[[bytes], object]) -> dict[str, float]:
    """By hand."""
    async with aiohttp.ClientSession() as http:
        course = Course()
        for tick in range(1, TICKS + 1):
            async with http.get(f"{url}{base}/sessions") as response:
                use(await response.read())
            course.at(tick)
            await asyncio.sleep(interval)
        return course.end() | {"lists": TICKS}


async def wait(url: str, base: str, count: int, interval: float) -> dict[str, float]:
    """As many waits as sessions, all at once."""
    settings = Settings(base_url=f"{url}{base}", requests_per_second=None)
    ids = [session(number)["sessionId"] for number in range(count)]
    asked(url)
    async with G2AClient("token", settings=settings, limiter=Quota(1e9)) as g2a:
        gc.collect()
        beat = Beat()
        await asyncio.sleep(0.01)
        waits = [asyncio.create_task(g2a.sessions.wait(one, interval=interval, timeout=100)) for one in ids]
        await asyncio.sleep(0.01)
        first = beat.stop()
        beat.start()
        await asyncio.gather(*waits)
        last = beat.stop()
    counts = asked(url)
    return {"first": first, "last": last, "lists": counts.pop(f"{base}/sessions"), "others": counts.total()}


class Compare:
    """What one writes without a package."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def __call__(self, body: bytes) -> None:
        """Find what changed."""
        for one in json.loads(body)["sessions"]:
            if self._known.get(one["sessionId"]) != one:
                self._known[one["sessionId"]] = one


def load(body: bytes) -> dict[str, float]:
    """`orjson.loads`, as often."""
    loads = import_module("orjson").loads
    times = []
    for _ in range(MARKS[3] - MARKS[2]):
        began = time.thread_time()
        loads(body)
        times.append((time.thread_time() - began) * 1e3)
    return {"cpu": fmean(times), "block": max(times)}


def main() -> None:
    """Measure and print."""
    chosen = options(__doc__, 3, "orjson")
    rounds = Rounds(chosen, warm_up=0)
    count, waits, interval = (50, 25, 0.001) if chosen.smoke else (10_000, 5_000, 0.02)
    runs = itertools.count()
    with service(answer=answer) as url:
        with urlopen(f"{url}/{count}/still/body/sessions", timeout=60) as response:
            body = response.read()

        def base(kind: str) -> str:
            return f"/{count}/{kind}/{next(runs)}"

        ways: dict[str, Callable[[], dict[str, float]]] = {
            ORJSON: lambda: load(body),
            READ: lambda: asyncio.run(poll(url, base("still"), interval, len)),
            RAW: lambda: asyncio.run(poll(url, base("still"), interval, Compare())),
            STILL: lambda: asyncio.run(watch(url, base("still"), count, interval)),
            ORDER: lambda: asyncio.run(watch(url, base("order"), count, interval)),
            ONE: lambda: asyncio.run(watch(url, base("one"), count, interval)),
            ALL: lambda: asyncio.run(watch(url, base("all"), count, interval)),
            WAITS: lambda: asyncio.run(wait(url, f"/{waits}/still/{next(runs)}", waits, interval)),
        }
        for name, way in rounds.turns(ways):
            gc.collect()
            rounds.add(name, **way())
    columns = [
        Column("cpu ms", "cpu"),
        Column("x orjson", "cpu", ORJSON),
        Column("block ms", "block"),
        Column("x orjson", "block", ORJSON),
        Column("first ms", "first"),
        Column("last ms", "last"),
        Column("lists", "lists", spec=",.0f"),
        Column("look-ups", "others", spec=",.0f"),
    ]
    rounds.table(f"a tick of {count:,} sessions", columns)
    for kind in (STILL, ORDER):
        rounds.judge(f"{kind}: CPU of a tick to orjson.loads'", rounds.ratio(kind, "cpu", ORJSON), most=1.3)
    for kind in (STILL, ORDER, ONE, ALL):
        ratio = max(rounds.ratio(kind, quantity, ORJSON, "cpu") for quantity in ("first", "block", "last"))
        rounds.judge(f"{kind}: longest block to orjson.loads'", ratio, most=1.3)
    for kind in (STILL, WAITS):
        rounds.judge(
            f"{kind}: requests", max(rounds.of(kind, "lists")) + max(rounds.of(kind, "others")), most=TICKS + 5
        )


if __name__ == "__main__":
    main()
