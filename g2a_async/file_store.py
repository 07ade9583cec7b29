"""Tokens in a file, shared by all processes of a user."""

import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from g2a_async.errors import ConfigError
from g2a_async.forks import in_children
from g2a_async.support import LOGIN_COMMAND
from g2a_async.tokens import DocumentTokenStore, PolledLock, Token

if sys.platform == "win32":
    import msvcrt

    def try_lock(fd: int) -> bool:
        """Lock the open file *fd* against all others, if nobody has it locked."""
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(fd: int) -> None:
        os.lseek(fd, 0, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def try_lock(fd: int) -> bool:
        """Lock the open file *fd* against all others, if nobody has it locked."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(fd: int) -> None:
        # Closing alone would not do: a forked child may have the same open file.
        fcntl.flock(fd, fcntl.LOCK_UN)


_logger: Final = logging.getLogger("g2a_async")
_PARTS: Final = frozenset({"login", "token"})
"""A document that has some parts, but none of these, is not ours."""
_LITTER: Final = 60.0
"""Seconds after which a temporary file is one that a killed process left."""


class FileTokenStore(DocumentTokenStore):
    """The token in a JSON file that only its owner can read, in a folder that is made so.

    Each write is a new file that takes the old one's place, and both are on the disk when it returns. The lock, on
    a file beside it, excludes all other threads, event loops and processes, and ends with its process. A file that
    is torn or somebody else's is put aside as `.corrupt`; ConfigError says so.
    """

    def __init__(self, path: str | Path) -> None:
        # The real one: a link would be replaced by a file, and would have a lock of its own.
        self.path = Path(os.path.realpath(Path(path).expanduser()))
        """The file."""

    def __repr__(self) -> str:
        return f"FileTokenStore({str(self.path)!r})"

    @property
    def identity(self) -> str:
        """What tells this store from others, in other processes too."""
        return str(self.path)

    def lock(self) -> PolledLock:
        """Excludes every other user of the same file. It is free again when its process ends, however that ends."""
        return file_lock(self.path.with_name(self.path.name + ".lock"))

    def read(self) -> dict[str, Any]:
        """The document, in the calling thread; empty: there is none. ConfigError: what is there cannot be read."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise _unusable(self.path, "read", error) from None
        document = _document(data)
        if document is None:
            raise self._put_aside()
        return document

    def write(self, document: Mapping[str, Any]) -> None:
        """Replace the document, in the calling thread. An empty one is removed."""
        try:
            if document:
                make_folder(self.path.parent)
                self._replace(json.dumps(document, indent=2).encode() + b"\n")
            elif self.path.exists():
                self.path.unlink(missing_ok=True)
            else:
                return
            sync_folder(self.path.parent)
        except OSError as error:
            raise _unusable(self.path, "written", error) from None

    def _replace(self, data: bytes) -> None:
        start = f".{self.path.name}."
        fd, name = tempfile.mkstemp(prefix=start, suffix=".tmp", dir=self.path.parent)  # 0600 from its creation
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.path)  # noqa: PTH105  as plain as its promise
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
        for left in self.path.parent.glob(f"{start}*.tmp"):
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > _LITTER:
                    left.unlink()

    def _put_aside(self) -> ConfigError:
        aside = self.path.with_name(self.path.name + ".corrupt")
        try:
            self.path.replace(aside)
        except OSError as error:
            return _unusable(self.path, "read as a token file, nor be put aside", error)
        _logger.error("%s is not a whole token file; it is now %s", self.path, aside)
        return ConfigError(
            f"{self.path} is torn or is not a token file, and was put aside as {aside}: "
            f"log in anew with {LOGIN_COMMAND}, or repair it and put it back"
        )


def _document(data: bytes) -> dict[str, Any] | None:
    """The document, or None: it is torn, or somebody else's."""
    try:
        document = json.loads(data)
        if not isinstance(document, dict) or (document and not _PARTS & document.keys()):
            return None
        if document.get("token") is not None:
            Token.from_dict(document["token"])
    except (ValueError, RecursionError):
        return None
    return document


def _unusable(path: Path, how: str, error: OSError) -> ConfigError:
    return ConfigError(f"the token file {path} cannot be {how}: {error.strerror or type(error).__name__}")


def make_folder(folder: Path) -> None:
    """Make *folder*, if need be, for its owner alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def sync_folder(folder: Path) -> None:
    """What is in *folder*, and under which names, is on the disk when this returns."""
    if sys.platform != "win32":
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def config_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where a user's logins are: `$XDG_CONFIG_HOME/g2a`, or `~/.config/g2a`."""
    base = environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".config") / "g2a"


def file_lock(path: Path) -> PolledLock:
    """A lock that excludes all who lock the file *path*, which is made if need be and stays."""
    return PolledLock(lambda: _take(path))


def _take(path: Path) -> Callable[[], None] | None:
    try:
        make_folder(path.parent)
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unusable(path, "locked", error) from None
    try:
        if try_lock(fd) and is_at(fd, path):
            _HELD.add(fd)
            return lambda: _let_go(fd)
    except OSError as error:
        os.close(fd)
        raise _unusable(path, "locked", error) from None
    os.close(fd)
    return None


def is_at(fd: int, path: str | Path) -> bool:
    """Whether the file was not removed before it was locked: others would lock the next one."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(fd), os.stat(path))  # noqa: PTH116  it is asked for each of many small files
    return False


def _let_go(fd: int) -> None:
    if fd in _HELD:
        _HELD.discard(fd)
        with suppress(OSError):
            _unlock(fd)
        os.close(fd)


_HELD: set[int] = set()


def _after_fork() -> None:
    # The parent's locks must not live on in us, should it be killed.
    while _HELD:
        os.close(_HELD.pop())


in_children(_after_fork)
