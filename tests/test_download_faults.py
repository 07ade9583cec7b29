"""What a host of files does wrong, one fault each: the file is identical in the end, or refused and not there."""

import asyncio
import gzip
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tools.calls import client_for
from tools.clock import FakeClock
from tools.host import LONG_AGO, Links, Version, content, film, get, left, starts
from tools.peer import Answer, Peer, Seen, first, page, typed

from g2a_async import G2AError, RecordingFiles, ServerError, StatusError, TransportError
from g2a_async.downloads.rate import RateLimit
from g2a_async.downloads.requests import AddressError, _usable

FILM = film(200_000)
CUT = 120_000
V1 = Version(FILM)
V2 = Version(film(200_000, seed=2), etag='"v2"')
DATED = Version(FILM, etag=None, modified=LONG_AGO)


async def is_whole(path: Path, *answers: Answer, version: Version = V1, **names: Any) -> list[int | None]:
    """Fetch from a host that answers so, and is honest then: the file must be *version*. Where the requests started."""
    async with Peer(first(*answers, then=version)) as peer:
        saved = await get(peer, path, **names)
        assert content(path) == version.content
        assert left(path.parent) == [path.name]
        assert (saved.size, saved.sha256) == (len(version.content), hashlib.sha256(version.content).hexdigest())
        assert all(seen.header("Accept-Encoding") == "identity" for seen in peer.requests)
        return starts(peer)


@pytest.mark.parametrize("then", ["fin", "rst", "stall"])
@pytest.mark.parametrize("cut", [12, CUT, len(FILM) - 1])
async def test_a_cut_download_goes_on_where_it_was(tmp_path: Path, cut: int, then: Any) -> None:
    """Closed, reset or stalled in the middle: the next request asks for the rest, and for no byte more."""
    asked = await is_whole(tmp_path / "a.mp4", V1.whole(cut_body=cut, then=then), stall=0.04)
    assert asked == ([None, cut] if then != "rst" else asked)
    assert len(asked) == 2


class Pause:
    """A limit that keeps the download from looking at what comes, once."""

    def __init__(self) -> None:
        self.left = [0.03]

    async def take(self, size: int) -> None:
        """Wait, the first time."""
        if self.left:
            await asyncio.sleep(self.left.pop())


async def test_what_came_before_a_cut_counts_also_when_nobody_looked(tmp_path: Path) -> None:
    """The rest of what came and the end of the connection are there together, when the download looks again."""
    cut = V1.whole(cut_body=CUT, drip=1000, then="fin")
    assert await is_whole(tmp_path / "a.mp4", cut, rate=Pause()) == [None, CUT]


async def test_a_request_for_the_rest_is_conditional(tmp_path: Path) -> None:
    """`If-Range` has the strong ETag, or else the time of change."""
    for name, version, condition in (("a", V1, '"v1"'), ("b", DATED, LONG_AGO)):
        async with Peer(first(version.whole(cut_body=CUT, then="fin"), then=version)) as peer:
            await get(peer, tmp_path / name)
        assert (tmp_path / name).read_bytes() == FILM
        assert [peer.last.header("Range"), peer.last.header("If-Range")] == [f"bytes={CUT}-", condition]


@pytest.mark.parametrize(
    "version",
    [
        Version(FILM, etag=None),
        Version(FILM, etag='W/"v1"'),
        Version(FILM, etag="v1"),
        replace(DATED, modified=DATED.about()[-1][1]),
        replace(DATED, modified="yesterday"),
    ],
    ids=["none", "weak", "unquoted", "changed just now", "junk"],
)
async def test_without_a_proof_it_begins_anew(tmp_path: Path, version: Version) -> None:
    """Where nothing tells two versions apart, no rest is asked for."""
    cut = version.whole(cut_body=CUT, then="fin")
    assert await is_whole(tmp_path / "a.mp4", cut, version=version) == [None, None]


