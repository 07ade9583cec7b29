"""Where files go: what an archive asks of a folder or an object store."""

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from g2a_async.downloads import files
from g2a_async.downloads.folder import FileSink, Finishing, put_at_place
from g2a_async.downloads.sink import Piece, Saved, Sink, Validators
from g2a_async.errors import ConfigError, G2AError
from g2a_async.threads import Together, each, to_the_end

_FULL: Final = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_REFUSED: Final = frozenset({errno.EACCES, errno.EPERM})


class DestinationError(G2AError):
    """The destination takes nothing more: it is full, cannot be written, or is not there. Every file would fail."""


Beside = Callable[[Saved], tuple[str, bytes]]
"""The path and the content of a small file that comes with another one, once that is at its place. Runs in a thread."""


class BesideError(OSError):
    """The file is at its place; what comes with it cannot be written."""

    def __init__(self, error: OSError | DestinationError, path: str, saved: Saved) -> None:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        super().__init__(getattr(error, "errno", None), f"{path} could not be written: {reason}")
        self.saved = saved


class Destination(Protocol):
    """A place for files by relative path, whose parts are separated by `/` and valid on every system.

    What would be the same for every file (no room, no permission, no such bucket) raises DestinationError from any of
    these and from the sink; what concerns one file alone raises OSError, and the others go on.
    """

    @property
    def identity(self) -> str:
        """What the user gave, made whole, without credentials: `/srv/recordings`, `s3://bucket/prefix`."""
        ...

    async def open(self) -> None:
        """See that it is there, or can be made. Writes nothing."""
        ...

    async def close(self) -> None:
        """Let go of what was opened. Harmless when repeated, and without `open`."""
        ...

    def sink(
        self, path: str, *, about: Mapping[str, str], is_small: bool = False, beside: Beside | None = None
    ) -> Sink:
        """The way of one file to *path*; no I/O yet. *about*: what may be kept as its metadata.

        *is_small*: what an earlier download left of it is not worth a look. *beside*: BesideError, where it fails.
        """
        ...

    async def sizes(self, paths: Sequence[str]) -> list[int | None]:
        """Bytes of the files at *paths*, in that order; None: there is none."""
        ...

    async def sha256(self, path: str) -> str:
        """The hash of what is at *path*, in hex, all of it read back. FileNotFoundError: nothing is there."""
        ...

    async def read(self, path: str, size: int) -> bytes:
        """The first *size* bytes of what is at *path*, or all where it is less. FileNotFoundError: nothing is there."""
        ...

    async def put(self, path: str, data: bytes) -> None:
        """A small file, whole or not at all; replaces what is there."""
        ...

    async def free(self) -> int | None:
        """Bytes left on the device; None: nobody knows."""
        ...


class FolderDestination:
    """A folder, which is made when the first file comes."""

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.abspath(root.expanduser()))  # noqa: PTH100  a link stays what the user gave
        try:
            str(self._root).encode()
        except UnicodeEncodeError:
            raise ValueError(f"the name of the folder {str(self._root)!a} is no UTF-8: give another one") from None
        self._finishing = Finishing(put_at_place)
        self._small = Together[Callable[[], Any], Any](each)

    def __repr__(self) -> str:
        return f"FolderDestination({self.identity!r})"

    @property
    def root(self) -> Path:
        """The folder."""
        return self._root

    @property
    def identity(self) -> str:
        """Its absolute path."""
        return str(self._root)

    async def open(self) -> None:
        """See that no file is in its place."""
        if await to_the_end(lambda: self._root.exists() and not self._root.is_dir()):
            raise DestinationError(f"{self.identity} is a file: give a folder")

    async def close(self) -> None:
        """Nothing was opened."""

    def sink(
        self,
        path: str,
        *,
        about: Mapping[str, str],  # noqa: ARG002  a file has no metadata
        is_small: bool = False,
        beside: Beside | None = None,
    ) -> Sink:
        """A file in it."""
        return _FolderSink(self._root, path, is_small=is_small, together=self._finishing, beside=beside)

    async def sizes(self, paths: Sequence[str]) -> list[int | None]:
        """Bytes of the files at *paths*."""
        found: list[int | None] = await self._small.do(
            lambda: [files.size_of(f"{self._root}/{path}") for path in paths]
        )
        return found

    async def sha256(self, path: str) -> str:
        """The hash of the file at *path*."""
        so_far, start = hashlib.sha256(), 0
        while (size := await to_the_end(partial(_hash, self._root / path, start, so_far))) == files.SLICE:
            start += size
        return so_far.hexdigest()

    async def read(self, path: str, size: int) -> bytes:
        """The beginning of the file at *path*."""

        def read() -> bytes:
            with (self._root / path).open("rb") as file:
                return file.read(size)

        return await to_the_end(read)

    async def put(self, path: str, data: bytes) -> None:
        """A file that takes the old one's place. It can be made anew, so nobody waits for the disk."""
        with _told(self._root):
            await self._small.do(lambda: _put(f"{self._root}/{path}", data))

    async def free(self) -> int | None:
        """Bytes left where it is, or will be."""

        def look() -> int | None:
            for folder in (self._root, *self._root.parents):
                with suppress(FileNotFoundError, NotADirectoryError):
                    return shutil.disk_usage(folder).free
            return None

        return await to_the_end(look)


