"""Recordings in an object store: S3, Google Cloud Storage, Azure. Needs the extra `archive`."""

import asyncio
import errno
import hashlib
import logging
import math
import mimetypes
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import obstore
from obstore import exceptions

from g2a_async.archive.destinations import Beside, BesideError, DestinationError
from g2a_async.archive.stores import PATIENCE, Bucket
from g2a_async.bounded import as_they_come
from g2a_async.downloads.sink import Piece, Saved, Validators
from g2a_async.threads import to_the_end

if TYPE_CHECKING:
    from obstore import AsyncWritableFile, GetOptions

_PART: Final = 8 << 20
"""Bytes of a part of an upload: one is on its way while the next one is gathered."""
_PARTS: Final = 10_000
"""How many parts S3 and Google allow."""
_RANGE: Final = 8 << 20
"""Bytes that are read back at a time."""
_AT_ONCE: Final = 16
"""How many objects are looked at together."""

_logger: Final = logging.getLogger("g2a_async")


class ObjectDestination:
    """`s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`.

    Credentials, region and endpoint come from the environment alone. An object appears when all of it is there.
    Of a killed process, parts of uploads may stay, which nobody sees and which cost money: give the bucket a lifecycle
    rule that aborts incomplete multipart uploads. Azure drops such blocks by itself after a week.
    """

    def __init__(self, url: str) -> None:
        self._bucket = Bucket(url)
        self._store: Any = None

    def __repr__(self) -> str:
        return f"ObjectDestination({self.identity!r})"

    @property
    def identity(self) -> str:
        """What the user gave, without a slash at its end."""
        return self._bucket.identity

    async def open(self) -> None:
        """See that the bucket is there and can be listed. Writes nothing. DestinationError: it is not, or it cannot."""
        look = await to_the_end(
            partial(self._bucket.connect, 2)
        )  # soon told: a mistake, rather than a store that rests
        await self._bucket.asked("list", "", _first(look))
        await to_the_end(self._reach)

    async def close(self) -> None:
        """Harmless when repeated, and without `open`."""
        self._store = None

    def sink(
        self,
        path: str,
        *,
        about: Mapping[str, str],
        is_small: bool = False,  # noqa: ARG002  there is nothing to look at
        beside: Beside | None = None,
    ) -> "ObjectSink":
        """The way of one object to *path*; *about* becomes its metadata."""
        return ObjectSink(self._bucket, self._reach(), path, about, beside)

    async def sizes(self, paths: Sequence[str]) -> list[int | None]:
        """Bytes of the objects; None: there is none."""
        look = partial(_size, self._bucket, self._reach())
        return [size async for size in as_they_come(look, paths, _AT_ONCE, in_order=True)]

    async def sha256(self, path: str) -> str:
        """The hash of the object, all of which is read back, by ranges of the same version."""
        store, asked = self._reach(), self._bucket.asked
        meta = await asked("look at", path, obstore.head_async(store, path))
        sha256 = hashlib.sha256()
        for start in range(0, meta["size"], _RANGE):
            part: GetOptions = {"range": (start, min(start + _RANGE, meta["size"])), "if_match": meta["e_tag"]}
            data = await asked("read", path, _read(store, path, part))
            await to_the_end(partial(sha256.update, data))
        return sha256.hexdigest()

    async def read(self, path: str, size: int) -> bytes:
        """The beginning of the object."""
        store, asked = self._reach(), self._bucket.asked
        meta = await asked("look at", path, obstore.head_async(store, path))
        most = min(size, meta["size"])
        return bytes(await asked("read", path, _read(store, path, {"range": (0, most)}))) if most else b""

    async def put(self, path: str, data: bytes) -> None:
        """A small object, whole or not at all; replaces what is there."""
        await _put(self._bucket, self._reach(), path, data, _attributes(path))

    async def free(self) -> None:
        """Nobody knows."""

    def _reach(self) -> Any:
        if self._store is None:
            self._store = self._bucket.connect()
        return self._store


