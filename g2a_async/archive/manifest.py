"""What is known of each recording's files, in SQLite: which are done, which failed, who is at it.

One thread has the connection, and what several tasks want to write goes into one transaction. With `WAL` and
`synchronous=NORMAL` a commit waits for no disk: what a failure of power takes back is found again, because the files
themselves are on the disk before they are noted here.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from uuid import uuid4

from g2a_async.archive.destinations import DestinationError
from g2a_async.downloads.files import open_alone
from g2a_async.errors import ConfigError
from g2a_async.threads import Together, to_the_end

T = TypeVar("T")
Piece = TypeVar("Piece")

NAME: Final = ".g2a-archive.sqlite3"
"""The manifest's file, where it is in the destination."""

_APPLICATION: Final = 0x67326161
_VERSION: Final = 1
_LITTER: Final = 60.0
"""Seconds after which a lock that nobody has is one that a killed process left."""
_PATIENCE: Final = 30.0
"""Seconds that another archiver's transaction is waited for."""
_PLACE: Final = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY}
"""What SQLite says of a place where nothing can be written."""
_SCHEMA: Final = f"""
CREATE TABLE archive (destination TEXT NOT NULL);
CREATE TABLE recordings (
    recording_id TEXT PRIMARY KEY,   -- text: there are IDs beyond 63 bits
    started TEXT,
    stem TEXT,                       -- the path without extension, which stays, whatever the template becomes
    same TEXT UNIQUE,                -- the stem, as a file system sees it that ignores case
    account_key TEXT, user_key TEXT, company_id TEXT,
    owner TEXT,                      -- the archiver that is at it: it has locked the file that is called so
    mark INTEGER NOT NULL DEFAULT 0  -- as archived: 1, once it is whole, and 2, it has been
) WITHOUT ROWID;
CREATE TABLE parts (
    recording_id TEXT NOT NULL,
    part TEXT NOT NULL,
    state TEXT NOT NULL,
    path TEXT,
    declared INTEGER,                -- bytes, as the service told
    size INTEGER,                    -- bytes, as they came
    sha256 TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    updated TEXT,
    PRIMARY KEY (recording_id, part)
) WITHOUT ROWID;
CREATE INDEX parts_by_state ON parts (state, recording_id);
CREATE INDEX recordings_by_owner ON recordings (owner) WHERE owner IS NOT NULL;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION}
"""