class _FolderSink(FileSink):
    """A file in a folder, which tells apart what would go wrong with every file."""

    def __init__(self, root: Path, path: str, *, is_small: bool, together: Finishing, beside: Beside | None) -> None:
        super().__init__(f"{root}/{path}", make_folders=True, is_small=is_small, together=together)
        self._root = root
        self._beside = beside

    async def open(self) -> None:
        with _told(self._root):
            await super().open()

    async def restart(self, validators: Validators) -> None:
        with _told(self._root):
            await super().restart(validators)

    async def write(self, pieces: Sequence[Piece]) -> None:
        with _told(self._root):
            await super().write(pieces)

    async def finish(self, last: Sequence[Piece] = ()) -> Saved:
        with _told(self._root):
            return await super().finish(last)

    def move(self) -> Saved:
        saved = super().move()
        if self._beside is not None:
            path, data = self._beside(saved)
            try:
                _put(f"{self._root}/{path}", data)
            except OSError as error:
                raise BesideError(error, path, saved) from None
        return saved


def open_destination(place: str | Path) -> Destination:
    """The destination that *place* names: a folder, `file://`, `s3://`, `gs://` or `az://`. ValueError: it is none."""
    if isinstance(place, Path):
        return FolderDestination(place)
    if not isinstance(place, str) or not place.strip():
        raise ValueError("destination must be a folder, or an address that begins with s3://, gs://, az:// or file://")
    scheme = re.match(r"(?i)([a-z][a-z0-9+.-]*)://", place)
    if scheme is None:
        return FolderDestination(Path(place))
    match scheme[1].lower():
        case "file":
            return FolderDestination(_folder_at(place))
        case "s3" | "gs" | "az":
            try:
                from g2a_async.archive.objects import ObjectDestination  # noqa: PLC0415  a folder needs no obstore
            except ImportError as error:
                raise ConfigError(f"{place[:2]}:// needs the extra: pip install 'g2a-async[archive]'") from error
            return ObjectDestination(scheme[1].lower() + place[scheme.end(1) :])
        case other:
            raise ValueError(f"{other}:// is no destination: there are folders, s3://, gs://, az:// and file://")


def _folder_at(address: str) -> Path:
    from urllib.request import url2pathname  # noqa: PLC0415  which loads much that nobody else needs

    parts = urlsplit(address)
    if parts.netloc in {"", "localhost"} and parts.path.startswith("/") and not parts.query and not parts.fragment:
        with suppress(OSError):  # it is none of this system's
            return Path(url2pathname(parts.path))
    raise ValueError("a file:// address has three slashes and an absolute path: file:///srv/recordings")


@contextmanager
def _told(root: Path) -> Iterator[None]:
    try:
        yield
    except BesideError:
        raise  # the file is there, and its hash is to be noted; the next one tells of the disk
    except OSError as error:
        if error.errno in _FULL:
            raise DestinationError(f"the disk of {root} is full: make room and run again, which goes on") from error
        if error.errno == errno.EROFS or (error.errno in _REFUSED and not _is_writable(root)):
            raise DestinationError(f"{root} cannot be written: {error.strerror}") from error
        raise


def _is_writable(root: Path) -> bool:
    """Whether it is that one file which cannot be written, and not the folder."""
    there = next((folder for folder in (root, *root.parents) if folder.exists()), root)
    return os.access(there, os.W_OK | os.X_OK)


def _hash(path: Path, start: int, so_far: "hashlib._Hash") -> int:
    """Hash the next slice; its bytes."""
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        return files.hash_some(file.fileno(), so_far, files.SLICE)


def _put(path: str, data: bytes) -> None:
    fresh = f"{path}.tmp"
    try:
        files.put(path, data, fresh)
    except FileNotFoundError:
        files.make_folder(files.folder_of(path))
        files.put(path, data, fresh)