class ObjectSink:
    """An object on its way, in parts once it is larger than one. No resuming: each process begins at 0."""

    def __init__(
        self, bucket: Bucket, store: Any, path: str, about: Mapping[str, str], beside: Beside | None = None
    ) -> None:
        self._beside = beside
        self._bucket = bucket
        self._store = store
        self._path = path
        self._attributes = _attributes(path, about)
        self._writer: AsyncWritableFile | None = None
        self._begin(None)

    @property
    def held(self) -> int:
        """Bytes that were given since the last beginning."""
        return self._held

    @property
    def validators(self) -> Validators | None:
        """Whose bytes these are. None: nothing is held."""
        return self._validators

    async def open(self) -> None:
        """Nothing is left of earlier downloads."""

    async def restart(self, validators: Validators) -> None:
        """What is held goes, and its upload with it."""
        await self.leave()
        self._begin(validators)

    async def write(self, pieces: Sequence[Piece]) -> None:
        """Append; a part that is full is sent once the one before it is there."""
        added = sum(map(len, pieces))
        self._pieces.extend(map(bytes, pieces))  # a copy of what is not ours afterwards
        self._waiting += added
        self._held += added
        if self._waiting >= self._part:
            data = await to_the_end(self._taken)
            self._writer = self._writer or obstore.open_writer_async(
                self._store, self._path, attributes=self._attributes, buffer_size=self._part, max_concurrency=1
            )
            await self._bucket.settled("write", self._path, self._writer.write(data))

    async def finish(self, last: Sequence[Piece] = ()) -> Saved:
        """Append *last*; the object appears, and is as large as what was sent."""
        await self.write(last)
        data = await to_the_end(self._taken)
        sha256 = self._sha256.hexdigest()
        if self._writer is None:
            await _put(self._bucket, self._store, self._path, data, self._attributes | {"sha256": sha256})
        else:
            await self._bucket.settled("write", self._path, self._writer.write(data))
            writer, self._writer = self._writer, None  # obstore aborts by itself what it cannot complete
            await self._bucket.settled("write", self._path, writer.close())
        size = await _size(self._bucket, self._store, self._path)
        if size == self._held:
            saved = Saved(self._held, sha256)
            if self._beside is not None:
                path, data = self._beside(saved)
                try:
                    await _put(self._bucket, self._store, path, data, _attributes(path))
                except (OSError, DestinationError) as error:
                    raise BesideError(error, path, saved) from None
            return saved
        await self._bucket.settled("delete", self._path, obstore.delete_async(self._store, self._path))
        flaw = f"the store has {size or 0} bytes of {self._held}"
        raise OSError(errno.EIO, flaw, f"{self._bucket.identity}/{self._path}")

    async def leave(self) -> None:
        """No object appears, and no part stays. A failure of this is logged: it must not hide why it was done."""
        writer, self._writer = self._writer, None
        self._begin(None)
        if writer is not None:
            try:
                await self._bucket.settled("delete", self._path, _abort(writer))
            except (DestinationError, OSError):
                _logger.warning("parts of an upload may be left at %s/%s", self._bucket.identity, self._path)

    def _begin(self, validators: Validators | None) -> None:
        self._validators = validators
        self._part = max(_PART, math.ceil(((validators and validators.total) or 0) / _PARTS))
        self._pieces: list[bytes] = []
        self._waiting = self._held = 0
        self._sha256 = hashlib.sha256()

    def _taken(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._waiting = 0
        self._sha256.update(data)
        return data


def _attributes(path: str, about: Mapping[str, str] | None = None) -> dict[str, str]:
    """The type, by the name, and what is known, by names that all stores take and all proxies let through."""
    told = {
        re.sub(r"[^a-z0-9]", "", name.lower()): quote(value, safe=" ,:;/+@()") for name, value in (about or {}).items()
    }
    return {"Content-Type": mimetypes.guess_type(path)[0] or "application/octet-stream", **told}


async def _first(store: Any) -> None:
    async for _ in obstore.list(store, chunk_size=1):
        return


async def _size(bucket: Bucket, store: Any, path: str) -> int | None:
    try:
        return int((await bucket.asked("look at", path, obstore.head_async(store, path)))["size"])
    except FileNotFoundError:
        return None


async def _read(store: Any, path: str, options: "GetOptions") -> Any:
    return await (await obstore.get_async(store, path, options=options)).bytes_async()


async def _put(bucket: Bucket, store: Any, path: str, data: bytes, attributes: dict[str, str]) -> None:
    work = obstore.put_async(store, path, data, attributes=attributes, use_multipart=False)
    await bucket.settled("write", path, work)


async def _abort(writer: "AsyncWritableFile") -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            await writer.write(b"")  # waits for the part that is on its way: it might arrive after the end
    except (exceptions.BaseError, OSError):  # it has failed, or takes too long
        pass
    async with asyncio.timeout(PATIENCE):
        await writer.__aexit__(InterruptedError, None, None)
