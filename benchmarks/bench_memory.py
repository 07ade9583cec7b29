"""Memory: of a client, of walking 10,000 companies, of listing 10,000 sessions at once and, ours, in ten slices.

MiB of resident memory above what the process had before; each number is of a new process.

`python benchmarks/bench_memory.py [--rounds N] [--smoke]`
"""

import asyncio
from datetime import timedelta
from importlib import import_module

from peers import CLIENTS, HTTPX, OURS, SINCE, C, D
from rounds import Column, Memory, Rounds, fresh, options
from service import service


async def sample(name: str, work: str, url: str, count: int) -> dict[str, float]:
    """What one piece of work takes."""
    start = Memory()
    async with CLIENTS[name](f"{url}/{count}") as client:
        await client.get("1")
        found = {"client": start.held}
        memory = Memory()
        if work == "walk":
            assert await client.walk() == count
            return {"walk": memory.peak}
        records = await client.list()
        assert len(records) == count
        return found | {"list": memory.peak, "held": memory.held}


async def slices(url: str, count: int) -> dict[str, float]:
    """As many sessions, a tenth of them at a time."""
    g2a_async = import_module("g2a_async")  # in a new process nothing is there yet, or it would not be measured
    settings = g2a_async.Settings(base_url=f"{url}/{count // 10}", requests_per_second=None)
    async with g2a_async.G2AClient("token", settings=settings) as g2a:
        await g2a.sessions.get("1")
        memory, seen = Memory(), 0
        async for _ in g2a.sessions.list(SINCE, SINCE + timedelta(days=10), window=timedelta(days=1)):
            seen += 1
        assert seen == count
        return {"slices": memory.peak}


def run(name: str, work: str, url: str, count: int) -> dict[str, float]:
    """A process."""
    return asyncio.run(slices(url, count) if work == "slices" else sample(name, work, url, count))


def main() -> None:
    """Measure and print."""
    chosen = options(__doc__, 9, "httpx", "pydantic", "sniffio")
    rounds = Rounds(chosen, warm_up=0)
    count = 100 if chosen.smoke else 10_000
    with service() as url:
        for name, _ in rounds.turns(dict.fromkeys([C, D, OURS, HTTPX])):
            for work in ("walk", "list", *["slices"] * (name == OURS)):
                rounds.add(name, **fresh(run, name, work, url, count))
    columns = [
        Column("client", "client"),
        Column("walk: peak", "walk"),
        Column("list: peak", "list"),
        Column("x c", "list", C),
        Column("list: held", "held"),
        Column("x c", "held", C),
        Column("slices: peak", "slices"),
    ]
    rounds.table(f"MiB, {count:,} records", columns)


if __name__ == "__main__":
    main()
