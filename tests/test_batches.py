"""Many recording IDs in few requests: each once, within the limits, and the bad ones found."""

import itertools
from math import log2
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from g2a_async import BadRequestError, ForbiddenError, RecordingFiles, RecordingUrls, StatusError
from g2a_async.batches import Batches, Ids, batched, distinct_ids

IDS = st.lists(st.integers(0, 2**64), unique=True, max_size=60).map(tuple) | st.integers(0, 2300).map(
    lambda count: tuple(range(10**18, 10**18 + count))
)


class Archive:
    """A service that refuses some IDs, has not finished others, and takes no long URLs."""

    def __init__(self, *, bad: set[int] | None = None, slow: set[int] | None = None, longest: int = 10**9) -> None:
        self.bad = bad or set()
        self.slow = slow or set()
        self.longest = longest
        self.requests: list[Ids] = []
        self.accepted: list[int] = []

    async def send(self, ids: Ids) -> tuple[RecordingFiles, ...]:
        """One request."""
        self.requests.append(ids)
        if sum(len(str(one)) + 1 for one in ids) > self.longest:
            raise StatusError(414, "GET", "http://h/x")
        if self.bad & set(ids):
            raise ForbiddenError(403, "GET", "http://h/x")
        self.accepted += ids
        return tuple(RecordingFiles(recording_id=one, recording_url="") for one in ids if one not in self.slow)

    def urls(self, ids: Ids) -> RecordingUrls:
        """What `recordings.urls` gives."""
        return RecordingUrls(ids, lambda ids: Batches(self.send, batched(ids, 100, 14, 8000)))

    async def send_all(self, ids: Ids) -> None:
        """What `recordings.transcode` and `mark_archived` do."""
        batches = Batches(self.send, batched(ids, 100, 1, 8000))
        async for _ in batches.run():
            pass
        batches.check()


@given(IDS, st.integers(10, 300), st.integers(0, 30), st.integers(340, 9000))
def test_each_id_once_within_both_limits(ids: Ids, fixed: int, each: int, most: int) -> None:
    """Batches hold every ID once and in order, at most 500, in a URL that is short enough; and none could be saved."""
    batches = batched(ids, fixed, each, most)

    def size(batch: Ids) -> int:
        return fixed + sum(len(str(one)) + each for one in batch)

    assert tuple(one for batch in batches for one in batch) == ids
    assert all(batch and len(batch) <= 500 and (size(batch) <= most or len(batch) == 1) for batch in batches)
    for batch, following in itertools.pairwise(batches):
        assert len(batch) == 500 or size((*batch, following[0])) > most


@pytest.mark.parametrize("values", ["12", b"12", [-1], [1.0], [True], [None], ["-1"], ["1 "], ["٣"], [""], [1, "x"]])
def test_what_is_no_id_is_refused(values: Any) -> None:
    """Anything but whole numbers and their digits is a ValueError, before anything is sent."""
    with pytest.raises(ValueError, match="recording"):
        distinct_ids(values)


@given(st.lists(st.integers(0, 9) | st.integers(0, 9).map(str)))
def test_ids_are_sent_once_in_their_order(values: list[int | str]) -> None:
    """The same ID twice, or as number and as text, is one ID, where it first stood."""
    assert distinct_ids(iter(values)) == tuple(dict.fromkeys(int(value) for value in values))


async def test_recordings_that_are_missing_are_told() -> None:
    """After the walk `missing` has what the service left out, in order; a second walk asks anew."""
    archive = Archive(slow={5, 1200, 3})
    urls = archive.urls(tuple(range(2, 1400)))
    assert (urls.missing, urls.rejected) == ((), ())
    assert len(await urls.collect()) == 1395
    assert (urls.missing, urls.rejected) == ((3, 5, 1200), ())
    archive.slow.clear()
    assert len(await urls.collect()) == 1398
    assert urls.missing == ()


