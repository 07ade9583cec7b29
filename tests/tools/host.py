"""A host of one file, for `Peer`; and what fetches from it without a client."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any

from g2a_async import G2AError, RetryPolicy, Settings, SystemClock
from g2a_async.downloads.fetch import fetch
from g2a_async.downloads.folder import FileSink
from g2a_async.downloads.sink import Saved, Sink
from g2a_async.pool import Pool
from tools.peer import Answer, Peer, Seen

NOW = 1_700_000_000
LONG_AGO = formatdate(NOW - 86400, usegmt=True)
HEAD = b"\x00\x00\x00\x18ftypmp42"


def film(size: int, seed: int = 0) -> bytes:
    """Bytes that begin as an MP4 does; another *seed* is another film."""
    return (HEAD + random.Random(seed).randbytes(size))[:size]


@dataclass
class Version:
    """A version of the file, and what the host tells of it."""

    content: bytes
    etag: str | None = '"v1"'
    modified: str | None = None
    kind: str = "video/mp4"
    now: int = NOW

    def about(self) -> tuple[tuple[str, str], ...]:
        """The headers that every answer has."""
        named = {"ETag": self.etag, "Last-Modified": self.modified, "Date": formatdate(self.now, usegmt=True)}
        return (("Content-Type", self.kind), *((name, text) for name, text in named.items() if text is not None))

    def whole(self, **changes: Any) -> Answer:
        """Status 200."""
        return Answer(headers=self.about(), body=self.content, **changes)

    def part(self, start: int, stop: int | None = None, *, said: str | None = None, **changes: Any) -> Answer:
        """Status 206, with this range; *said*: with this `Content-Range`, whatever is sent."""
        body = self.content[start:stop]
        told = f"bytes {start}-{start + len(body) - 1}/{len(self.content)}" if said is None else said
        return Answer(status=206, headers=(*self.about(), ("Content-Range", told)), body=body, **changes)

    def nothing(self, size: int | None = None) -> Answer:
        """Status 416."""
        told = f"bytes */{len(self.content) if size is None else size}"
        return Answer(status=416, headers=(*self.about(), ("Content-Range", told)))

    def __call__(self, seen: Seen) -> Answer:
        """What an honest host answers."""
        wanted, condition = seen.header("Range"), seen.header("If-Range")
        if wanted is None or condition not in {None, self.etag, self.modified}:
            return self.whole()
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        return self.part(start) if start < len(self.content) else self.nothing()


def starts(peer: Peer) -> list[int | None]:
    """Where each request asked the host to begin; None: at the beginning, of whatever version."""
    ranges = [seen.header("Range") for seen in peer.requests]
    return [None if one is None else int(one.removeprefix("bytes=").removesuffix("-")) for one in ranges]


@dataclass
class Links:
    """Addresses for a download, one after the other; when there are no more, the failure is raised."""

    addresses: list[str]
    failures: list[G2AError] = field(default_factory=list)
    """Why each new one was asked for."""

    async def __call__(self, failure: G2AError | None) -> str:
        """The next one."""
        if failure is not None:
            self.failures.append(failure)
            if not self.addresses:
                raise failure
        return self.addresses.pop(0)


async def get(
    link: Callable[[G2AError | None], Awaitable[str]] | str | Peer, to: Path | Sink, attempts: int = 4, **names: Any
) -> Saved:
    """Fetch a file; failures are repeated at once."""
    if isinstance(link, Peer):
        link = link.origin + "/7.mp4?sig=a%2Fb"
    if isinstance(link, str):
        link = Links([link])
    pool = Pool(None, 100)
    settings = Settings(retry=RetryPolicy(attempts=attempts, base=0.0))
    try:
        sink = FileSink(to) if isinstance(to, Path) else to
        return await fetch(pool, settings, SystemClock(), link, sink, **names)
    finally:
        await pool.aclose()


def left(folder: Path) -> list[str]:
    """What is in the folder."""
    return sorted(path.name for path in folder.iterdir())


def content(path: Path) -> bytes:
    """What is in the file."""
    return path.read_bytes()
