"""Downloads in processes of their own, which are killed; and a host that tells how much it has sent."""

import asyncio
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from tools.host import Version, get
from tools.peer import closed, read_request

PROCESSES = multiprocessing.get_context("forkserver")
"""Forks of a process that has everything imported: a life costs milliseconds."""
PROCESSES.set_forkserver_preload(["tools.kills"])
_PIECE = 32_768


def download(origin: str, path: str) -> None:
    """What a process does that may be killed."""
    asyncio.run(get(origin + "/7.mp4", Path(path)))


def kill(pid: int) -> None:
    """End the process at once, if it has not ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class Meter:
    """An honest host that counts what it sends, and calls when that is as much as asked for."""

    def __init__(self, version: Version) -> None:
        self.version = version
        self.sent = 0
        """Bytes of bodies, over all connections."""
        self._at = 0
        self._call: Callable[[], object] = bool

    async def __aenter__(self) -> Self:
        self._tasks: set[asyncio.Task[None]] = set()
        with socket.create_server(("127.0.0.1", 0)) as made:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)  # what is sent is soon there
            self._server = await asyncio.start_server(self._accept, sock=made.dup())
        self.origin = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def after(self, more: int, call: Callable[[], object]) -> None:
        """Call when so many more bytes were sent, or all that was asked for."""
        self._at, self._call = self.sent + more, call

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(_PIECE)
        try:
            answer = self.version(await read_request(0, reader))
            data = answer.wire()
            head = len(data) - len(answer.body)
            writer.write(data[:head])
            for start in range(head, len(data), _PIECE):
                writer.write(data[start : start + _PIECE])
                await writer.drain()
                self.sent += len(data[start : start + _PIECE])
                if self.sent >= self._at or start + _PIECE >= len(data):
                    call, self._call = self._call, bool
                    call()
                await asyncio.sleep(0)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # it was killed
        finally:
            await closed(writer)


async def life(host: Meter, path: Path, kill_after: int | None, late: float = 0.0) -> int:
    """One process that downloads, killed *late* seconds after the host has sent so many bytes; its exit code."""
    process = PROCESSES.Process(target=download, args=(host.origin, str(path)))
    process.start()
    pid = process.pid or 0
    if kill_after is not None:
        loop = asyncio.get_running_loop()
        host.after(kill_after, lambda: loop.call_later(late, kill, pid))
    await asyncio.to_thread(process.join, 30)
    code = process.exitcode
    process.close()
    assert code is not None
    return code