@given(st.sets(st.integers(0, 1199), max_size=7), st.sets(st.integers(0, 1199), max_size=5))
@settings(deadline=None, max_examples=40)
async def test_the_refused_ids_are_found_with_few_requests(bad: set[int], slow: set[int]) -> None:
    """A few bad IDs among 1,200: exactly these are `rejected`, all others come, and halving finds them."""
    archive = Archive(bad=bad, slow=slow)
    urls = archive.urls(tuple(range(1200)))
    found = sorted(file.recording_id for file in await urls.collect())
    assert found == sorted(set(range(1200)) - bad - slow)
    assert urls.rejected == tuple(sorted(bad))
    assert urls.missing == tuple(sorted(slow - bad))
    assert sorted(archive.accepted) == sorted(set(range(1200)) - bad)
    assert len(archive.requests) <= 3 + len(bad) * 2 * (log2(500) + 1)


@pytest.mark.parametrize("bad", [range(10), range(30, 40), range(12, 28)], ids=["first", "last", "middle"])
async def test_a_run_of_refused_ids_does_not_hide_the_rest(bad: range) -> None:
    """Old recordings that are gone stand together, often first: the others still come."""
    archive = Archive(bad=set(bad))
    urls = archive.urls(tuple(range(40)))
    assert sorted(file.recording_id for file in await urls.collect()) == sorted(set(range(40)) - set(bad))
    assert urls.rejected == tuple(bad)


@pytest.mark.parametrize("count", [40, 500, 5000])
async def test_where_all_are_refused_few_requests_say_so(count: int) -> None:
    """When it is the role that is missing, and not single IDs, ForbiddenError comes soon."""
    archive = Archive(bad=set(range(count)))
    with pytest.raises(ForbiddenError):
        await archive.urls(tuple(range(count))).collect()
    assert len(archive.requests) <= 120
    with pytest.raises(ForbiddenError):
        await archive.send_all(tuple(range(count)))


@given(st.sets(st.integers(0, 999), min_size=1, max_size=6))
@settings(deadline=None, max_examples=20)
async def test_orders_go_through_for_the_rest(bad: set[int]) -> None:
    """Transcoding and archiving raise ForbiddenError with the refused IDs when all others went through."""
    archive = Archive(bad=bad)
    with pytest.raises(ForbiddenError) as caught:
        await archive.send_all(tuple(range(1000)))
    assert caught.value.rejected == tuple(sorted(bad))
    assert str(min(bad)) in str(caught.value)
    assert sorted(archive.accepted) == sorted(set(range(1000)) - bad)


@given(st.integers(40, 3000), st.integers(1, 1200))
@settings(deadline=None, max_examples=30)
async def test_a_url_that_is_too_long_for_somebody_is_split(longest: int, count: int) -> None:
    """A 414 splits the batch until it passes: every ID goes out once, and none is taken for a bad one."""
    archive = Archive(longest=longest)
    urls = archive.urls(tuple(range(10**18, 10**18 + count)))
    assert len(await urls.collect()) == count
    assert (urls.missing, urls.rejected) == ((), ())
    assert sorted(archive.accepted) == list(range(10**18, 10**18 + count))
    assert len(archive.requests) <= 4 * -(-count // max(1, longest // 20)) + 20


async def test_one_id_that_is_too_long_is_an_error() -> None:
    """A 414 for a single ID cannot be helped, and is raised."""
    with pytest.raises(StatusError) as caught:
        await Archive(longest=10).urls((10**18,)).collect()
    assert caught.value.status == 414


async def test_another_error_is_not_looked_into() -> None:
    """A 400 is not split: it is raised after one request for each batch that was under way."""
    requests = []

    async def send(ids: Ids) -> None:
        requests.append(ids)
        raise BadRequestError(400)

    with pytest.raises(BadRequestError):
        _ = [one async for one in Batches(send, batched(tuple(range(5000)), 100, 1, 8000)).run()]
    assert len(requests) <= 4


async def test_nothing_asked_for_is_nothing_sent() -> None:
    """No IDs, no request."""
    archive = Archive()
    assert await archive.urls(()).collect() == []
    await archive.send_all(())
    assert archive.requests == []
