"""Whether the default quota stays within a service that counts 10 requests in any second, and how fast it goes.

The service runs in a process of its own, delays each request by 0 to 80 ms before it counts it, and answers 429 to the
eleventh in a second. The clients, in one process or in several with a share of the quota each, send as fast as
they may.

`python benchmarks/bench_quota.py [--calls N] [--processes N] [--smoke]`; 2,000 calls take about four minutes.
"""

import argparse
import asyncio
import multiprocessing
import random
import time
from collections import deque
from multiprocessing.connection import Connection

from aiohttp import web

from g2a_async import G2AClient, RetryPolicy, Settings

WINDOW, MOST, JITTER = 1.0, 10, 0.08


async def serve(pipe: Connection) -> None:
    """Count requests in a sliding window until told to stop; then tell how many were served and refused."""
    served: deque[float] = deque()
    counts = {"served": 0, "refused": 0}

    async def handle(_: web.Request) -> web.Response:
        await asyncio.sleep(random.uniform(0, JITTER))
        now = time.monotonic()
        while served and served[0] <= now - WINDOW:
            served.popleft()
        if len(served) >= MOST:
            counts["refused"] += 1
            return web.Response(status=429)
        served.append(now)
        counts["served"] += 1
        return web.json_response({"sessionId": "1", "status": "active"})

    app = web.Application()
    app.router.add_get("/sessions/{id}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    pipe.send(runner.addresses[0][1])
    await asyncio.to_thread(pipe.recv)
    pipe.send(counts)
    await runner.cleanup()


async def call(port: int, calls: int, share: float) -> None:
    """Make *calls* calls, as many at once as the quota lets through."""
    defaults = Settings()
    settings = Settings(
        base_url=f"http://127.0.0.1:{port}",
        requests_per_second=(defaults.requests_per_second or 0) * share,
        deadline=None,
        retry=RetryPolicy.none(),
    )
    async with G2AClient("token", settings=settings) as client:
        outcomes = [outcome async for outcome in client.sessions.get_many(map(str, range(calls)), concurrency=50)]
    assert len(outcomes) == calls


def run_server(pipe: Connection) -> None:
    """A process."""
    asyncio.run(serve(pipe))


def run_client(port: int, calls: int, share: float) -> None:
    """A process."""
    asyncio.run(call(port, calls, share))


def measure(calls: int, processes: int) -> None:
    """One run and its line."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=run_server, args=(theirs,))
    server.start()
    port = ours.recv()
    clients = [
        multiprocessing.Process(target=run_client, args=(port, calls // processes, 1 / processes))
        for _ in range(processes)
    ]
    began = time.monotonic()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    elapsed = time.monotonic() - began
    ours.send(None)
    counts = ours.recv()
    server.join()
    rate = counts["served"] / elapsed
    print(f"{processes:9}{counts['served']:9,}{counts['refused']:7}{rate:15.2f}{elapsed:9.1f}", flush=True)
    assert all(client.exitcode == 0 for client in clients)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--calls", type=int, default=2000)
    options.add_argument("--processes", type=int, nargs="*", default=[1, 4])
    options.add_argument("--smoke", action="store_true", help="a few calls, to see that it runs")
    chosen = options.parse_args()
    print(f"{'processes':>9}{'served':>9}{'429':>7}{'served/second':>15}{'seconds':>9}")
    for processes in chosen.processes:
        measure(8 if chosen.smoke else chosen.calls, processes)


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
