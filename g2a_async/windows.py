"""Time ranges: how they are written, cut into windows, and halved under the cap."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Final

from g2a_async.bounded import as_they_come
from g2a_async.endpoints import MAX_IDS
from g2a_async.records import AvailableRecordings, Session
from g2a_async.records.base import wire_time

Window = tuple[datetime, datetime]

SECOND: Final = timedelta(seconds=1)
"""What the service takes: a range cannot be finer."""
IN_FLIGHT: Final = 4
"""Windows at once; the quota decides how fast they leave."""


def aware(name: str, value: datetime) -> datetime:
    """*value* in UTC. ValueError: it has no time zone, so that nobody knows when it is."""
    if not isinstance(value, datetime) or value.tzinfo is None or value.utcoffset() is None:
        raise ValueError(f"{name} must be a datetime with a time zone, such as datetime.now(UTC)")
    return value.astimezone(UTC)


def time_range(from_time: datetime, to_time: datetime) -> Window:
    """Both in UTC and in whole seconds, widened to them. ValueError: naive, or the wrong way round."""
    start, end = aware("from_time", from_time), aware("to_time", to_time)
    if start > end:
        raise ValueError("from_time must not be after to_time")
    return start.replace(microsecond=0), end if not end.microsecond else end.replace(microsecond=0) + SECOND


def query_time(value: datetime | None) -> str | None:
    """The wire's form, `YYYY-MM-DDTHH:MM:SSZ`."""
    return None if value is None else wire_time(value.replace(microsecond=0))


def cut(whole: Window, length: timedelta) -> list[Window]:
    """*whole* in windows of *length*, each beginning where the one before ends. ValueError: under a second."""
    if length < SECOND:
        raise ValueError("window must be a second or more")
    start, end = whole
    windows = []
    while start + length < end:
        windows.append((start, start + length))
        start += length
    return [*windows, (start, end)]


async def each_once(
    fetch: Callable[[Window], Awaitable[Sequence[Session]]], slices: Sequence[Window], now: datetime
) -> AsyncGenerator[tuple[Session, ...]]:
    """The sessions of each of *slices* that none before had.

    One that has ended stays where it is, which may be where two slices meet. Any other may have moved on to a later
    slice when that is asked for: if it starts, to the present. So slices that reach the present are asked for last,
    and one by one; if one of them were ahead of an older slice, a session could slip between the two.
    """
    past = [one for one in slices if one[1] <= now]
    before: set[str] = set()
    running: set[str] = set()
    for part, at_once in (past, IN_FLIGHT), (slices[len(past) :], 1):
        async with aclosing(as_they_come(fetch, part, at_once, in_order=True)) as answers:
            async for answer in answers:
                found = {session.session_id: session for session in answer}
                fresh = tuple(session for one, session in found.items() if one not in before and one not in running)
                before = {*found}
                running.update(session.session_id for session in fresh if not session.has_ended)
                yield fresh


async def all_in(whole: Window, fetch: Callable[[Window], Awaitable[AvailableRecordings]]) -> AvailableRecordings:
    """Every recording of a range, past the cap: halved wherever a list comes back full. Each ID once, in order.

    `truncated` only where a single second holds more than the service lists.
    """
    pieces: dict[Window, AvailableRecordings] = {}

    async def one(window: Window) -> tuple[Window, AvailableRecordings]:
        return window, await fetch(window)

    level = [whole]
    while level:
        full = []
        async for window, found in as_they_come(one, level, IN_FLIGHT):
            start, end = window
            half = SECOND * ((end - start) // SECOND // 2)
            if not found.truncated or start == end:
                pieces[window] = found
            elif half:
                full += [(start, start + half), (start + half, end)]
            else:
                pieces[window] = found  # for what began between the two seconds
                full += [(start, start), (end, end)]
        level = sorted(set(full))
    lists = [pieces[window] for window in sorted(pieces)]
    return AvailableRecordings(
        ready_for_transcode=tuple(dict.fromkeys(one for piece in lists for one in piece.ready_for_transcode)),
        ready_for_download=tuple(dict.fromkeys(one for piece in lists for one in piece.ready_for_download)),
        truncated=any(_is_cut(window, pieces) for window in pieces),
    )


def _is_cut(window: Window, pieces: Mapping[Window, AvailableRecordings]) -> bool:
    """Whether a full list hides something: not where its two seconds, asked for one by one, hold all that it has."""
    found = pieces[window]
    start, end = window
    if not found.truncated or start == end:
        return found.truncated
    seconds = pieces[start, start], pieces[end, end]
    return any(
        not set(ids(found)) <= {one for second in seconds for one in ids(second)}
        for ids in (attrgetter("ready_for_transcode"), attrgetter("ready_for_download"))
    )


def is_full(found: AvailableRecordings) -> bool:
    """Whether a list is full, so that there may be more."""
    return max(len(found.ready_for_transcode), len(found.ready_for_download)) >= MAX_IDS