async def test_a_weak_etag_beside_an_old_time_of_change_is_no_harm(tmp_path: Path) -> None:
    """The time of change is the proof then."""
    version = Version(FILM, etag='W/"v1"', modified=LONG_AGO)
    assert await is_whole(tmp_path / "a.mp4", version.whole(cut_body=CUT, then="fin"), version=version) == [None, CUT]


CHUNKS = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (FILM[:1000], FILM[1000:CUT]))
HEADERS = b'HTTP/1.1 200 OK\r\nETag: "v1"\r\nContent-Type: video/mp4\r\n'


async def test_a_cut_in_chunks_shows(tmp_path: Path) -> None:
    """A body in chunks that ends without its last one is gone on from."""
    raw = HEADERS + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS
    assert await is_whole(tmp_path / "a.mp4", Answer(raw=raw, then="fin")) == [None, CUT]


async def test_the_end_of_a_body_without_a_length_proves_nothing(tmp_path: Path) -> None:
    """Closed, and no length told: a part of the file if the service told another size, and nothing if it told none."""
    closed = Answer(raw=HEADERS + b"\r\n" + FILM[:CUT], then="fin")
    assert await is_whole(tmp_path / "a.mp4", closed, declared=len(FILM)) == [None, CUT]
    (tmp_path / "a.mp4").unlink()
    async with Peer(lambda _: replace(closed, raw=HEADERS.replace(b"ETag", b"Tag") + b"\r\n" + FILM)) as peer:
        with pytest.raises(TransportError, match="does not show where the file ends"):
            await get(peer, tmp_path / "b.mp4", attempts=2)
        assert left(tmp_path) == []
        await get(peer, tmp_path / "b.mp4", declared=len(FILM))
    assert (tmp_path / "b.mp4").read_bytes() == FILM


PARTS: dict[str, tuple[Answer, list[int | None]]] = {
    "all of it": (V1.whole(), [None, CUT]),
    "from too early": (V1.part(CUT - 5000), [None, CUT]),
    "from the beginning": (V1.part(0), [None, CUT]),
    "not to the end": (V1.part(CUT, CUT + 7), [None, CUT, CUT + 7]),
    "cut": (V1.part(CUT, cut_body=9, then="fin"), [None, CUT, CUT + 9]),
    "too early, and cut before what is new": (V1.part(0, cut_body=CUT - 1, then="fin"), [None, CUT, CUT]),
    "too early, and ending before what is new": (V1.part(0, CUT), [None, CUT, None]),
    "from too late": (V1.part(CUT + 1), [None, CUT, None]),
    "no Content-Range": (replace(V1.part(CUT), headers=V1.about()), [None, CUT, None]),
    "another range than it says": (V1.part(CUT, said=f"bytes {CUT}-{CUT + 3}/{len(FILM)}"), [None, CUT, None]),
    "another total": (V1.part(CUT, said=f"bytes {CUT}-{len(FILM) - 1}/{len(FILM) + 1}"), [None, CUT, None]),
    "past its own total": (V1.part(CUT, said=f"bytes {CUT}-{len(FILM) - 1}/{CUT}"), [None, CUT, None]),
    "no total": (V1.part(CUT, said=f"bytes {CUT}-{len(FILM) - 1}/*"), [None, CUT]),
    "no validator": (replace(V1, etag=None).part(CUT), [None, CUT, None]),
    "of another version": (V2.part(CUT), [None, CUT, None]),
    "other units": (V1.part(CUT, said=f"lines {CUT}-{len(FILM) - 1}/{len(FILM)}"), [None, CUT, None]),
    "compressed": (
        replace(V1.part(CUT), headers=(*V1.part(CUT).headers, ("Content-Encoding", "gzip"))),
        [None, CUT, None],
    ),
    "416, another size": (V2.nothing(CUT - 1), [None, CUT, None]),
    "416, and no more": (replace(V1, etag=None).nothing(CUT), [None, CUT, None]),
}


