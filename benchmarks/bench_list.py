"""Listing 10,000 sessions, from the request to records in hand: time, and memory above idle.

Each sample is a new process that has made its client, one call and one list of 10 before.

`python benchmarks/bench_list.py [--rounds N] [--smoke]`
"""

import asyncio
import time

from peers import CLIENTS, HTTPX, OURS, C, D
from rounds import Column, Memory, Rounds, fresh, options
from service import service


async def sample(name: str, url: str, count: int) -> dict[str, float]:
    """One list."""
    async with CLIENTS[name](f"{url}/10") as small:
        await small.list()
    async with CLIENTS[name](f"{url}/{count}") as client:
        await client.get("1")
        memory = Memory()
        began, busy = time.perf_counter(), time.process_time()
        found = await client.list()
        wall, cpu = time.perf_counter() - began, time.process_time() - busy
        peak = memory.peak
        assert len(found) == count
        return {"wall": wall * 1e3, "cpu": cpu * 1e3, "peak": peak, "held": memory.held}


def run(name: str, url: str, count: int) -> dict[str, float]:
    """A process."""
    return asyncio.run(sample(name, url, count))


def main() -> None:
    """Measure and print."""
    chosen = options(__doc__, 15, "httpx", "pydantic", "sniffio")
    rounds = Rounds(chosen)
    count = 100 if chosen.smoke else 10_000
    with service() as url:
        for name, _ in rounds.turns(dict.fromkeys([C, D, OURS, HTTPX])):
            rounds.add(name, **fresh(run, name, url, count))
    columns = [
        Column("wall ms", "wall"),
        Column("x c", "wall", C),
        Column("cpu ms", "cpu"),
        Column("x c", "cpu", C),
        Column("peak MiB", "peak"),
        Column("x c", "peak", C),
        Column("held MiB", "held"),
    ]
    rounds.table(f"{count:,} sessions", columns)
    rounds.judge("time to c's", rounds.ratio(OURS, "wall", C), most=0.8)
    rounds.judge("memory above idle to c's", rounds.ratio(OURS, "peak", C), most=0.8)


if __name__ == "__main__":
    main()
