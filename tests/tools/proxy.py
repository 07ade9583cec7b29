"""A TCP proxy between client and server that breaks the connections it is told to break."""

import asyncio
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Self

from tools.peer import Then, closed, reset


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with one connection."""

    at: Literal["accept", "request", "answer", "never"] = "never"
    """At once; or in the bytes to the server; or in those to the client: then the server has answered."""
    after: int = 0
    """So many bytes of that direction still pass."""
    act: Then = "rst"
    delay: float = 0.0
    """Seconds before the first byte of the answer passes."""
    drip: int = 65536
    """The answer passes so many bytes at a time."""


class Proxy:
    """Listens on a free port of 127.0.0.1; the n-th connection gets the n-th fault, later ones none."""

    def __init__(self, upstream: int, faults: Iterable[Fault] = (), *, refuse: bool = False) -> None:
        self.upstream = upstream
        self.refuse = refuse
        """Bound and not listening: connections are refused until `listen()`."""
        self.connections = 0
        self._faults = iter(faults)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        if not self.refuse:
            await self.listen()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
        self._socket.close()

    @property
    def origin(self) -> str:
        """Scheme, host and port, as the client sees them."""
        return f"http://127.0.0.1:{self.port}"

    async def listen(self) -> None:
        """Refuse no more."""
        self._server = await asyncio.start_server(self._accept, sock=self._socket)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        fault = next(self._faults, Fault())
        if fault.at == "accept":
            await self._break(fault.act, writer)
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        up = asyncio.ensure_future(self._pump(reader, far_writer, fault if fault.at == "request" else None))
        down = asyncio.ensure_future(self._pump(far_reader, writer, fault if fault.at == "answer" else None, fault))
        try:
            done, _ = await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            if any(pump.result() for pump in done):
                await self._break(fault.act, writer)
        except ConnectionError:
            pass
        finally:
            for pump in (up, down):
                pump.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            await closed(writer)
            await closed(far_writer)

    @staticmethod
    async def _pump(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault | None, pace: Fault | None = None
    ) -> bool:
        """Pass bytes on; True once the fault's place is reached."""
        passed = 0
        while data := await reader.read(pace.drip if pace else 65536):
            if pace and passed == 0:
                await asyncio.sleep(pace.delay)
            if fault and passed + len(data) > fault.after:
                writer.write(data[: fault.after - passed])
                await writer.drain()
                return True
            passed += len(data)
            writer.write(data)
            await writer.drain()
        return False

    @staticmethod
    async def _break(act: Then, writer: asyncio.StreamWriter) -> None:
        try:
            if act == "stall":
                await asyncio.Event().wait()
            if act == "rst":
                reset(writer)
        finally:
            await closed(writer)
