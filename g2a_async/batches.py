"""Many recording IDs as few requests: within the cap of IDs, within the bytes of a URL."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, Generic, NoReturn, TypeVar

from g2a_async.bounded import as_they_come
from g2a_async.endpoints import MAX_IDS
from g2a_async.errors import ForbiddenError, StatusError
from g2a_async.records import RecordingFiles

T = TypeVar("T")
Ids = tuple[int, ...]

IN_FLIGHT: Final = 4
"""Batches at once; the quota decides how fast they leave."""
_HOPELESS: Final = 8
"""So many IDs refused one by one and none ever accepted: it is not the IDs that are refused."""
_PROBES: Final = 4
"""IDs from all over that are tried before that is said."""
_TOO_LONG: Final = 414


def distinct_ids(values: Iterable[int | str]) -> Ids:
    """The IDs as numbers, each once, in order. ValueError: one is none."""
    if isinstance(values, str | bytes):
        raise ValueError("recording_ids must be a list of IDs, not one text")
    return tuple(dict.fromkeys(_distinct_id(value) for value in values))


def _distinct_id(value: int | str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    raise ValueError(f"a recording ID is a whole number, not {value!r}")


def batched(ids: Ids, fixed: int, each: int, most: int) -> list[Ids]:
    """*ids* in runs of at most 500, whose URL has at most *most* bytes.

    *fixed*: bytes of the URL without IDs; *each*: bytes that an ID costs beside its digits.
    """
    batches: list[Ids] = []
    start, size = 0, fixed
    for index, one in enumerate(ids):
        cost = len(str(one)) + each
        if index > start and (index - start >= MAX_IDS or size + cost > most):
            batches.append(ids[start:index])
            start, size = index, fixed
        size += cost
    return [*batches, ids[start:]] if ids else []


class Batches(Generic[T]):
    """One call for many IDs, sent as often as it takes.

    A 414 splits a batch. A 403 too, until the IDs that the service refuses are found; the rest goes through.
    """

    def __init__(self, send: Callable[[Ids], Awaitable[T]], batches: Sequence[Ids]) -> None:
        self._send = send
        self._batches = batches
        self._accepted = False
        self._refusal: ForbiddenError | None = None
        self.rejected: list[int] = []

    async def run(self) -> AsyncGenerator[tuple[Ids, T]]:
        """What each accepted batch was answered, as they come."""
        async with aclosing(as_they_come(self._whole, self._batches, IN_FLIGHT)) as arriving:
            async for answers in arriving:
                for answer in answers:
                    yield answer

    async def _whole(self, ids: Ids) -> list[tuple[Ids, T]]:
        answers: list[tuple[Ids, T]] = []
        stack = [ids]
        while stack:
            part = stack.pop()
            try:
                answers.append((part, await self._send(part)))
                self._accepted = True
            except StatusError as error:
                refusal = error if isinstance(error, ForbiddenError) else None
                if refusal is None and error.status != _TOO_LONG:
                    raise
                if len(part) > 1:
                    middle = len(part) // 2
                    stack += [part[middle:], part[:middle]]
                elif refusal is None:
                    raise
                elif self._is_hopeless and not await self._is_any_accepted():
                    raise refusal.amend(rejected=(*self.rejected, *part)) from None
                else:
                    self.rejected += part
                    self._refusal = refusal
        return answers

    @property
    def _is_hopeless(self) -> bool:
        return not self._accepted and len(self.rejected) >= _HOPELESS - 1

    async def _is_any_accepted(self) -> bool:
        """Whether one of a few others goes through: bad IDs stand together, a missing role is everywhere."""
        others = [one for part in self._batches for one in part if one not in self.rejected]
        for one in {*others[:: max(1, len(others) // _PROBES)], *others[-1:]}:
            try:
                await self._send((one,))
            except ForbiddenError:
                continue
            self._accepted = True
            return True
        return False

    def check(self) -> None:
        """ForbiddenError, with `.rejected`: some were refused."""
        if self._refusal is not None:
            raise self._refusal.amend(rejected=tuple(sorted(self.rejected)))


class RecordingUrls(AsyncIterable[RecordingFiles]):
    """Where recordings are, batch by batch. Iterate, or `collect()`; then `missing` and `rejected` are known."""

    missing: Ids
    """Left out by the service without a word: not ready for download."""
    rejected: Ids
    """Found to be what made the service refuse a batch; the rest still came."""

    def __init__(self, ids: Ids, start: Callable[[Ids], Batches[tuple[RecordingFiles, ...]]]) -> None:
        self._ids = ids
        self._start = start
        self.missing = ()
        self.rejected = ()

    async def __aiter__(self) -> AsyncIterator[RecordingFiles]:
        batches = self._start(self._ids)
        found: set[int] = set()
        async with aclosing(batches.run()) as arriving:
            async for _, files in arriving:
                for file in files:
                    found.add(file.recording_id)
                    yield file
        refused = set(batches.rejected)
        self.rejected = tuple(one for one in self._ids if one in refused)
        self.missing = tuple(one for one in self._ids if one not in found and one not in refused)

    if not TYPE_CHECKING:  # a type checker must not believe that this works

        def __await__(self) -> NoReturn:
            raise TypeError("these are not awaited: use `async for`, or `await urls.collect()`")

    async def collect(self) -> list[RecordingFiles]:
        """All of them, in a list; batches in the order in which they were answered."""
        return [file async for file in self]
