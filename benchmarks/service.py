"""A service for benchmarks: canned answers over HTTP/1.1, in a process of its own that no client pays for.

How much it holds is said in the address: under `{url}/1000` there are 1,000 companies, and 1,000 sessions in whatever
range is asked for. `{url}/1000/odd` has the same sessions with everything that a client must bear with.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from functools import cache
from multiprocessing.connection import Connection
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

from rounds import SPAWN, pin

NAMES: Final = ["Ana", "Björn", "Carla", "Dmitri", "Élodie", "Farah", "George", "Hiro", "Inês", "Jack", "Kim", "Lena"]
STATUSES: Final = ["complete"] * 80 + ["abandoned"] * 10 + ["active"] * 5 + ["waiting"] * 3 + ["notStarted"] * 2

Answer = Callable[[str], bytes]
"""The body for a path with its query."""


def session(number: int, status: str | None = None) -> dict[str, Any]:
    """A session as the list gives it, with as many attributes as one of its status has."""
    chance = random.Random(number)
    drawn, day, hour = chance.choice(STATUSES), 1 + number % 28, number % 23
    status = status or drawn
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


def odd_session(number: int) -> dict[str, Any]:
    """The same with what a client must bear with: a number for the ID, `+0000` for the zone, unknown attributes."""
    told = session(number)
    told["sessionId"] = int(told["sessionId"])
    for name in ("startedAt", "customerJoinedAt", "endedAt"):
        if name in told:
            told[name] = told[name].removesuffix("Z") + "+0000"
    return told | {"deviceCount": number % 3, "labels": ["vip"] if number % 7 == 0 else []}


def dump(value: Any) -> bytes:
    """JSON as services write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def sessions(count: int, first: int = 0, make: Callable[[int], dict[str, Any]] = session) -> bytes:
    """The answer of the list call."""
    return dump({"totalNumSessions": count, "sessions": [make(first + number) for number in range(count)]})


@cache
def canned(target: str) -> bytes:
    """What this service answers."""
    url = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    _, size, *path = url.path.split("/")
    make, count = odd_session if path[0] == "odd" else session, int(size)
    if path[-1] == "sessions":
        day = date.fromisoformat(query["fromTime"][:10]).toordinal()  # a day's sessions are not another's
        return sessions(count, (day - 736_000) * count, make)
    if path[-1] == "companies":
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 50))
        rows = [
            {"companyId": 7_000_000 + one, "companyName": f"Company {one:05d}"}
            for one in range(offset, min(count, offset + limit))
        ]
        return dump({"totalNumCompanies": count, "companies": rows})
    return dump(make(3))


class _Protocol(asyncio.Protocol):
    def __init__(self, answer: Answer, delay: float, asked: Counter[str]) -> None:
        self._answer = answer
        self._delay = delay
        self._asked = asked
        self._pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *requests, self._pending = (self._pending + data).split(b"\r\n\r\n")
        for request in requests:
            target = request.split(b" ", 2)[1].decode()
            if target == "/asked":
                body = dump(self._asked)
                self._asked.clear()
            else:
                self._asked[target.partition("?")[0]] += 1
                body = self._answer(target)
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            write = self._transport.write  # type: ignore[attr-defined]  # a TCP transport
            if self._delay:
                asyncio.get_running_loop().call_later(self._delay, write, head + body)
            else:
                write(head + body)


async def _serve(pipe: Connection, answer: Answer, delay: float) -> None:
    asked: Counter[str] = Counter()
    server = await asyncio.get_running_loop().create_server(lambda: _Protocol(answer, delay, asked), "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await asyncio.to_thread(pipe.recv)


def _run(pipe: Connection, answer: Answer, delay: float) -> None:
    pin(0)
    asyncio.run(_serve(pipe, answer, delay))


@contextmanager
def service(delay: float = 0.0, answer: Answer = canned) -> Iterator[str]:
    """The address of a service that waits *delay* seconds before each answer. *answer* is a function of a module."""
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=_run, args=(theirs, answer, delay))
    process.start()
    theirs.close()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        with suppress(OSError):  # it has ended already
            ours.send(None)
        process.join()


def asked(url: str) -> Counter[str]:
    """How often each path was asked for since this was asked last, as the service counts."""
    with urlopen(f"{url}/asked", timeout=10) as answer:
        return Counter(json.load(answer))
