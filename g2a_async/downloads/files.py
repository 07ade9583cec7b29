"""What a file needs of the machine, in the calling thread."""

# For each of many small files, a Path would take longer than what is done with it.
# ruff: noqa: PTH103, PTH105, PTH108, PTH112, PTH116, PTH119, PTH120

import errno
import hashlib
import os
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from g2a_async.downloads.sink import Piece
from g2a_async.file_store import is_at, try_lock

_PIECES: Final = 512
"""Buffers that one call of the system takes; its own limit is 1024 or more."""
_READ: Final = 1 << 20
SLICE: Final = 64 << 20
"""Bytes hashed before the loop is looked at: who is cancelled does not wait for more than these."""
_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)

_NOTHING: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
"""What the system says where no file can be read."""

_UNKNOWN: Final = frozenset({errno.EINVAL, errno.ENOTTY, errno.ENOTSUP})
"""What file systems say that have no such call."""


def open_alone(path: str | Path, *, is_new: bool = False) -> int:
    """Open *path* for reading and writing, made if need be. BlockingIOError: another download has it open so.

    *is_new*: only if it is not there yet. FileExistsError: it is.
    """
    flags = _FLAGS | os.O_EXCL if is_new else _FLAGS
    while True:
        fd, is_ours, is_free = os.open(path, flags, 0o666), False, False
        try:
            is_free = _lock(fd)
            is_ours = is_free and (_is_untouched(fd) if is_new else is_at(fd, path))
        finally:
            if not is_ours:
                os.close(fd)
        if is_ours:
            return fd
        if not is_free:
            raise BlockingIOError(errno.EAGAIN, "another download is writing this file", str(path))


def _is_untouched(fd: int) -> bool:
    """Whether nobody was at the new file before it was locked, neither to remove it nor to fill it."""
    told = os.fstat(fd)
    return told.st_nlink > 0 and told.st_size == 0


def _lock(fd: int) -> bool:
    try:
        return try_lock(fd)
    except OSError:
        return True  # this file system has no locks


def append(fd: int, pieces: Sequence[Piece]) -> None:
    """Write all of *pieces* at the file's position. OSError: some of them may have been written."""
    queue = [memoryview(piece) for piece in pieces]
    while queue:
        size = os.writev(fd, queue[:_PIECES]) if hasattr(os, "writev") else os.write(fd, queue[0])
        while queue and size >= len(queue[0]):
            size -= len(queue.pop(0))
        if queue:
            queue[0] = queue[0][size:]


def hash_some(fd: int, so_far: "hashlib._Hash", most: int) -> int:
    """Add to *so_far* what comes at the file's position, *most* bytes of it; how many there were."""
    size = 0
    while size < most and (piece := os.read(fd, min(_READ, most - size))):
        so_far.update(piece)
        size += len(piece)
    return size


def flush(fd: int) -> None:
    """Let the disk begin: files that are synced one after the other then wait for it together."""
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


def sync(fd: int) -> None:
    """The file's bytes are on the disk when this returns."""
    if sys.platform == "darwin":
        _sync_fully(fd)
    else:
        getattr(os, "fdatasync", os.fsync)(fd)


def _sync_fully(fd: int) -> None:
    """What `fsync` does elsewhere: on macOS it does not wait for the disk's own cache."""
    fcntl: Any = import_module("fcntl")  # Windows has none
    try:
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    except OSError as error:
        if error.errno not in _UNKNOWN:
            raise
        os.fsync(fd)


def put(path: str, data: bytes, fresh: str) -> None:
    """A small file, whole or not at all: *fresh*, which takes the place of what is at *path*. Nobody waits for it."""
    try:
        fd = os.open(fresh, _FLAGS | os.O_TRUNC, 0o666)
        try:
            append(fd, [data])
        finally:
            os.close(fd)
        os.replace(fresh, path)
    except BaseException:
        forget(fresh)
        raise


def forget(*paths: str) -> None:
    """Remove what is there of *paths*."""
    for path in paths:
        with suppress(FileNotFoundError):
            os.unlink(path)


def folder_of(path: str) -> str:
    """What *path* is in."""
    return os.path.dirname(path) or "."


def make_folder(folder: str) -> None:
    """*folder*, with those above it, is there when this returns."""
    os.makedirs(folder, exist_ok=True)


def is_folder(path: str) -> bool:
    """Whether no file can be at *path*, because a folder is."""
    return not os.path.basename(path) or os.path.isdir(path)


def size_of(path: str) -> int | None:
    """Bytes of the file at *path*. None: there is none."""
    try:
        told = os.stat(path)
    except OSError as error:
        if error.errno in _NOTHING:
            return None
        raise
    return told.st_size if stat.S_ISREG(told.st_mode) else None


def is_there(path: str) -> bool:
    """Whether anything is at *path*."""
    return os.path.lexists(path)


@cache
def boot() -> str | None:
    """What tells this run of the machine from the next. None: the machine does not say."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return None
