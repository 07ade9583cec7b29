"""A scripted HTTP/1.1 server on raw sockets.

It keeps what it receives byte for byte, and misbehaves where its script says so.
Nothing of aiohttp is in it: it is the other side.
"""

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Literal, Self
from urllib.parse import parse_qsl, unquote

Then = Literal["keep", "fin", "rst", "stall"]
"""What becomes of the connection: kept for the next request, closed, reset, or left hanging."""

BASE = "/G2A/rest/v1"
PHRASES = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request as it came."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int

    @property
    def raw_path(self) -> str:
        """The path, still percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def path(self) -> str:
        """The path, decoded."""
        return unquote(self.raw_path, errors="strict")

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query's pairs, decoded as forms are: a bare `+` is a space."""
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True, errors="strict")

    def all(self, name: str) -> list[str]:
        """Give every value of this header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """Give the only value of this header, or None."""
        values = self.all(name)
        assert len(values) < 2, f"{name} came {len(values)} times"
        return values[0] if values else None

    def json(self) -> Any:
        """Decode the body."""
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What to send back, how much of it, and what to do with the connection after."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    raw: bytes | None = None
    """Sent instead of status, headers and body."""
    cut: int | None = None
    """Only so many bytes are sent."""
    cut_body: int | None = None
    """Only so many bytes of the body are sent."""
    drip: int = 0
    """Bytes at a time, with the loop run in between; 0 is all at once."""
    pause: float = 0.0
    """Seconds between drips."""
    then: Then = "keep"

    def wire(self) -> bytes:
        """Make the bytes to send, cut where they are to be cut."""
        if self.raw is not None:
            return self.raw[: self.cut]
        names = {name.lower() for name, _ in self.headers}
        headers = list(self.headers)
        if self.status not in {204, 304} and not names & {"content-length", "transfer-encoding"}:
            headers.append(("Content-Length", str(len(self.body))))
        phrase = PHRASES.get(self.status, "Odd")
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {value}" for name, value in headers), "", ""]
        return ("\r\n".join(lines).encode("latin-1") + self.body[: self.cut_body])[: self.cut]


Script = Callable[[Seen], Answer] | Iterable[Answer]


def reply(value: Any, status: int = 200, *headers: tuple[str, str]) -> Answer:
    """JSON."""
    return Answer(
        status=status, headers=(("Content-Type", "application/json"), *headers), body=json.dumps(value).encode()
    )


def typed(body: bytes, kind: str, status: int = 200) -> Answer:
    """Send these bytes, and say what they are."""
    return Answer(status=status, headers=(("Content-Type", kind),), body=body)


def page(text: str, status: int = 200) -> Answer:
    """HTML, as proxies send it."""
    return typed(text.encode(), "text/html", status)


def drop(then: Then = "fin") -> Answer:
    """Read the request, and send no byte back."""
    return Answer(cut=0, then=then)


def first(*answers: Answer, then: Script) -> Callable[[Seen], Answer]:
    """Give these answers in turn, and after them another script's."""
    queue = iter(answers)
    rest = scripted(then)

    def script(seen: Seen) -> Answer:
        answer = next(queue, None)
        return rest(seen) if answer is None else answer

    return script


def scripted(script: Script) -> Callable[[Seen], Answer]:
    """Make the script a function; a queue that has run out answers 418."""
    if callable(script):
        return script
    queue = iter(script)
    return lambda _: next(queue, reply({"description": "the script is over"}, 418))


@dataclass
class Peer:
    """A server on a free port of 127.0.0.1, for as long as the `async with` lasts."""

    script: Script
    requests: list[Seen] = field(default_factory=list)
    garbage: list[bytes] = field(default_factory=list)
    """What came that was not a whole request."""
    errors: list[Exception] = field(default_factory=list)
    """What went wrong in the script: raised when the peer stops."""
    port: int = 0
    connections: int = 0

    async def __aenter__(self) -> Self:
        self._answer = scripted(self.script)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._news = asyncio.Event()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=1 << 21)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        if self.errors and exc_info[0] is None:
            raise self.errors[0]

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """For `Settings.base_url`."""
        return self.origin + BASE

    @property
    def last(self) -> Seen:
        """The latest request."""
        return self.requests[-1]

    @property
    def repeats(self) -> list[Seen]:
        """The first request and those that are the same again."""
        whole = [replace(seen, connection=0) for seen in self.requests]
        return [seen for seen in whole if seen == whole[0]]

    async def received(self, count: int = 1) -> None:
        """Wait until so many requests have come."""
        async with asyncio.timeout(5):
            while len(self.requests) < count:
                self._news.clear()
                await self._news.wait()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        try:
            while await self._exchange(connection, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            if partial := getattr(error, "partial", b""):
                self.garbage.append(partial)
        except Exception as error:  # noqa: BLE001  # a broken script must fail its test
            self.errors.append(error)
        finally:
            await closed(writer)

    async def _exchange(self, connection: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether the connection is kept."""
        seen = await read_request(connection, reader)
        self.requests.append(seen)
        self._news.set()
        answer = self._answer(seen)
        await self._send(answer, writer)
        if answer.then == "stall":
            await asyncio.Event().wait()
        if answer.then == "rst":
            reset(writer)
        return answer.then == "keep"

    async def _send(self, answer: Answer, writer: asyncio.StreamWriter) -> None:
        data = answer.wire()
        step = answer.drip or len(data) or 1
        for start in range(0, len(data), step):
            writer.write(data[start : start + step])
            await writer.drain()
            if answer.drip:
                await asyncio.sleep(answer.pause)


async def read_request(connection: int, reader: asyncio.StreamReader) -> Seen:
    """One whole request."""
    begin = await reader.readexactly(1)
    if not begin.isalpha():
        raise asyncio.IncompleteReadError(begin, None)  # no HTTP: TLS, as a rule
    head = (begin + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    start, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = tuple((name, value.strip()) for name, _, value in pairs)
    method, target, _ = [*start.split(" "), "", ""][:3]
    seen = Seen(method=method, target=target, headers=headers, body=b"", connection=connection)
    return replace(seen, body=await reader.readexactly(int(seen.header("Content-Length") or 0)))


def reset(writer: asyncio.StreamWriter) -> None:
    """RST instead of FIN: what was on its way is lost."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def closed(writer: asyncio.StreamWriter) -> None:
    """Close, and wait until it is."""
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@contextmanager
def threaded(script: Script) -> Iterator[Peer]:
    """Run a peer in a thread and loop of its own, for tests that run several loops."""
    peer, ready, loop = Peer(script), threading.Event(), asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        async with peer:
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert ready.wait(5)
        yield peer
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(5)
        loop.close()
