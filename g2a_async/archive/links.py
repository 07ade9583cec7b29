"""Where the files of recordings are, asked for in batches, and again when an address has expired."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

from attrs import define, field
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential

from g2a_async.batches import Ids
from g2a_async.clock import Clock
from g2a_async.downloads.sink import Link, Part
from g2a_async.endpoints import MAX_IDS
from g2a_async.errors import (
    DecodeError,
    ForbiddenError,
    G2AError,
    RateLimitedError,
    ReauthorizationRequiredError,
    ServerError,
    TransportError,
    UnauthorizedError,
)
from g2a_async.records import RecordingFiles
from g2a_async.services import Recordings

T = TypeVar("T")

_SECRET: Final = re.compile(r"token|secret|pass|sig|sas|key|auth|cred|url|link|path|hash|code", re.IGNORECASE)
_ATTEMPTS: Final = 6
_FIRST_WAIT: Final = 10.0
_LONGEST_WAIT: Final = 120.0


class Located(NamedTuple):
    """What the service tells of recordings."""

    files: Sequence[RecordingFiles] = ()
    """Where the files of those are that can be downloaded."""
    missing: Sequence[int] = ()
    """Those that are not ready."""
    rejected: Sequence[int] = ()
    """Those whose ID it refuses."""
    unreadable: Sequence[int] = ()
    """Those that it tells something of that makes no sense."""


class ServiceError(Exception):
    """The service refuses who we are, so that nothing else can work."""

    def __init__(self, cause: G2AError) -> None:
        self.cause = cause


@define(eq=False)
class Patience:
    """A service that has answered may be away for minutes: a run of hours waits for it."""

    clock: Clock
    _answered: bool = False

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """What *call* gives, in the end."""

        async def attempt() -> T:
            return await call()

        if not self._answered:
            result = await call()
            self._answered = True
            return result
        return await AsyncRetrying(
            retry=retry_if_exception(_is_passing),
            wait=wait_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT),
            stop=stop_after_attempt(_ATTEMPTS),
            sleep=self.clock.sleep,
            reraise=True,
        )(attempt)

    async def accepted(
        self, call: Callable[[Sequence[int]], Awaitable[None]], ids: Sequence[int]
    ) -> tuple[list[int], Sequence[int]]:
        """Those of *ids* that *call* was made for, and those that the service refuses."""
        refused: Sequence[int] = ()
        if ids:
            try:
                await self.ask(lambda: call(ids))
            except ForbiddenError as error:
                refused = error.rejected
                if not refused:
                    raise
        left = [one for one in ids if one not in refused]
        if refused and left:
            await self.ask(lambda: call(left))  # or it is not the IDs, and these were not tried
        return left, refused


def _is_plain(name: str, value: Any) -> bool:
    """Whether that may be kept: a number, or words, under a name that promises nothing else."""
    if isinstance(value, str):
        return not _SECRET.search(name) and re.fullmatch(r"[\w .,:;()'@+-]{0,200}", value) is not None
    return value is None or isinstance(value, int | float)


def _is_passing(error: BaseException) -> bool:
    """Whether the service, or a proxy in front of it, will be itself again."""
    if isinstance(error, DecodeError):
        return error.path == "$"  # not even JSON
    return isinstance(error, ServerError | TransportError | RateLimitedError)


@define(eq=False)
class _Known:
    files: RecordingFiles
    age: int
    """In which request it came."""


@define(eq=False)
class Links:
    """Addresses of recordings that are being fetched, or will be soon. They are never stored."""

    _recordings: Recordings
    patience: Patience
    """How the service is asked."""
    _cut: Callable[[Ids], list[Ids]]
    """Makes of many IDs as many as one request takes."""
    _known: dict[int, _Known] = field(factory=dict)
    _requests: int = 0
    _lock: asyncio.Lock = field(factory=asyncio.Lock)

    def batches(self, ids: Iterable[int]) -> list[Ids]:
        """*ids*, as many at a time as one request takes."""
        return self._cut(tuple(ids))

    async def ask(self, ids: Sequence[int]) -> Located:
        """Where *ids* are, as far as the service tells."""

        async def once() -> Located:
            urls = self._recordings.urls(ids)
            files = {one.recording_id: one for one in await urls.collect() if one.recording_url}
            silent = set(ids) - files.keys() - {*urls.rejected}
            return Located([*files.values()], [one for one in ids if one in silent], urls.rejected)

        try:
            return await self.patience.ask(once)
        except DecodeError as error:
            if not error.path.startswith("$[") and not error.path.startswith("$."):
                raise  # no answer about recordings at all, and waited out
            if len(ids) == 1:
                return Located(unreadable=ids)
        half = len(ids) // 2  # one odd recording must not hold up the others
        one, other = await self.ask(ids[:half]), await self.ask(ids[half:])
        return Located(
            [*one.files, *other.files],
            [*one.missing, *other.missing],
            [*one.rejected, *other.rejected],
            [*one.unreadable, *other.unreadable],
        )

    def keep(self, files: Iterable[RecordingFiles]) -> None:
        """They will be needed."""
        self._requests += 1
        self._known.update({one.recording_id: _Known(one, self._requests) for one in files})

    def drop(self, recording_id: int) -> None:
        """They will not be needed any more."""
        self._known.pop(recording_id, None)

    def address(self, recording_id: int, part: Part) -> str:
        """Where it was when it was last asked for; empty: the recording has no such part."""
        known = self._known.get(recording_id)
        files = None if known is None else known.files
        if files is None:
            return ""
        return {"mp4": files.recording_url, "events": files.events_url, "thumbnail": files.thumbnail_url}[part] or ""

    def about(self, recording_id: int) -> dict[str, Any]:
        """What else the service told of it that can be no address and no secret."""
        known = self._known.get(recording_id)
        told = {} if known is None else known.files.extra
        return {name: value for name, value in told.items() if _is_plain(name, value)}

    def link(self, recording_id: int, part: Part) -> Link:
        """What a download asks where its file is."""
        last = ""

        async def ask(error: G2AError | None) -> str:
            nonlocal last
            if error is not None and self.address(recording_id, part) == last:
                await self._renew(recording_id, last, part)
            last = self.address(recording_id, part)
            if not last:
                raise error or TransportError("recordings.download", reason="the service tells no address of it")
            return last

        return ask

    async def _renew(self, recording_id: int, stale: str, part: Part) -> None:
        """Ask anew, also for others that are as old."""
        async with self._lock:
            mine = self._known.get(recording_id)
            if mine is None or self.address(recording_id, part) != stale:
                return
            old = (one for one, known in self._known.items() if known.age <= mine.age and one != recording_id)
            ids = self.batches([recording_id, *islice(old, MAX_IDS - 1)])
            try:
                files = (await self.ask(ids[0])).files
            except (UnauthorizedError, ReauthorizationRequiredError) as error:
                raise ServiceError(error) from None
            self.keep(files)
            if recording_id not in {one.recording_id for one in files}:
                self.drop(recording_id)
