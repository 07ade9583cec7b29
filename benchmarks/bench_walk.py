"""Walking 5,000 companies, 50 a page, from a service that takes 20 ms for each request; no quota.

`python benchmarks/bench_walk.py [--rounds N] [--smoke]`
"""

import asyncio
from contextlib import AsyncExitStack

from peers import CLIENTS, HTTPX, OURS, C, D
from rounds import Column, Rounds, options
from service import asked, service


async def measure(url: str, rounds: Rounds, count: int) -> None:
    """All samples."""
    async with AsyncExitStack() as stack:
        ways = {name: await stack.enter_async_context(CLIENTS[name](f"{url}/{count}")) for name in [C, D, HTTPX, OURS]}
        asked(url)
        for name, client in rounds.turns(ways):
            with rounds.timed(name, 1000):  # microseconds of a thousandth are milliseconds
                assert await client.walk() == count
            rounds.add(name, requests=asked(url).total())


def main() -> None:
    """Measure and print."""
    chosen = options(__doc__, 9, "httpx", "pydantic", "sniffio")
    rounds = Rounds(chosen)
    count = 250 if chosen.smoke else 5_000
    with service(0.02) as url:
        asyncio.run(measure(url, rounds, count))
    columns = [
        Column("wall ms", "wall"),
        Column("x c", "wall", C),
        Column("cpu ms", "cpu"),
        Column("x c", "cpu", C),
        Column("requests", "requests", spec=",.0f"),
    ]
    rounds.table(f"{count:,} companies", columns)
    rounds.judge("time to that of c, page after page", rounds.ratio(OURS, "wall", C), most=0.30)


if __name__ == "__main__":
    main()
