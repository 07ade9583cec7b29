"""Time ranges: cut without a gap, and halved until nothing is hidden by the cap."""

import itertools
import random
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from g2a_async import AvailableRecordings
from g2a_async.windows import Window, all_in, aware, cut, is_full, query_time, time_range

CAP = 500
BEGIN = datetime(2024, 2, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=ZONES)  # noqa: DTZ001


class Recorder:
    """A service with recordings at these seconds of the range, which lists the first 500 of what is asked for."""

    def __init__(self, *seconds: list[int]) -> None:
        self.lists = [
            [(BEGIN + SECOND * second, 10**6 * which + number) for number, second in enumerate(sorted(starts))]
            for which, starts in enumerate(seconds, 1)
        ]
        self.requests: list[Window] = []

    async def fetch(self, window: Window) -> AvailableRecordings:
        """One request; both ends of the range count."""
        self.requests.append(window)
        start, end = window
        lists = [tuple(one for time, one in rows if start <= time <= end)[:CAP] for rows in self.lists]
        found = AvailableRecordings(ready_for_transcode=lists[0], ready_for_download=lists[-1])
        return AvailableRecordings(ready_for_transcode=lists[0], ready_for_download=lists[-1], truncated=is_full(found))


@given(TIMES, TIMES, st.timedeltas(SECOND, timedelta(days=4000)))
def test_windows_cover_the_range_without_gap(one: datetime, other: datetime, length: timedelta) -> None:
    """Windows follow each other from the first moment to the last, none longer than asked for."""
    whole = time_range(min(one, other), max(one, other))
    length = max(length, (whole[1] - whole[0]) / 200)
    windows = cut(whole, length)
    assert (windows[0][0], windows[-1][1]) == whole
    assert all(before[1] == after[0] for before, after in itertools.pairwise(windows))
    assert all(end - start <= length for start, end in windows)
    assert all(end > start for start, end in windows) or whole[0] == whole[1]
    assert len(windows) == max(1, -(-(whole[1] - whole[0]) // length))


@given(TIMES, TIMES)
def test_a_range_is_widened_to_whole_seconds(one: datetime, other: datetime) -> None:
    """A range is in UTC and in whole seconds, loses nothing at either end, and the wrong way round is refused."""
    start, end = min(one, other), max(one, other)
    first, last = time_range(start, end)
    assert start - SECOND < first <= start <= end <= last < end + SECOND
    assert first.microsecond == last.microsecond == 0
    assert first.tzinfo is last.tzinfo is UTC
    if start != end:
        with pytest.raises(ValueError, match="from_time"):
            time_range(end, start)


@given(TIMES)
def test_times_are_written_as_the_service_takes_them(time: datetime) -> None:
    """A query has UTC in whole seconds with a Z, whatever the zone."""
    written = query_time(time)
    assert written is not None
    assert len(written) == 20
    assert datetime.strptime(written, "%Y-%m-%dT%H:%M:%S%z") == time.replace(microsecond=0)
    assert query_time(None) is None


@pytest.mark.parametrize("value", [datetime(2024, 2, 1), "2024-02-01T00:00:00Z", None, BEGIN.date(), 0])  # noqa: DTZ001
def test_a_time_without_a_zone_is_refused(value: Any) -> None:
    """What does not say when it is, is a ValueError that names the parameter."""
    with pytest.raises(ValueError, match="since"):
        aware("since", value)


@pytest.mark.parametrize("length", [timedelta(0), timedelta(microseconds=999_999), timedelta(days=-1)])
def test_a_window_of_less_than_a_second_is_refused(length: timedelta) -> None:
    """A window that would never get anywhere is a ValueError."""
    with pytest.raises(ValueError, match="second"):
        cut((BEGIN, BEGIN + SECOND), length)


CLUSTERS = st.lists(st.tuples(st.integers(0, 86_400), st.integers(1, 400), st.integers(0, 30)), max_size=8)


@given(CLUSTERS, CLUSTERS, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=40)
async def test_every_recording_once_and_in_order(one: Any, other: Any, chance: random.Random) -> None:
    """Random starts with crowds in few seconds: past the cap, each ID is found once, in order of its start."""
    starts = [
        [min(86_400, second + chance.randint(0, spread)) for second, count, spread in clusters for _ in range(count)]
        for clusters in (one, other)
    ]
    crowded = [max([row.count(second) + row.count(second + 1) for second in set(row)], default=0) for row in starts]
    service = Recorder(*starts)
    found = await all_in((BEGIN, BEGIN + timedelta(days=1)), service.fetch)
    if max(crowded) < CAP:
        assert not found.truncated
        assert found.ready_for_transcode == tuple(number for _, number in service.lists[0])
        assert found.ready_for_download == tuple(number for _, number in service.lists[1])
    else:
        for ids in (found.ready_for_transcode, found.ready_for_download):
            assert list(ids) == sorted(set(ids))


@pytest.mark.parametrize("seed", range(5))
async def test_a_month_of_recordings_costs_few_requests(seed: int) -> None:
    """2,600 recordings over 30 days are found with at most 16 requests."""
    chance = random.Random(seed)
    service = Recorder([chance.randrange(30 * 86_400) for _ in range(2600)])
    found = await all_in((BEGIN, BEGIN + timedelta(days=30)), service.fetch)
    assert found.ready_for_download == tuple(number for _, number in service.lists[0])
    assert not found.truncated
    assert len(service.requests) <= 16


async def test_a_second_with_too_many_is_told() -> None:
    """More in one second than the service lists cannot be found, is told as truncated, and hides nothing else."""
    service = Recorder([*range(0, 1000, 5), *[500] * 700])
    found = await all_in((BEGIN, BEGIN + SECOND * 1000), service.fetch)
    assert found.truncated
    times = {number: time for time, number in service.lists[0]}
    assert [second for second in range(0, 1000, 5) if second != 500] == [
        (times[one] - BEGIN) // SECOND for one in found.ready_for_download if times[one] != BEGIN + SECOND * 500
    ]
    assert sum(times[one] == BEGIN + SECOND * 500 for one in found.ready_for_download) == CAP
    assert len(service.requests) < 50


async def test_two_crowded_seconds_side_by_side() -> None:
    """Two seconds that together hold more than the cap do not hide anything of each other."""
    service = Recorder([*[10] * 300, *[11] * 300])
    found = await all_in((BEGIN, BEGIN + SECOND * 20), service.fetch)
    assert found.ready_for_download == tuple(number for _, number in service.lists[0])


async def test_a_range_that_is_one_moment() -> None:
    """A range of no length is asked for once."""
    service = Recorder([0] * 3)
    assert len((await all_in((BEGIN, BEGIN), service.fetch)).ready_for_download) == 3
    assert service.requests == [(BEGIN, BEGIN)]


async def test_a_failed_window_fails_the_whole() -> None:
    """An error of a window is raised: a list with a gap would pass for a whole one."""
    service = Recorder([chance % 3000 for chance in range(2600)])

    async def fetch(window: Window) -> AvailableRecordings:
        if len(service.requests) == 3:
            raise KeyError("gone")
        return await service.fetch(window)

    with pytest.raises(KeyError):
        await all_in((BEGIN, BEGIN + timedelta(hours=1)), fetch)
