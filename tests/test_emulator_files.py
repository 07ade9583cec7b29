"""The emulator's downloads."""

import json
import struct
import zlib
from collections.abc import Iterator
from urllib.parse import unquote

import pytest
from emulator_asking import Asker, asking

START = b"\0\0\0\x20ftypisom"


async def links(ask: Asker, recording_id: int = 1) -> dict[str, str]:
    """Give the URLs of a recording, which is made if there is none."""
    if recording_id not in ask.emulator.state.recordings:
        ask.emulator.state.add_recording(recording_id=recording_id)
    found: dict[str, str] = (await ask("GET", "/archive/recordings/urls", recordingIds=recording_id)).json()[
        "recordings"
    ][0]
    return found


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Read the boxes of an MP4, which must fill *data* to the last byte."""
    while data:
        size, kind = struct.unpack(">I4s", data[:8])
        assert 8 <= size <= len(data)
        yield kind, data[8:size]
        data = data[size:]


async def test_a_recording_is_an_mp4_whose_samples_are_where_it_says() -> None:
    """The boxes fill the file, and the chunk offset points to an H.264 picture of the stated size."""
    async with asking() as ask:
        body = (await ask("GET", (await links(ask))["recordingUrl"])).body
        outer = dict(boxes(body))
        track = dict(boxes(dict(boxes(outer[b"moov"]))[b"trak"]))
        table = dict(boxes(dict(boxes(dict(boxes(track[b"mdia"]))[b"minf"]))[b"stbl"]))
        [offset] = struct.unpack(">I", table[b"stco"][8:])
        size, count = struct.unpack(">2I", table[b"stsz"][4:])
        [length] = struct.unpack(">I", body[offset : offset + 4])

        assert body.startswith(START)
        assert list(outer) == [b"ftyp", b"moov", b"free", b"mdat"]
        assert body[offset : offset + size * count] == outer[b"mdat"]
        assert (length + 4, body[offset + 4] & 31) == (size, 5)  # one picture that needs no other


async def test_recordings_differ_and_stay_the_same() -> None:
    """Two IDs have different bytes and sizes; one ID has the same each time; padding makes it larger."""
    async with asking() as ask:
        first, again, second = [
            (await ask("GET", (await links(ask, number))["recordingUrl"])).body for number in (1, 1, 2)
        ]
        ask.emulator.state.recordings[1].padding += 100_000
        large = (await ask("GET", (await links(ask))["recordingUrl"])).body

        assert first == again
        assert len(first) != len(second)
        assert len(large) == len(first) + 100_000


async def test_the_thumbnail_is_a_png() -> None:
    """Its chunks have right sums, and its picture has as many bytes as its header says."""
    async with asking() as ask:
        reply = await ask("GET", (await links(ask))["thumbnailUrl"])
        data, chunks = reply.body[8:], {}
        while data:
            size, kind = struct.unpack(">I4s", data[:8])
            chunks[kind] = data[8 : 8 + size]
            assert zlib.crc32(data[4 : 8 + size]) == struct.unpack(">I", data[8 + size : 12 + size])[0]
            data = data[12 + size :]
        width, height = struct.unpack(">2I", chunks[b"IHDR"][:8])

        assert reply.headers["Content-Type"] == "image/png"
        assert len(zlib.decompress(chunks[b"IDAT"])) == height * (1 + 3 * width)


async def test_the_events_are_the_chat() -> None:
    """The file is JSON and tells who said what."""
    async with asking() as ask:
        state = ask.emulator.state
        state.add_recording(recording_id=1, session=state.add_session(transcript=[("Ada", "Hi")]))
        reply = await ask("GET", (await links(ask))["eventsUrl"])

        assert reply.headers["Content-Type"] == "application/json"
        assert [each["content"] for each in json.loads(reply.body)["events"]] == ["Hi"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("bytes=0-3", slice(4)),
        ("bytes=4-", slice(4, None)),
        ("bytes=-5", slice(-5, None)),
        ("bytes=-999999", slice(None)),
        ("bytes=10-999999", slice(10, None)),
    ],
)
async def test_a_part_is_answered_with_206(text: str, part: slice) -> None:
    """The bytes are those of the range, and Content-Range says which they are."""
    async with asking() as ask:
        url = (await links(ask))["recordingUrl"]
        whole = await ask("GET", url)
        reply = await ask("GET", url, headers={"Range": text})
        first, last, _ = part.indices(len(whole.body))

        assert (reply.status, reply.body) == (206, whole.body[part])
        assert reply.headers["Content-Range"] == f"bytes {first}-{last - 1}/{len(whole.body)}"
        assert reply.headers["Content-Length"] == str(last - first)
        assert reply.headers["ETag"] == whole.headers["ETag"]


@pytest.mark.parametrize("text", ["bytes=999999-", "bytes=-0"])
async def test_a_part_that_is_not_there_is_416(text: str) -> None:
    """The answer tells the size."""
    async with asking() as ask:
        url = (await links(ask))["recordingUrl"]
        size = len((await ask("GET", url)).body)
        reply = await ask("GET", url, headers={"Range": text})

        assert (reply.status, reply.headers["Content-Range"], reply.body) == (416, f"bytes */{size}", b"")


@pytest.mark.parametrize("text", ["bytes=5-2", "bytes=-", "bytes=a-b", "bytes=0-1,3-4", "lines=1-2"])
async def test_a_range_that_cannot_be_served_is_no_range(text: str) -> None:
    """Malformed and multiple ranges get the whole file."""
    async with asking() as ask:
        reply = await ask("GET", (await links(ask))["recordingUrl"], headers={"Range": text})

        assert (reply.status, reply.body[:12]) == (200, START)


async def test_a_part_of_another_version_is_not_given() -> None:
    """With If-Range, only the current ETag or date gets a 206."""
    async with asking() as ask:
        url = (await links(ask))["recordingUrl"]
        whole = await ask("GET", url)
        current = whole.headers["ETag"], whole.headers["Last-Modified"]
        other = '"another"', f"W/{current[0]}", "Mon, 06 May 2024 12:00:00 GMT"
        statuses = [
            (await ask("GET", url, headers={"Range": "bytes=1-", "If-Range": each})).status
            for each in (*current, *other)
        ]

        assert statuses == [206, 206, 200, 200, 200]


async def test_a_known_version_is_not_sent_again() -> None:
    """If-None-Match with the ETag gets a 304 without a body."""
    async with asking() as ask:
        url = (await links(ask))["recordingUrl"]
        etag = (await ask("GET", url)).headers["ETag"]
        reply = await ask("GET", url, headers={"If-None-Match": etag})

        assert (reply.status, reply.body) == (304, b"")


async def test_head_tells_the_size() -> None:
    """HEAD has the headers of GET, and no body."""
    async with asking() as ask:
        url = (await links(ask))["recordingUrl"]
        get, head = await ask("GET", url), await ask("HEAD", url)
        names = "Content-Length", "ETag", "Accept-Ranges", "Content-Type", "Last-Modified"

        assert head.body == b""
        assert [head.headers[name] for name in names] == [get.headers[name] for name in names]


async def test_a_server_may_know_neither_parts_nor_versions() -> None:
    """Both are switches: then a range gets the whole file, and there is no ETag."""
    async with asking() as ask:
        ask.emulator.state.downloads.ranges = ask.emulator.state.downloads.validators = False
        reply = await ask("GET", (await links(ask))["recordingUrl"], headers={"Range": "bytes=1-"})

        assert (reply.status, reply.headers["Accept-Ranges"]) == (200, "none")
        assert not {"ETag", "Last-Modified"} & set(reply.headers)


async def test_a_url_works_only_as_it_was_given() -> None:
    """Unquoted or altered by one character, the signature does not hold."""
    async with asking() as ask:
        url = (await links(ask))["recordingUrl"]
        altered = url.replace("/files/1.mp4", "/files/2.mp4"), unquote(url).replace(" ", "%20"), url[:-4], f"{url}&x=1"

        assert [(await ask("GET", each)).status for each in altered] == [403, 403, 403, 403]


async def test_a_url_expires_after_its_lifetime() -> None:
    """At 48 hours by the clock it is a 403; a new one works."""
    async with asking() as ask:
        url = (await links(ask))["recordingUrl"]
        ask.emulator.clock.advance(48 * 3600 - 60)
        before = (await ask("GET", url)).status
        ask.emulator.clock.advance(61)

        assert (before, (await ask("GET", url)).status) == (200, 403)
        assert (await ask("GET", (await links(ask))["recordingUrl"])).status == 200


async def test_a_removed_recording_is_a_404() -> None:
    """Its URL is right, but there is nothing behind it."""
    async with asking() as ask:
        url = (await links(ask))["recordingUrl"]
        ask.emulator.state.remove_recording(1)

        assert (await ask("GET", url)).status == 404


async def test_credentials_are_refused_and_noted() -> None:
    """Downloads are on another origin, answer 400 to an access token, and the journal tells who sent one."""
    async with asking() as ask:
        url = (await links(ask))["recordingUrl"]
        headers = {"Authorization": f"Bearer {ask.emulator.access_token}"}
        statuses = (await ask("GET", url)).status, (await ask("GET", url, headers=headers)).status
        noted = [each.authorization for each in ask.emulator.journal.of("GET /files")]

        assert url.startswith(ask.emulator.files_url)
        assert not ask.emulator.url.startswith(ask.emulator.files_url)
        assert statuses == (200, 400)
        assert noted == [None, headers["Authorization"]]