@pytest.mark.parametrize(("answer", "asked"), PARTS.values(), ids=PARTS)
async def test_an_answer_to_a_request_for_the_rest(tmp_path: Path, answer: Answer, asked: list[int | None]) -> None:
    """Taken as far as it shows that it fits; else the whole file is asked for."""
    assert await is_whole(tmp_path / "a.mp4", V1.whole(cut_body=CUT, then="fin"), answer) == asked


async def test_more_than_was_promised_is_not_believed(tmp_path: Path) -> None:
    """A part in chunks that goes on past its own range."""
    body = FILM[CUT:] + b"more"
    head = HEADERS.replace(b"200 OK", b"206 P") + f"Content-Range: bytes {CUT}-{len(FILM) - 1}/{len(FILM)}\r\n".encode()
    raw = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    cut = V1.whole(cut_body=CUT, then="fin")
    assert await is_whole(tmp_path / "a.mp4", cut, Answer(raw=raw)) == [None, CUT, None]


async def test_416_for_a_file_that_is_all_there(tmp_path: Path) -> None:
    """All bytes came in chunks, the end did not: 416 with this size and version is the end."""
    raw = HEADERS + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(FILM), FILM)
    assert await is_whole(tmp_path / "a.mp4", Answer(raw=raw, then="fin")) == [None, len(FILM)]


@pytest.mark.parametrize("careless", [False, True])
async def test_a_file_that_changed_meanwhile(tmp_path: Path, careless: bool) -> None:
    """Whether the host minds `If-Range` or not: never the beginning of one version with the end of another."""
    host = lambda seen: V2.part(CUT) if careless and seen.header("Range") else V2(seen)  # noqa: E731
    async with Peer(first(V1.whole(cut_body=CUT, then="fin"), then=host)) as peer:
        await get(peer, tmp_path / "a.mp4")
        assert starts(peer) == ([None, CUT, None] if careless else [None, CUT])
    assert (tmp_path / "a.mp4").read_bytes() == V2.content