class Manifest:
    """The manifest at *path*; of the archive at *destination*, which it is bound to."""

    def __init__(self, path: Path, destination: str, *, read_only: bool = False, must_exist: bool = False) -> None:
        self.path = path
        """The file."""
        self.owner = uuid4().hex
        """Who this archiver is to others: it lives as long as the lock on its file is held."""
        self._destination = destination
        self._is_inside = path == Path(destination, NAME)  # then it moves with the destination, and is nobody else's
        self._read_only = read_only
        self._must_exist = must_exist or read_only
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="g2a-manifest")
        self._writes: Together[Callable[[sqlite3.Connection], Any], Any] = self.together(_each_with)
        self._db: sqlite3.Connection | None = None
        self._lock: int | None = None
        self._damage: str | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._in_thread(self._open)
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._end()

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What *work* gives, in the manifest's thread."""
        return await self._in_thread(partial(self._read, work))

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What *work* gives, once it is committed, together with what others write at the time."""
        result: T = await self._writes.do(work)
        return result

    def together(self, work: Callable[[sqlite3.Connection, Sequence[Piece]], Sequence[T]]) -> Together[Piece, T]:
        """What *work* makes of all that comes at a time, in one transaction: all or nothing of them."""
        return Together(partial(self._commit, work), self._thread)

    def is_alive(self, owner: str) -> bool:
        """Whether that archiver still runs, on whatever machine: its lock tells. In the manifest's thread."""
        if owner == self.owner:
            return True
        try:
            fd = open_alone(self._lock_file(owner))
        except BlockingIOError:
            return True
        os.close(fd)
        self._lock_file(owner).unlink(missing_ok=True)
        return False

    async def _end(self) -> None:
        try:
            await self._in_thread(self._close)
        finally:
            self._thread.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await to_the_end(work, self._thread)

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._told():
            return work(self._connection())

    def _commit(
        self, work: Callable[[sqlite3.Connection, Sequence[Piece]], Sequence[T]], pieces: Sequence[Piece]
    ) -> Sequence[T | BaseException]:
        try:
            with self._told(), transaction(db := self._connection()):
                return work(db, pieces)
        except BaseException as error:  # noqa: BLE001  each of them raises it
            return [error] * len(pieces)

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise ConfigError(self._damage or f"the manifest {self.path} is not open")
        return self._db

    def _open(self) -> None:
        if self._must_exist and not self.path.is_file():
            raise ConfigError(f"there is no archive here: {self.path} does not exist. Run the archive first")
        with self._told():
            if self._read_only:
                self._db = self._connect_to_read()
            else:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._db = self._connect()
                self._lock = open_alone(self._lock_file(self.owner))
            self._check(self._db)
            if not self._read_only:
                with transaction(self._db):
                    self._forget_the_dead(self._db)

    def _connect_to_read(self) -> sqlite3.Connection:
        # Without a log, nobody writes, and reading must leave no files of its own.
        how = "mode=ro" if self.path.with_name(self.path.name + "-wal").exists() else "mode=ro&immutable=1"
        uri = f"{self.path.absolute().as_uri()}?{how}"
        return sqlite3.connect(uri, uri=True, timeout=_PATIENCE, isolation_level=None)

    def _connect(self) -> sqlite3.Connection:
        end = time.monotonic() + _PATIENCE
        while True:
            db = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
            try:
                if db.execute("SELECT 1 FROM sqlite_master").fetchone():
                    self._check_kind(db)  # before anything of it is changed
                _furnish(db)
            except BaseException as error:
                db.close()
                # The change to WAL needs the file alone, and does not wait for that by itself.
                if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
            else:
                return db
            time.sleep(0.01)

    def _check_kind(self, db: sqlite3.Connection) -> None:
        [application], [version] = (
            db.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
        )
        if application != _APPLICATION:
            raise ConfigError(f"{self.path} is no manifest of an archive: give another file")
        if version > _VERSION:
            raise ConfigError(f"{self.path} was written by a newer version of g2a-async: upgrade this one")

    def _check(self, db: sqlite3.Connection) -> None:
        self._check_kind(db)
        if db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("malformed")
        if not self._read_only:
            db.execute("INSERT INTO archive SELECT ? WHERE NOT EXISTS (SELECT 1 FROM archive)", (self._destination,))
        found = db.execute("SELECT destination FROM archive").fetchone()
        if found and found[0] != self._destination:
            self._rebind(db, found[0])

    def _rebind(self, db: sqlite3.Connection, bound: str) -> None:
        if not self._is_inside:
            raise ConfigError(
                f"{self.path} is the manifest of {bound}, not of {self._destination}: give another file for this "
                "destination. If the archive has moved, a new manifest takes up the files that are there"
            )
        if not self._read_only:
            db.execute("UPDATE archive SET destination = ?", (self._destination,))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What SQLite says, as what to do."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
            if code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
                self._damage = self._corrupt()
                raise ConfigError(self._damage) from None
            kind = DestinationError if code & 0xFF in _PLACE else ConfigError
            raise kind(f"the manifest {self.path} cannot be used: {error}") from None
        except OSError as error:
            raise DestinationError(f"the manifest {self.path} cannot be used: {error.strerror or error}") from None

    def _corrupt(self) -> str:
        """Put it aside, and say so: the files are there, and the next run takes them up."""
        if self._db is not None:
            self._db.close()
            self._db = None
        told = f"{self.path} is damaged, or is no manifest"
        if not self._is_inside:
            return f"{told}: give another file; a new manifest takes up the files that are there"
        if self._read_only:
            return f"{told}; the next run puts it aside and takes up the files that are there"
        aside = self.path.with_name(f"{self.path.name}.corrupt-{self.owner[:8]}")
        try:
            for end in ("", "-wal", "-shm"):
                with suppress(FileNotFoundError):
                    self.path.with_name(self.path.name + end).replace(aside.with_name(aside.name + end))
        except OSError as error:
            return f"{told}, and cannot be put aside: {error.strerror}"
        return f"{told}, and was put aside as {aside}: run again, which takes up the files that are there"

    def _close(self) -> None:
        db, self._db = self._db, None
        try:
            if db is not None:
                if not self._read_only:
                    with suppress(sqlite3.Error), transaction(db):
                        db.execute("UPDATE recordings SET owner = NULL WHERE owner = ?", (self.owner,))
                db.close()
        finally:
            if self._lock is not None:
                fd, self._lock = self._lock, None
                os.close(fd)  # first: Windows removes nothing that is open
                with suppress(OSError):  # another archiver looks at it: it is litter that the next one removes
                    self._lock_file(self.owner).unlink(missing_ok=True)

    def _forget_the_dead(self, db: sqlite3.Connection) -> None:
        """What archivers were at that are no more is free. What they have left goes."""
        for (owner,) in db.execute("SELECT DISTINCT owner FROM recordings WHERE owner IS NOT NULL").fetchall():
            if not self.is_alive(owner):
                db.execute("UPDATE recordings SET owner = NULL WHERE owner = ?", (owner,))
        for left in self.path.parent.glob(f"{self.path.name}.*.lock"):
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > _LITTER:  # a younger one may be about to be locked
                    self.is_alive(left.name.split(".")[-2])

    def _lock_file(self, owner: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{owner}.lock")


def _each_with(db: sqlite3.Connection, works: Sequence[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
    return [work(db) for work in works]


def _furnish(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    with transaction(db):
        if not db.execute("SELECT 1 FROM sqlite_master").fetchone():
            for statement in _SCHEMA.split(";"):
                db.execute(statement)


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
