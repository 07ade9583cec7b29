"""Answers of arbitrary hosts: whatever comes out of them is one whole version of the file, or nothing."""

import asyncio
import hashlib
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from tools.host import LONG_AGO, NOW, Version, content, film, get, left
from tools.peer import Answer, Peer, Seen

from g2a_async import G2AError
from g2a_async.downloads.ranges import Body, Complete, Misfit, judge, request_headers
from g2a_async.downloads.sink import Validators

SIZES = st.integers(12, 60)


@st.composite
def answers(draw: st.DrawFn, version: Version, seen: Seen, now: int) -> Answer:
    """What a host may say of this version: true of what it sends, and else as it likes."""
    told = Version(
        version.content,
        draw(st.sampled_from([version.etag, version.etag, None, f"W/{version.etag}"])),
        draw(st.sampled_from([version.modified, None])),
        now=now,
    )
    size = len(version.content)
    answer = told(seen)  # an honest one
    match draw(st.sampled_from(["honest", "all", "part", "part", "whatever", "part of nowhere", "no"])):
        case "all":
            answer = told.whole()
        case "part":
            start = draw(st.integers(0, size - 1))
            answer = told.part(start, draw(st.integers(start + 1, size)))
        case "whatever":
            answer = told.nothing(draw(st.integers(0, 60)))
        case "part of nowhere":
            answer = Answer(status=206, headers=told.about(), body=version.content)
        case "no":
            answer = Answer(status=draw(st.sampled_from([403, 404, 500, 503])))
    if draw(st.booleans()):
        return answer
    return replace(answer, cut_body=draw(st.integers(0, max(0, len(answer.body) - 1))), then="fin")


def versions(sizes: list[int], gaps: list[int]) -> list[tuple[int, Version]]:
    """Versions of a file, and when each took the place of the one before."""
    made, now = list[tuple[int, Version]](), NOW
    for number, (size, gap) in enumerate(zip(sizes, gaps, strict=True)):
        now += gap
        modified = formatdate(now, usegmt=True)
        made.append((now, Version(film(size, number), f'"v{number}"', modified)))
    return made


@given(st.data())
def test_a_download_is_one_version_or_nothing(data: st.DataObject) -> None:
    """A host that changes its file, forgets what it was asked, and breaks off, asked again and again."""
    count = data.draw(st.integers(1, 4))
    sizes = data.draw(st.one_of(st.lists(SIZES, min_size=count, max_size=count), SIZES.map(lambda one: [one] * count)))
    gaps = data.draw(st.lists(st.integers(0, 200), min_size=count, max_size=count))
    known = versions(sizes, gaps)
    whole = {one.content for _, one in known}
    now, current, requests = known[0][0], 0, 0

    def host(seen: Seen) -> Answer:
        nonlocal now, current, requests
        requests += 1
        now += data.draw(st.integers(0, 90))
        if requests > 25:
            return Version(known[current][1].content, known[current][1].etag, now=now)(seen)
        while current + 1 < len(known) and data.draw(st.booleans()):
            current += 1
            now = max(now, known[current][0])
        return data.draw(answers(known[current][1], seen, now))

    async def fetched(folder: Path) -> None:
        path = folder / "a.mp4"
        async with Peer(host) as peer:
            for _ in range(40):
                try:
                    saved = await get(peer, path, attempts=data.draw(st.integers(1, 3)))
                except G2AError:
                    assert "a.mp4" not in left(folder)
                    continue
                assert content(path) in whole
                assert saved.sha256 == hashlib.sha256(content(path)).hexdigest()
                assert left(folder) == ["a.mp4"]
                return
        pytest.fail("an honest host, and no file")

    with TemporaryDirectory() as folder:
        asyncio.run(fetched(Path(folder)))


HEADERS = st.dictionaries(
    st.sampled_from(["Content-Range", "Content-Length", "ETag", "Last-Modified", "Date", "Content-Encoding"]),
    st.one_of(
        st.from_regex(r"bytes [0-9]{1,3}-[0-9]{1,3}/([0-9]{1,3}|\*)", fullmatch=True),
        st.sampled_from(['"v1"', 'W/"v1"', '"v2"', LONG_AGO, formatdate(NOW, usegmt=True), "gzip", "bytes */50", ""]),
        st.integers(0, 120).map(str),
        st.text(max_size=20),
    ),
)
KNOWN = st.builds(
    Validators,
    st.sampled_from(['"v1"', None]),
    st.sampled_from([LONG_AGO, None]),
    st.one_of(st.none(), st.integers(50, 120)),
)


@given(st.sampled_from([200, 206, 416]), HEADERS, st.integers(1, 50), KNOWN)
def test_any_headers_mean_something_that_fits(
    status: int, headers: dict[str, str], held: int, known: Validators
) -> None:
    """No answer raises; bytes are appended only where they touch what is held, and only with a proof."""
    verdict = judge(status, headers, held, known)
    if status == 200:
        assert isinstance(verdict, Body)
        assert verdict.is_whole
        assert verdict.start == 0
        return
    if isinstance(verdict, Misfit):
        assert verdict.reason
        return
    assert headers.get("ETag", known.etag) == known.etag or headers["ETag"].startswith("W/") or known.etag is None
    assert {known.etag, known.last_modified} & {headers.get("ETag"), headers.get("Last-Modified")} - {None}
    if isinstance(verdict, Complete):
        assert known.total in {None, held}
        return
    assert status == 206
    assert verdict.start <= held < (verdict.stop or 0)
    assert verdict.validators.total is None or (verdict.stop or 0) <= verdict.validators.total
    assert not verdict.is_whole


@given(st.integers(0, 10**15), KNOWN)
def test_only_what_can_be_proved_is_asked_for(held: int, known: Validators) -> None:
    """A range always has its condition, and there is none where there is no proof or nothing is held."""
    headers = request_headers(held, known)
    if held and (known.etag or known.last_modified):
        assert headers == {"Range": f"bytes={held}-", "If-Range": known.etag or known.last_modified}
    else:
        assert headers == {}
    assert request_headers(held, None) == {}


def test_a_file_that_has_just_changed_has_no_time_of_change() -> None:
    """Within a minute it may change again and show the same time; one after the answer's is no proof either."""
    for seconds, proof in ((59, False), (60, True), (-5, False)):
        changed = formatdate(NOW - seconds, usegmt=True)
        body = judge(200, {"Last-Modified": changed, "Date": formatdate(NOW, usegmt=True)}, 0, None)
        assert isinstance(body, Body)
        assert body.validators == evolve(Validators(), last_modified=changed if proof else None)
    body = judge(200, {"Last-Modified": LONG_AGO}, 0, None)
    assert isinstance(body, Body)
    assert body.validators == Validators()
