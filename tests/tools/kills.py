"""Downloads in processes of their own, which are killed; and a host that tells how much it has sent."""

import asyncio
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tools.host import get
from tools.peer import Answer, Peer

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


@dataclass
class Meter(Peer):
    """A peer that counts what it sends, and calls when that is as much as asked for."""

    sent: int = 0
    """Bytes of bodies, over all connections."""
    _at: int = 0
    _call: Callable[[], object] = bool

    def after(self, more: int, call: Callable[[], object]) -> None:
        """Call when so many more bytes were sent, or all that was asked for."""
        self._at, self._call = self.sent + more, call

    async def _send(self, answer: Answer, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        writer.transport.set_write_buffer_limits(_PIECE)  # what is sent is soon there
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
