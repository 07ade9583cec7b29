"""What a call costs the client's processor, beside raw aiohttp with json.loads. Medians of interleaved rounds, ratios.

`python benchmarks/bench_calls.py [--rounds N] [--calls N] [--smoke]`
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable

import aiohttp
from service import service

from g2a_async import G2AClient, Quota, Settings

Get = Callable[[], Awaitable[object]]


async def one_by_one(get: Get, calls: int) -> None:
    """Calls in sequence."""
    for _ in range(calls):
        await get()


async def fifty_at_once(get: Get, calls: int) -> None:
    """Calls by fifty tasks."""
    left = iter(range(calls))

    async def worker() -> None:
        for _ in left:
            await get()

    await asyncio.gather(*[worker() for _ in range(50)])


async def measure(url: str, rounds: int, calls: int) -> None:
    """All measurements, and the table."""
    settings = Settings(base_url=url, requests_per_second=None)
    limiter = Quota(1e9)  # a quota object that never holds anybody up
    async with aiohttp.ClientSession() as http, G2AClient("token", settings=settings, limiter=limiter) as g2a:

        async def raw() -> object:
            async with http.get(f"{url}/sessions/1", headers={"Authorization": "Bearer token"}) as response:
                return json.loads(await response.read())

        ways: dict[str, Get] = {"aiohttp + json.loads": raw, "g2a_async": lambda: g2a.sessions.get("1")}
        print(f"{'':26}{'cpu us':>9}{'ratio':>7}{'wall us':>9}{'calls/s':>9}{'ratio':>7}")
        for name, run in {"one by one": one_by_one, "fifty at once": fifty_at_once}.items():
            cpu: dict[str, list[float]] = {way: [] for way in ways}
            wall: dict[str, list[float]] = {way: [] for way in ways}
            for turn in range(rounds + 1):
                for way, get in ways.items():
                    began, busy = time.perf_counter(), time.process_time()
                    await run(get, calls)
                    if turn:  # the first warms up
                        cpu[way].append((time.process_time() - busy) / calls * 1e6)
                        wall[way].append((time.perf_counter() - began) / calls * 1e6)
            print(name)
            for way in ways:
                ratios = [
                    statistics.median(
                        ours / theirs for ours, theirs in zip(values[way], values["aiohttp + json.loads"], strict=True)
                    )
                    for values in (cpu, wall)
                ]
                middle = statistics.median(wall[way])
                print(
                    f"  {way:24}{statistics.median(cpu[way]):9.1f}{ratios[0]:7.2f}{middle:9.1f}"
                    f"{1e6 / middle:9,.0f}{1 / ratios[1]:7.2f}"
                )


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--calls", type=int, default=1000)
    options.add_argument("--smoke", action="store_true", help="a few calls, to see that it runs")
    chosen = options.parse_args()
    with service() as url:
        asyncio.run(measure(url, 1, 50) if chosen.smoke else measure(url, chosen.rounds, chosen.calls))


if __name__ == "__main__":
    main()
