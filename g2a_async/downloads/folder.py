"""A file in a folder: whole at its place, or not there at all."""

import errno
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs

from g2a_async.downloads import files
from g2a_async.downloads.ranges import can_resume
from g2a_async.downloads.sink import Piece, Saved, Validators
from g2a_async.file_store import sync_folder
from g2a_async.threads import Together, each, to_the_end

_CHECKPOINT: Final = 64 << 20
"""Bytes after which what was written is made to last, should the machine itself stop."""

SMALL: Final = 1 << 18
"""Bytes up to which a file goes to its place together with others."""


class FileSink:
    """Fills `.part` beside *path*, which takes its place once it is whole. `.part.json` tells whose bytes it has.

    What counts as held after a crash: all that was written, if only the process ended; what a checkpoint had put on
    the disk, if the machine did. Two downloads of one path exclude each other, where the file system has locks.
    *make_folders*: those above *path*, where they are missing. *is_small*: what an earlier download left is not worth
    a look: it is begun anew, with the first bytes. *together*: if it is small, it goes to its place with others.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        make_folders: bool = False,
        is_small: bool = False,
        together: "Finishing | None" = None,
    ) -> None:
        self.path = os.fspath(path)
        """Where it goes."""
        self.held = 0
        self.validators: Validators | None = None
        self._make_folders = make_folders
        self._is_small = is_small
        self._together = together
        self._part = f"{self.path}.part"
        self._notes = f"{self.path}.part.json"
        self._fresh = f"{self.path}.part.json.new"
        self._hash = hashlib.sha256()
        self._fd = -1
        self._size = 0  # bytes in `.part`, with what was there before
        self._at = 0  # where in it the next byte would be written; -1: nobody knows
        self._synced = 0
        self._promised = 0  # bytes to hash before anything else
        self._noted = False  # there are notes
        self._is_told = False  # and they are of this run of the machine
        self._is_damaged = False

    def __repr__(self) -> str:
        return f"FileSink({self.path!r})"

    @property
    def folder(self) -> str:
        """What it is in."""
        return files.folder_of(self.path)

    async def open(self) -> None:
        """Look at what an earlier download left, and hash it."""
        if self._is_small:
            return
        await to_the_end(self._open)
        while self.held < self._promised:
            await to_the_end(self._rehash)

    async def restart(self, validators: Validators) -> None:
        """What is held goes."""
        if self._noted or self._size:
            await to_the_end(self._empty)
        self.held = self._promised = 0
        self.validators, self._hash = validators, hashlib.sha256()

    async def write(self, pieces: Sequence[Piece]) -> None:
        """Append, and hash, in a thread."""
        await to_the_end(partial(self._write, pieces))

    async def finish(self, last: Sequence[Piece] = ()) -> Saved:
        """Append *last*, and put the file at its place; small ones together with others."""
        if self._together is not None and self.held + sum(map(len, last)) <= SMALL:
            return await self._together.do((self, last))
        return await to_the_end(partial(self._finish, last))

    async def leave(self) -> None:
        """Keep what can be gone on from; else nothing is left."""
        if self._fd >= 0:
            await to_the_end(self._leave)

    def _begin(self) -> None:
        """Open what `open` did not; what is there counts for nothing."""
        if self._fd >= 0:
            return
        try:
            self._fd = self._opened(is_new=True)
        except FileExistsError:
            validators = self.validators
            self._open()
            if self._size or self._noted:
                self._empty()
            self.validators, self._promised = validators, 0

    def _opened(self, *, is_new: bool = False) -> int:
        try:
            return files.open_alone(self._part, is_new=is_new)
        except FileNotFoundError:
            if not self._make_folders:
                raise
            files.make_folder(self.folder)
            return files.open_alone(self._part, is_new=is_new)

    def _open(self) -> None:
        if files.is_folder(self.path):
            raise self._no_file()
        self._fd = self._opened()
        self._size = os.fstat(self._fd).st_size
        notes = self._read_notes() if self._size else None
        self._noted = notes is not None or files.is_there(self._notes)
        if notes is not None:
            self.validators, self._synced, boot = notes
            self._is_told = boot is not None and boot == files.boot()
            self._promised = self._size if self._is_told else min(self._size, self._synced)

    def _read_notes(self) -> tuple[Validators, int, str | None] | None:
        """Whose bytes `.part` has, how many of them last, and when the machine had been started. None: nobody knows."""
        try:
            notes = json.loads(Path(self._notes).read_bytes())
            validators = Validators(notes["etag"], notes["last_modified"], notes["total"])
            synced, boot = notes["synced"], notes["boot"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        texts = (validators.etag, validators.last_modified, boot)
        fits = all(isinstance(text, str | None) for text in texts) and type(synced) is int and synced >= 0
        fits = fits and (validators.total is None or (type(validators.total) is int and validators.total >= self._size))
        return (validators, synced, boot) if fits and can_resume(validators) else None

    def _write_notes(self) -> None:
        assert self.validators is not None  # noqa: S101  `restart` gives them before the first byte
        notes: dict[str, Any] = {**attrs.asdict(self.validators), "synced": self._synced, "boot": files.boot()}
        files.put(self._notes, json.dumps(notes).encode(), self._fresh)
        self._noted = self._is_told = True

    def _rehash(self) -> None:
        """Hash the next slice of what there is."""
        os.lseek(self._fd, self.held, os.SEEK_SET)
        self._at = -1
        size = files.hash_some(self._fd, self._hash, min(files.SLICE, self._promised - self.held))
        if not size:
            raise OSError(errno.EIO, "the file became shorter while it was read", self._part)
        self.held += size

    def _empty(self) -> None:
        """First the notes go, and for good: they must never tell of another version's bytes."""
        if self._noted:
            files.forget(self._notes)
            sync_folder(Path(self.folder))
            self._noted = self._is_told = False
        os.ftruncate(self._fd, 0)
        self._size = self._synced = 0

    def _trim(self) -> None:
        """Let go of what is more than is held for certain: notes of this run tell that all there is counts."""
        if self._size != self.held:
            os.ftruncate(self._fd, self.held)
            self._size = self.held

    def _write(self, pieces: Sequence[Piece]) -> None:
        self._begin()
        if not self._is_told and can_resume(self.validators):
            self._trim()
            self._write_notes()
        self._append(pieces)
        if self.held - self._synced >= _CHECKPOINT and self._noted:
            self._sync()
            self._write_notes()

    def _append(self, pieces: Sequence[Piece]) -> None:
        self._trim()
        if self._at != self.held:
            os.lseek(self._fd, self.held, os.SEEK_SET)
        self._size = self._at = -1  # until it is known again
        files.append(self._fd, pieces)
        for piece in pieces:
            self._hash.update(piece)
        self.held += sum(map(len, pieces))
        self._size = self._at = self.held

    def _sync(self) -> None:
        try:
            files.sync(self._fd)
        except OSError:
            self._is_damaged = True  # what the system dropped, it takes for written when it is asked again
            raise
        self._synced = self.held

    def _finish(self, last: Sequence[Piece]) -> Saved:
        [saved] = put_at_place([(self, last)])
        if isinstance(saved, BaseException):
            raise saved
        return saved

    def fill(self, last: Sequence[Piece]) -> None:
        """Append *last*: that is all of it."""
        self._begin()
        self._append(last)

    def flush(self) -> None:
        """Let the disk begin with it."""
        files.flush(self._fd)

    def move(self) -> Saved:
        """Wait for the disk, and put the file at its place, which lasts once the folder is on the disk, too."""
        self._sync()
        if sys.platform == "win32":
            self._close()  # an open file cannot be moved there; elsewhere the lock lasts until it is moved
        if self._noted:
            files.forget(self._notes, self._fresh)  # first: notes that nobody needs must not meet another version
            self._noted = self._is_told = False
        try:
            os.replace(self._part, self.path)  # noqa: PTH105  a Path would take longer
        except IsADirectoryError:
            self._is_damaged = True  # there is nothing to go on with
            raise self._no_file() from None
        self._close()
        return Saved(self.held, self._hash.hexdigest())

    def _no_file(self) -> IsADirectoryError:
        reason = "the recording needs a file's name, and this is a folder"
        return IsADirectoryError(errno.EISDIR, reason, self.path)

    def _leave(self) -> None:
        try:
            if self.held < self._promised:
                return  # as it was found: it was still being hashed
            if self.held and can_resume(self.validators) and not self._is_damaged:
                with suppress(OSError):  # a full disk: the notes of the beginning do
                    self._trim()
                    self._sync()
                    self._write_notes()
                if not self._is_damaged:
                    return
            if sys.platform == "win32":
                self._close()  # as above; elsewhere the lock lasts until there is nothing of it
                with suppress(PermissionError):  # another download has opened it meanwhile
                    files.forget(self._part, self._notes, self._fresh)
            else:
                files.forget(self._notes, self._fresh, self._part)
        finally:
            self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


Finishing = Together[tuple[FileSink, Sequence[Piece]], Saved]
"""Small files that go to their places together."""


def put_at_place(todo: Sequence[tuple[FileSink, Sequence[Piece]]]) -> list[Saved | BaseException]:
    """Append its last bytes to each file, and put all at their places, to stay there; or what is wrong with each.

    The disk gets the bytes of all before any is waited for, and each folder once.
    """
    filled = each([partial(sink.fill, last) for sink, last in todo])
    whole = [sink for (sink, _), flaw in zip(todo, filled, strict=True) if flaw is None]
    if len(whole) > 1:
        each([sink.flush for sink in whole])
    ends: dict[FileSink, Saved | BaseException] = dict(zip(whole, each([sink.move for sink in whole]), strict=True))
    moved = [sink for sink in whole if isinstance(ends[sink], Saved)]
    for folder in {sink.folder for sink in moved}:
        [flaw] = each([partial(sync_folder, Path(folder))])
        if flaw is not None:
            ends.update((sink, flaw) for sink in moved if sink.folder == folder)
    return [ends[sink] if flaw is None else flaw for (sink, _), flaw in zip(todo, filled, strict=True)]