async def test_a_part_that_was_not_asked_for(tmp_path: Path) -> None:
    """A host that knows nothing but parts, and of another version: its status is the error, what there is stays."""
    async with Peer(first(V1.whole(cut_body=CUT, then="fin"), then=lambda _: V2.part(CUT))) as peer:
        with pytest.raises(StatusError, match="206 on GET"):
            await get(peer, tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4.part").read_bytes() == FILM[:CUT]
    assert left(tmp_path) == ["a.mp4.part", "a.mp4.part.json"]


async def test_another_etag_counts_more_than_the_same_time(tmp_path: Path) -> None:
    """Two versions may have one time of change: what differs decides."""
    old, new = replace(V1, modified=LONG_AGO), replace(V2, modified=LONG_AGO)
    host = lambda seen: new.part(CUT) if seen.header("Range") else new.whole()  # noqa: E731
    async with Peer(first(old.whole(cut_body=CUT, then="fin"), then=host)) as peer:
        await get(peer, tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == V2.content


async def test_a_host_that_gives_short_parts_is_no_failing_host(tmp_path: Path) -> None:
    """It may give less than was asked for: the rest is asked for at once, and nothing is counted as a failure."""

    def short(seen: Seen) -> Answer:
        start = int((seen.header("Range") or "").removeprefix("bytes=").removesuffix("-"))
        return V1.part(start, start + 9_999)

    async with Peer(first(V1.whole(cut_body=CUT, then="fin"), then=short)) as peer:
        with pytest.raises(TransportError):
            await get(peer, tmp_path / "a.mp4", attempts=1)
        await get(peer, tmp_path / "a.mp4", attempts=1)
        assert starts(peer) == [None, *range(CUT, len(FILM), 9_999)]
    assert (tmp_path / "a.mp4").read_bytes() == FILM


async def test_a_compressed_answer_is_saved_as_what_it_means(tmp_path: Path) -> None:
    """A host that compresses though it was asked not to: the file itself is saved, and its bytes are no proof."""
    packed = replace(V1, content=gzip.compress(FILM))
    answer = replace(packed.whole(), headers=(*V1.about(), ("Content-Encoding", "gzip")))
    async with Peer([replace(answer, cut_body=CUT, then="fin"), answer]) as peer:
        saved = await get(peer, tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == FILM
    assert saved.sha256 == hashlib.sha256(FILM).hexdigest()
    assert starts(peer) == [None, None]


@pytest.mark.parametrize("status", [401, 403, 404, 410])
@pytest.mark.parametrize("cut", [None, len(FILM) * 98 // 100])
async def test_a_link_that_expires_is_resolved_again(tmp_path: Path, status: int, cut: int | None) -> None:
    """At once or at 98 %: a new address is asked for, and what there is is kept."""
    old = ([] if cut is None else [V1.whole(cut_body=cut, then="fin")]) + [Answer(status=status)]
    async with Peer(old) as before, Peer(V1) as after:
        links = Links([before.origin + "/old", after.origin + "/new"])
        await get(links, tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == FILM
    assert starts(after) == [cut]
    assert [error.status for error in links.failures if isinstance(error, StatusError)] == [status]


async def test_a_new_link_to_another_file(tmp_path: Path) -> None:
    """The new address leads to another version: it begins anew."""
    async with Peer([V1.whole(cut_body=CUT, then="fin"), Answer(status=403)]) as before, Peer(V2) as after:
        await get(Links([before.origin, after.origin]), tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == V2.content
    assert starts(after) == [CUT]


async def test_links_are_not_asked_for_for_ever(tmp_path: Path) -> None:
    """A host that refuses every address: two new ones are tried, and the refusal is raised."""
    async with Peer(lambda _: Answer(status=404)) as peer:
        links = Links([peer.origin] * 9)
        with pytest.raises(StatusError) as caught:
            await get(links, tmp_path / "a.mp4")
    assert (caught.value.status, caught.value.attempts, len(peer.requests)) == (404, 3, 3)


async def test_links_that_expire_again_and_again(tmp_path: Path) -> None:
    """As long as each one brings some bytes, the next is asked for."""
    answers = [V1.whole(cut_body=20_000, then="fin")]
    for start in range(20_000, 200_000, 20_000):
        answers += [Answer(status=403), V1.part(start, start + 20_000)]
    async with Peer(answers) as peer:
        links = Links([peer.origin] * 10)
        await get(links, tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == FILM
    assert len(links.failures) == 9


async def test_what_resolving_a_link_raises_is_raised(tmp_path: Path) -> None:
    """It is not repeated here: asking for links has its own repeats."""
    asked: list[G2AError | None] = []

    async def link(failure: G2AError | None) -> str:
        asked.append(failure)
        if failure is not None:
            raise TransportError("recordings.urls")
        return peer.origin

    async with Peer(lambda _: Answer(status=403)) as peer:
        with pytest.raises(TransportError, match=r"recordings\.urls"):
            await get(link, tmp_path / "a.mp4")
    assert len(asked) == 2


LIES: dict[str, Answer] = {
    "HTML": page("<html>please log in"),
    "HTML that begins as an MP4": typed(FILM, "text/html"),
    "JSON": typed(b'{"error": "expired, please log in"}', "application/json"),
    "nothing": typed(b"", "video/mp4"),
}


@pytest.mark.parametrize("answer", LIES.values(), ids=LIES)
async def test_an_error_page_never_takes_the_place_of_bytes(tmp_path: Path, answer: Answer) -> None:
    """It comes with 200 in the middle of a download: it is not saved, what there is stays, and a later run uses it."""
    async with Peer(first(V1.whole(cut_body=CUT, then="fin"), answer, then=V1)) as peer:
        with pytest.raises(TransportError, match="what came is"):
            await get(peer, tmp_path / "a.mp4")
        assert (tmp_path / "a.mp4.part").read_bytes() == FILM[:CUT]
        assert not (tmp_path / "a.mp4").exists()
        await get(peer, tmp_path / "a.mp4")
        assert starts(peer) == [None, CUT, CUT]
    assert (tmp_path / "a.mp4").read_bytes() == FILM
    assert left(tmp_path) == ["a.mp4"]


OTHERS: dict[str, tuple[Any, bytes, str, bool]] = {
    "PNG": ("thumbnail", b"\x89PNG\r\n\x1a\n" + bytes(50), "image/png", True),
    "JPEG": ("thumbnail", b"\xff\xd8\xff\xe0" + bytes(50), "binary/octet-stream", True),
    "a page as a picture": ("thumbnail", b"<html><body>no</body></html>", "image/png", False),
    "a picture that says it is a page": ("thumbnail", b"\x89PNG\r\n\x1a\n" + bytes(50), "text/html", False),
    "events": ("events", b'[{"content": "hi"}]', "application/json", True),
    "many events": ("events", b"[" + b"1," * 600_000 + b"1]", "application/json", True),
    "events in XML": ("events", b"<?xml version='1.0'?><events/>", "application/xml", True),
    "half of the events": ("events", b'[{"content": "h', "application/json", False),
    "no events at all": ("events", b" ", "application/json", False),
    "an error as events": ("events", b'{"int_err_code": "Expired", "msg": "no"}', "application/json", False),
    "an error in XML as events": ("events", b"<?xml version='1.0'?>\n<Error><Code/></Error>", "text/xml", False),
    "a page as events": ("events", b"<!DOCTYPE html><p>no", "text/plain", False),
}


@pytest.mark.parametrize(("kind", "body", "media", "good"), OTHERS.values(), ids=OTHERS)
async def test_the_other_files_of_a_recording(tmp_path: Path, kind: Any, body: bytes, media: str, good: bool) -> None:
    """Pictures begin as pictures do; events are what they may be, and no error."""
    async with Peer(lambda _: typed(body, media)) as peer:
        if good:
            assert (await get(peer, tmp_path / "x", kind=kind)).size == len(body)
            assert (tmp_path / "x").read_bytes() == body
        else:
            with pytest.raises(TransportError, match="what came is"):
                await get(peer, tmp_path / "x", kind=kind)
            assert left(tmp_path) == []


async def test_a_slow_drip_is_no_stall(tmp_path: Path) -> None:
    """Bytes that come slowly, but come, are waited for; progress is told on the way."""
    told: list[tuple[int, int | None]] = []
    version = Version(film(64))
    async with Peer([version.whole(drip=8, pause=0.002)]) as peer:
        await get(peer, tmp_path / "a.mp4", stall=0.04, progress=lambda *now: told.append(now))
    assert (tmp_path / "a.mp4").read_bytes() == version.content
    assert told[-1] == (64, 64)
    assert sorted(told) == told


async def test_repeats_are_counted_anew_with_progress(tmp_path: Path) -> None:
    """Many more cuts than there are attempts, each with some bytes: the file arrives."""
    cuts = [V1.whole(cut_body=10_000, then="fin")]
    cuts += [V1.part(start, cut_body=10_000, then="fin") for start in range(10_000, 190_000, 10_000)]
    assert await is_whole(tmp_path / "a.mp4", *cuts, attempts=2) == [None, *range(10_000, 200_000, 10_000)]


async def test_repeats_without_progress_come_to_an_end(tmp_path: Path) -> None:
    """A host that always breaks off at the same byte, or fails: the error tells how often it was tried."""
    async with Peer(
        first(V1.whole(cut_body=CUT, then="fin"), then=lambda _: V1.part(CUT, cut_body=0, then="fin"))
    ) as peer:
        with pytest.raises(TransportError) as cut:
            await get(peer, tmp_path / "a.mp4", attempts=3)
    assert (cut.value.operation, cut.value.attempts, starts(peer)) == ("recordings.download", 3, [None, CUT, CUT])
    async with Peer(lambda _: Answer(status=503)) as peer:
        with pytest.raises(ServerError) as failed:
            await get(peer, tmp_path / "b.mp4", attempts=3)
    assert (failed.value.attempts, len(peer.requests)) == (3, 3)
    assert left(tmp_path) == ["a.mp4.part", "a.mp4.part.json"]


async def test_a_redirect_to_another_host(tmp_path: Path) -> None:
    """It is followed, with its own spelling, and neither host is told who asks."""
    async with Peer(V1) as far:
        target = "/far/7.mp4?sig=a%2Fb%2Bc%3D"
        near = [Answer(status=302, headers=(("Location", far.origin + target),))]
        async with Peer(near) as peer, client_for(peer) as client:
            files = RecordingFiles(recording_id=7, recording_url=peer.origin + "/7?sig=x%2Fy")
            assert await client.recordings.download(files, tmp_path / "a.mp4") == len(FILM)
    assert far.last.target == target
    for seen in (peer.last, far.last):
        assert [seen.header(name) for name in ("Authorization", "Cookie", "Referer")] == [None, None, None]


@pytest.mark.parametrize("location", ["/again", "", "ftp://127.0.0.1/x", "http://ann:secret@127.0.0.1/x", "http://["])
async def test_a_redirect_that_leads_nowhere(tmp_path: Path, location: str) -> None:
    """Round in circles, or to what is no address of a file: an error that shows neither."""
    async with Peer(lambda _: Answer(status=307, headers=(("Location", location),))) as peer:
        with pytest.raises(TransportError, match=r"the file's (host|address)") as caught:
            await get(peer, tmp_path / "a.mp4")
    assert len(peer.requests) == (4 if location == "/again" else 1)
    assert "secret" not in repr(caught.value)
    assert left(tmp_path) == []


def test_a_redirect_out_of_https_is_not_followed() -> None:
    """Where anybody could read the address and the file."""
    with pytest.raises(AddressError, match="anybody can listen"):
        _usable("http://files.example/7", _usable("https://files.example/7", None))


async def test_a_cancelled_download_goes_on_later(tmp_path: Path) -> None:
    """Cancelled in the middle: what there is stays beside the file's place, and the next download goes on from it."""
    long = Version(film(3_000_000))
    async with Peer(first(long.whole(cut_body=2_900_000, then="stall"), then=long)) as peer:
        came = asyncio.Event()
        told = lambda size, _: came.set() if size == 2_900_000 else None  # noqa: E731
        task = asyncio.create_task(get(peer, tmp_path / "a.mp4", progress=told))
        await came.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert left(tmp_path) == ["a.mp4.part", "a.mp4.part.json"]
        held = (tmp_path / "a.mp4.part").stat().st_size
        assert 1 << 19 <= held <= 2_900_000
        assert (tmp_path / "a.mp4.part").read_bytes() == long.content[:held]
        await get(peer, tmp_path / "a.mp4")
        assert starts(peer) == [None, held]
    assert (tmp_path / "a.mp4").read_bytes() == long.content
    assert left(tmp_path) == ["a.mp4"]


async def test_jobs_share_a_rate() -> None:
    """Two that take turns wait as long as all of their bytes take, in the order in which they asked."""
    clock = FakeClock()
    rate, order = RateLimit(1000, clock), list[str]()

    async def job(name: str) -> None:
        for _ in range(3):
            await rate.take(500)
            order.append(name)

    await asyncio.gather(job("a"), job("b"))
    assert clock.time == 1000 + 3.0
    assert order == list("ababab")


async def test_a_limited_download_takes_its_time(tmp_path: Path) -> None:
    """The file is whole, and as late as its bytes make it."""
    clock = FakeClock()
    async with Peer(V1) as peer:
        await get(peer, tmp_path / "a.mp4", rate=RateLimit(10_000, clock))
    assert (tmp_path / "a.mp4").read_bytes() == FILM
    assert clock.time == pytest.approx(1000 + 20.0)


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan"), True, "fast"])
def test_a_rate_that_is_none_is_refused(rate: Any) -> None:
    """Before anything is downloaded."""
    with pytest.raises(ValueError, match="rate"):
        RateLimit(rate)
