"""What a file needs of the machine, in the calling thread."""

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from g2a_async.file_store import is_at, try_lock

_PIECES: Final = 512
"""Buffers that one call of the system takes; its own limit is 1024 or more."""
_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


def open_alone(path: Path) -> int:
    """Open *path* for reading and writing, made if need be. BlockingIOError: another download has it open so."""
    while True:
        fd, is_ours, is_free = os.open(path, _FLAGS, 0o666), False, False
        try:
            is_free = _lock(fd)
            is_ours = is_free and is_at(fd, path)
        finally:
            if not is_ours:
                os.close(fd)
        if is_ours:
            return fd
        if not is_free:
            raise BlockingIOError(errno.EAGAIN, "another download is writing this file", str(path))


def _lock(fd: int) -> bool:
    try:
        return try_lock(fd)
    except OSError:
        return True  # this file system has no locks


def append(fd: int, pieces: Sequence[bytes]) -> None:
    """Write all of *pieces* at the file's position. OSError: some of them may have been written."""
    queue = [memoryview(piece) for piece in pieces]
    while queue:
        size = os.writev(fd, queue[:_PIECES]) if hasattr(os, "writev") else os.write(fd, queue[0])
        while queue and size >= len(queue[0]):
            size -= len(queue.pop(0))
        if queue:
            queue[0] = queue[0][size:]


def sync(fd: int) -> None:
    """The file's bytes are on the disk when this returns."""
    getattr(os, "fdatasync", os.fsync)(fd)


@cache
def boot() -> str | None:
    """What tells this run of the machine from the next. None: the machine does not say."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return None
