"""A service for benchmarks: canned answers over HTTP/1.1, in a process of its own that no client pays for."""

import asyncio
import json
import multiprocessing
import random
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import parse_qs, urlsplit

NAMES = ["Ana", "Björn", "Carla", "Dmitri", "Élodie", "Farah", "George", "Hiro", "Inês", "Jack", "Kim", "Lena"]
STATUSES = ["complete"] * 80 + ["abandoned"] * 10 + ["active"] * 5 + ["waiting"] * 3 + ["notStarted"] * 2


def session(number: int) -> dict[str, Any]:
    """A session as the list gives it, with as many attributes as one of its status has."""
    chance = random.Random(number)
    status, day, hour = chance.choice(STATUSES), 1 + number % 28, number % 23
    expert, customer = chance.choice(NAMES), chance.choice(NAMES)
    told: dict[str, Any] = {
        "sessionId": str(100_000_000 + number),
        "sessionType": "screen_sharing",
        "status": status,
        "accountKey": 3_000_000_000_000_000_000 + number % 17,
        "expertName": f"{expert} Expert",
        "expertEmail": f"expert{number % 90}@example.com",
        "expertUserKey": str(4_000_000_000 + number % 97),
        "partnerObject": f"TCK-{number:06d}",
        "partnerObjectUrl": f"https://desk.example.com/tickets/TCK-{number:06d}?view=agent",
        "customerName": f"{customer} Customer",
        "customerEmail": f"customer{number}@customer.example",
        "customerJoinUrl": f"https://join.example/{number}?Portal=www.example.com",
        "sessionStartToken": str(chance.randrange(10**18, 10**19)),
    }
    if status != "notStarted":
        told["startedAt"] = f"2018-08-{day:02d}T{hour:02d}:{number % 60:02d}:07Z"
    if status in {"active", "complete"}:
        told["customerJoinedAt"] = f"2018-08-{day:02d}T{hour:02d}:{number % 60:02d}:41Z"
    if status in {"complete", "abandoned"}:
        told["endedAt"] = f"2018-08-{day:02d}T{hour + 1:02d}:{number % 60:02d}:59Z"
    if status == "complete":
        told["sessionRecordingUrl"] = f"https://app.example/recordings/{number}/play"
        if number % 3 == 0:
            told["notes"] = f"{customer} reported a printer problem; reinstalled the driver and checked the queue."
    return told


def sessions(count: int) -> bytes:
    """The answer of the list call."""
    listed = {"totalNumSessions": count, "sessions": [session(number) for number in range(count)]}
    return json.dumps(listed, ensure_ascii=False, separators=(",", ":")).encode()


def _answer(target: str) -> bytes:
    url = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    if url.path == "/sessions":
        return sessions(int(query["toTime"][:4]))  # the year says how many
    if url.path == "/companies":
        offset, limit = int(query["offset"]), int(query["limit"])
        rows = [{"companyId": one, "companyName": f"Company {one}"} for one in range(offset, min(5000, offset + limit))]
        return json.dumps({"totalNumCompanies": 5000, "companies": rows}).encode()
    return json.dumps(session(3)).encode()


class _Protocol(asyncio.Protocol):
    cache: dict[str, bytes] = {}  # noqa: RUF012  shared on purpose

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        *requests, self.pending = (self.pending + data).split(b"\r\n\r\n")
        for request in requests:
            target = request.split(b" ", 2)[1].decode()
            if target not in self.cache:
                body = _answer(target)
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
                self.cache[target] = head + body
            write = self.transport.write  # type: ignore[attr-defined]  # a TCP transport
            asyncio.get_running_loop().call_later(self.delay, write, self.cache[target]) if self.delay else write(
                self.cache[target]
            )


async def _serve(pipe: Connection, delay: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Protocol(delay), "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await asyncio.to_thread(pipe.recv)


def _run(pipe: Connection, delay: float) -> None:
    asyncio.run(_serve(pipe, delay))


@contextmanager
def service(delay: float = 0.0) -> Iterator[str]:
    """The base URL of a service that waits *delay* seconds before each answer."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(theirs, delay))
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        ours.send(None)
        process.join()
