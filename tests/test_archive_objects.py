"""Object stores as a destination, over HTTP against moto's S3 server."""

import asyncio
import hashlib
import multiprocessing
import re
import resource
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from tools.archives import add, asked, client_of, found, kinds, ran, until
from tools.s3 import S3, Asked

from g2a_async.archive import RecordingArchive, objects, stores
from g2a_async.archive.destinations import DestinationError
from g2a_async.archive.objects import ObjectDestination, ObjectSink
from g2a_async.downloads.sink import Validators
from g2a_async.emulator import Emulator
from g2a_async.errors import ConfigError

pytestmark = pytest.mark.system

MIB = 1 << 20
PATH = "2026/11/22/7.mp4"
KEY = f"archive/{PATH}"
ABOUT = {"recording_id": "7", "started": "2026-11-22T10:00:00Z"}
DENIED = ("403 Forbidden", b"AccessDenied")
DOWN = ("500 Internal Server Error", b"InternalError")


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    """A store for all tests of a worker: it takes a second to start."""
    with S3() as s3:
        yield s3


@pytest.fixture
def s3(server: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """The store, empty, and an environment that leads to it."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(stores, "_FIRST_WAIT", timedelta(milliseconds=1))
    server.requests.clear()
    yield server
    server.empty()


@pytest.fixture
async def place(s3: S3) -> AsyncIterator[ObjectDestination]:
    """A prefix of the bucket, opened."""
    place = ObjectDestination("s3://recordings/archive")
    await place.open()
    yield place
    await place.close()


async def begun(place: ObjectDestination, total: int | None = None) -> ObjectSink:
    """A sink that takes bytes."""
    sink = place.sink(PATH, about=ABOUT)
    await sink.open()
    await sink.restart(Validators(etag='"a"', total=total))
    return sink


def pieces(size: int, piece: int = 300_000) -> list[bytes]:
    """Bytes that are not the same everywhere."""
    data = b"\0\0\0\x18ftypmp42" + hashlib.shake_128(b"recording").digest(max(size - 12, 0))
    return [data[start : min(start + piece, size)] for start in range(0, size, piece)]


async def fill(sink: ObjectSink, size: int) -> None:
    """A download of that many bytes, to its end."""
    for piece in pieces(size, MIB):
        await sink.write([piece])
    await sink.finish()


class TestWhole:
    """What arrives."""

    @pytest.mark.parametrize("size", [0, 1, 5_000, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 16 * MIB, 21_000_001])
    async def test_sizes(self, s3: S3, place: ObjectDestination, size: int) -> None:
        """Of any size, also none and a multiple of a part's, all bytes arrive, with their type and metadata."""
        sink = await begun(place, size)
        data = pieces(size)
        for piece in data[:-1]:
            await sink.write([piece])
        assert sink.held == sum(map(len, data[:-1]))
        saved = await sink.finish(data[-1:])
        whole = b"".join(data)
        found, kind, told = s3.get(KEY)
        assert found == whole
        assert (saved.size, saved.sha256) == (size, hashlib.sha256(whole).hexdigest())
        assert kind == "video/mp4"
        assert (told["recordingid"], told["started"]) == ("7", "2026-11-22T10:00:00Z")
        assert told.get("sha256", saved.sha256) == saved.sha256
        assert ("sha256" in told) == (size < 8 * MIB)
        assert s3.open_uploads() == []

    async def test_a_small_object_is_one_request_and_a_look(self, s3: S3, place: ObjectDestination) -> None:
        """A small file costs a PUT, and a HEAD that sees its size."""
        s3.requests.clear()
        sink = await begun(place)
        await sink.finish([b"{}"])
        assert [one.method for one in s3.requests] == ["PUT", "HEAD"]

    async def test_overwriting(self, s3: S3, place: ObjectDestination) -> None:
        """What is there stays until all of the new is there, and is replaced by it."""
        s3.put(KEY, b"old")
        sink = await begun(place)
        await sink.write(pieces(9 * MIB))
        assert s3.objects() == {KEY: 3}
        await sink.finish()
        assert s3.objects() == {KEY: 9 * MIB}

    async def test_another_version_starts_over(self, s3: S3, place: ObjectDestination) -> None:
        """After a restart, nothing of the earlier bytes is in the object, and their upload is gone."""
        sink = await begun(place)
        await sink.write(pieces(20 * MIB))
        await sink.restart(Validators(etag='"b"'))
        assert s3.open_uploads() == []
        assert (sink.held, sink.validators) == (0, Validators(etag='"b"'))
        saved = await sink.finish([b"other"])
        assert s3.get(KEY)[0] == b"other"
        assert saved.sha256 == hashlib.sha256(b"other").hexdigest()

    async def test_the_parts_of_a_file_that_is_very_large(
        self, s3: S3, place: ObjectDestination, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Parts grow with the file's size, so that there are never more than the store allows."""
        monkeypatch.setattr(objects, "_PARTS", 2)
        sink = await begun(place, 20_000_001)
        for piece in pieces(20_000_001):
            await sink.write([piece])
        await sink.finish()
        assert sorted(one.part for one in s3.requests if one.part) == [1, 2]
        assert s3.get(KEY)[0] == b"".join(pieces(20_000_001))

    @pytest.mark.parametrize("name", ["a b", "ü日本", "a%41+&=;?#", "~!'()*[]{}^`|<>\"\\", ".x", "a."])
    async def test_odd_names(self, s3: S3, name: str) -> None:
        """Characters that mean something in addresses are in the key as they are in the path and the prefix."""
        prefix = re.sub("[?#]", "", name)
        place = ObjectDestination(f"s3://recordings//{prefix}/")
        path = f"{name}/{name}.json"
        await place.put(path, b"{}")
        assert s3.objects() == {f"{prefix}/{path}": 2}
        assert await place.sizes([path, "none"]) == [2, None]
        assert await place.sha256(path) == hashlib.sha256(b"{}").hexdigest()
        assert s3.get(f"{prefix}/{path}")[1] == "application/json"

    async def test_metadata_that_no_header_takes(self, s3: S3, place: ObjectDestination) -> None:
        """Names lose their punctuation, values are quoted where a header would not take them."""
        sink = place.sink(PATH, about={"Account-Key_1": "Zoë\n50%"})
        await sink.finish([b"x"])
        assert s3.get(KEY)[2]["accountkey1"] == "Zo%C3%AB%0A50%25"


class TestNothingLeft:
    """What stays after a failure: nothing."""

    @pytest.mark.parametrize("size", [100, 9 * MIB, 30 * MIB])
    async def test_leaving(self, s3: S3, place: ObjectDestination, size: int) -> None:
        """A download that failed leaves neither object nor parts, and what was there before is still there."""
        s3.put(KEY, b"old")
        sink = await begun(place)
        for piece in pieces(size):
            await sink.write([piece])
        await sink.leave()
        assert s3.objects() == {KEY: 3}
        assert s3.open_uploads() == []

    @pytest.mark.parametrize("part", [0, 1, 2, 3])
    async def test_refused(self, s3: S3, place: ObjectDestination, part: int) -> None:
        """When the store refuses a part, or the upload's end (0), nothing is left, and the error says what to do."""

        def refuse(asked: Asked) -> tuple[str, bytes] | None:
            last = asked.method == "POST" and "uploadId" in asked.query
            return DENIED if (asked.part == part if part else last) else None

        s3.refuse = refuse
        sink = await begun(place)
        with pytest.raises(
            DestinationError, match=r"^s3://recordings/archive: cannot write there \(403 AccessDenied\)"
        ):
            await fill(sink, 20 * MIB)
        await sink.leave()
        assert s3.objects() == {}
        assert s3.open_uploads() == []

    async def test_a_store_that_fails(self, s3: S3, place: ObjectDestination) -> None:
        """Failures of the store are repeated; when they go on, the file has failed, and nothing is left."""
        s3.refuse = lambda asked: DOWN if asked.part == 2 else None
        sink = await begun(place)
        with pytest.raises(OSError, match=r"the store answers 500 InternalError: 's3://recordings/archive/2026"):
            await fill(sink, 30 * MIB)
        assert sum(one.part == 2 for one in s3.requests) == 11
        await sink.leave()
        assert (s3.objects(), s3.open_uploads()) == ({}, [])

    async def test_a_passing_failure(self, s3: S3, place: ObjectDestination) -> None:
        """A store that fails once is asked again, and the object is whole."""
        s3.refuse = lambda asked: DOWN if asked.part == 2 and sum(one.part == 2 for one in s3.requests) < 2 else None
        sink = await begun(place)
        await fill(sink, 20 * MIB)
        assert s3.get(KEY)[0] == b"".join(pieces(20 * MIB))

    @pytest.mark.parametrize("where", ["begin", "part", "complete"])
    async def test_cancelled(self, s3: S3, place: ObjectDestination, where: str) -> None:
        """A cancellation waits until the request in hand has ended, so that its upload can be aborted."""
        arrived, go = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def hold(asked: Asked) -> None:
            begins, completes = "uploads" in asked.query, asked.method == "POST" and "uploadId" in asked.query
            if {"begin": begins, "part": asked.part == 2, "complete": completes}[where]:
                loop.call_soon_threadsafe(arrived.set)
                assert go.wait(10)

        s3.refuse = hold
        sink = await begun(place)
        task = asyncio.create_task(fill(sink, 30 * MIB))
        await arrived.wait()
        task.cancel()
        await asyncio.sleep(0.01)
        task.cancel()
        loop.call_later(0.02, go.set)
        with pytest.raises(asyncio.CancelledError):
            await task
        await sink.leave()
        assert s3.open_uploads() == []
        assert s3.objects() == ({KEY: 30 * MIB} if where == "complete" else {})

    @pytest.mark.parametrize("doing", ["look", "read", "write"])
    async def test_a_store_that_is_silent_holds_up_nobody(
        self, s3: S3, place: ObjectDestination, monkeypatch: pytest.MonkeyPatch, doing: str
    ) -> None:
        """Who is cancelled leaves a read at once, and what changes something once the store has had its time."""
        arrived, go = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()
        await place.put(PATH, b"x")

        def hold(asked: Asked) -> tuple[str, bytes] | None:
            if asked.method != {"look": "HEAD", "read": "GET", "write": "PUT"}[doing]:
                return None
            loop.call_soon_threadsafe(arrived.set)
            assert go.wait(10)
            return DOWN

        s3.refuse = hold
        if doing == "write":
            monkeypatch.setattr(stores, "PATIENCE", 0.02)
        task = asyncio.ensure_future(place.put(PATH, b"y") if doing == "write" else place.sha256(PATH))
        await arrived.wait()
        task.cancel()
        await asyncio.wait([task], timeout=5)
        is_over = task.done()
        go.set()
        assert is_over
        assert task.cancelled()

    async def test_a_store_that_does_not_abort(
        self, s3: S3, place: ObjectDestination, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """An upload that is given up is left to the store, and logged, if that says nothing."""
        go = threading.Event()
        s3.refuse = lambda asked: None if asked.method != "DELETE" or go.wait(10) else DOWN
        monkeypatch.setattr(objects, "PATIENCE", 0.05)
        sink = await begun(place)
        await sink.write(pieces(9 * MIB))
        await until(lambda: any(one.part for one in s3.requests))
        async with asyncio.timeout(5):
            await sink.leave()
        go.set()
        assert "parts of an upload may be left" in caplog.text

    async def test_leaving_waits_for_the_part_in_hand(self, s3: S3, place: ObjectDestination) -> None:
        """A part that is on its way arrives before its upload is aborted: after that it would stay."""
        order: list[str] = []

        def slow(asked: Asked) -> None:
            if asked.part == 1:
                threading.Event().wait(0.03)
            if asked.part or asked.method == "DELETE":
                order.append(asked.method)

        s3.refuse = slow
        sink = await begun(place)
        await sink.write(pieces(9 * MIB))
        await sink.leave()
        assert order == ["PUT", "DELETE"]
        assert s3.open_uploads() == []

    async def test_what_cannot_be_cleaned_up_is_logged(
        self, s3: S3, place: ObjectDestination, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A failure to abort does not hide why the download failed: it is logged, with the place and no secret."""
        sink = await begun(place)
        await sink.write(pieces(9 * MIB))
        s3.refuse = lambda asked: DENIED if asked.method == "DELETE" else None
        await sink.leave()
        assert caplog.messages == [f"parts of an upload may be left at s3://recordings/{KEY}"]

    @pytest.mark.parametrize("size", [100, 9 * MIB])
    async def test_an_object_of_another_size(self, s3: S3, place: ObjectDestination, size: int) -> None:
        """An object that is not as large as what was sent is deleted, and the file has failed."""

        def cut(asked: Asked) -> None:
            if asked.method == "HEAD":
                s3.put(KEY, b"cut")

        s3.refuse = cut
        sink = await begun(place)
        with pytest.raises(OSError, match=f"the store has 3 bytes of {size}"):
            await fill(sink, size)
        assert s3.objects() == {}


class TestReading:
    """Reading back."""

    async def test_sha256(self, s3: S3, place: ObjectDestination) -> None:
        """A deep look reads all bytes by ranges, and tells their hash."""
        s3.put(KEY, data := b"".join(pieces(20 * MIB)))
        s3.requests.clear()
        assert await place.sha256(PATH) == hashlib.sha256(data).hexdigest()
        assert [one.method for one in s3.requests] == ["HEAD", "GET", "GET", "GET"]

    async def test_an_object_that_changes_meanwhile(self, s3: S3, place: ObjectDestination) -> None:
        """Ranges of two versions are never hashed as one."""
        s3.put(KEY, b"a" * 9 * MIB)

        def change(asked: Asked) -> None:
            if asked.method == "GET" and sum(one.method == "GET" for one in s3.requests) == 2:
                s3.put(KEY, b"b" * 9 * MIB)

        s3.refuse = change
        with pytest.raises(OSError, match="cannot read the object, the store answers 412 PreconditionFailed"):
            await place.sha256(PATH)

    async def test_nothing_there(self, place: ObjectDestination) -> None:
        """What is not there has no size, and no hash."""
        assert await place.sizes([PATH]) == [None]
        with pytest.raises(FileNotFoundError, match=f"no such object: 's3://recordings/{KEY}'"):
            await place.sha256(PATH)

    async def test_many_sizes(self, s3: S3, place: ObjectDestination) -> None:
        """Sizes come in the order that was asked for."""
        for number in range(40):
            s3.put(f"archive/{number}", b"x" * number)
        paths = [str(number) for number in range(41)]
        assert await place.sizes(paths) == [*range(40), None]


SECRETS = [
    "s3://key:secret@recordings/a",
    "s3://key:sec/ret@recordings",
    "s3://recordings/a?token=secret",
    "s3://r/#secret",
]


class TestAddresses:
    """What can be a destination."""

    @pytest.mark.parametrize("url", [*SECRETS, "s3://", "s3:///secret", "gs://b%20b/secret", "az://b b/secret"])
    def test_only_a_bucket_and_a_prefix(self, url: str) -> None:
        """Credentials, ports and queries are refused, and not shown; the message names what to set instead."""
        with pytest.raises(ValueError, match="credentials and the rest are set in the environment") as caught:
            ObjectDestination(url)
        assert "secret" not in str(caught.value)
        assert "sec/ret" not in str(caught.value)

    @pytest.mark.parametrize("url", ["http://recordings/a", "s3:recordings", "recordings", "S3://recordings", ""])
    def test_other_schemes(self, url: str) -> None:
        """There are three schemes."""
        with pytest.raises(ValueError, match="s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"):
            ObjectDestination(url)

    @pytest.mark.parametrize("url", ["s3://recordings/..", "gs://recordings/a/./b", "az://recordings/../other"])
    def test_no_way_up(self, url: str) -> None:
        """A prefix is a prefix."""
        with pytest.raises(ValueError, match=r"cannot go through \. or \.\."):
            ObjectDestination(url)

    @pytest.mark.parametrize(
        ("url", "identity"),
        [
            ("s3://recordings", "s3://recordings"),
            ("s3://recordings/", "s3://recordings"),
            ("gs://b.c_d-e/a//b/", "gs://b.c_d-e/a/b"),
            ("az://container/ü @", "az://container/ü @"),
        ],
    )
    def test_identity(self, url: str, identity: str) -> None:
        """The same place has one name, however many slashes were given."""
        place = ObjectDestination(url)
        assert place.identity == identity
        assert repr(place) == f"ObjectDestination({identity!r})"


class TestOpening:
    """What is wrong is told before anything is downloaded, and how to mend it."""

    async def test_nothing_is_written(self, s3: S3, place: ObjectDestination) -> None:
        """Opening lists, once."""
        assert [(one.method, "list-type" in one.query) for one in s3.requests] == [("GET", True)]

    async def test_no_bucket(self, s3: S3) -> None:
        """A bucket that is not there."""
        with pytest.raises(DestinationError, match=r"^s3://none/a: there is no such bucket$"):
            await ObjectDestination("s3://none/a").open()

    async def test_a_dry_run_looks_for_the_bucket(self, s3: S3, g2a_emulator: Emulator, tmp_path: Path) -> None:
        """What could not be written is not planned either: the run ends before anything is asked of the service."""
        add(g2a_emulator)
        path = tmp_path / "manifest.sqlite3"
        async with client_of(g2a_emulator) as client:
            with pytest.raises(DestinationError, match="there is no such bucket"):
                await ran(RecordingArchive(client, "s3://nowhere", manifest=path), g2a_emulator, dry_run=True)
            assert asked(g2a_emulator) == {}
            events = await ran(RecordingArchive(client, "s3://recordings", manifest=path), g2a_emulator, dry_run=True)
        assert kinds(events) == {"planned": 3, "finished": 1}
        assert s3.objects() == {}
        assert found(tmp_path) == []

    async def test_a_bucket_that_goes_away(self, s3: S3, place: ObjectDestination) -> None:
        """A bucket that goes away ends the run: no other file would fare better."""
        s3.refuse = lambda _: ("404 Not Found", b"NoSuchBucket")
        with pytest.raises(DestinationError, match="there is no such bucket"):
            await place.put(PATH, b"x")

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            (DENIED, r"cannot list there \(403 AccessDenied\); listing, reading, writing and deleting must be allowed"),
            (("403 Forbidden", b"InvalidAccessKeyId"), r"cannot list there \(403 InvalidAccessKeyId\); listing"),
            (("400 Bad Request", b"ExpiredToken"), r"cannot list there \(400 ExpiredToken\); listing"),
            (("301 Moved Permanently", b"PermanentRedirect"), "it is in another region; set AWS_REGION"),
        ],
    )
    async def test_refused(self, s3: S3, answer: tuple[str, bytes], message: str) -> None:
        """A refusal says what must be allowed or set; nothing of what the store or obstore wrote is shown."""
        s3.refuse = lambda _: answer
        with pytest.raises(DestinationError, match=f"^s3://recordings/a: {message}") as caught:
            await ObjectDestination("s3://recordings/a").open()
        assert "AKIASECRET" not in str(caught.value)
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)

    async def test_no_credentials(self, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without credentials, the variables that give them are named."""
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", s3.origin)
        s3.refuse = lambda _: DENIED
        with pytest.raises(DestinationError, match="there are no credentials; set AWS_ACCESS_KEY_ID, AWS_SECRET"):
            await ObjectDestination("s3://recordings").open()

    async def test_plain_http(self, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
        """An endpoint without TLS must be meant."""
        monkeypatch.delenv("AWS_ALLOW_HTTP")
        with pytest.raises(DestinationError, match="not https://; set AWS_ALLOW_HTTP=true if that is meant"):
            await ObjectDestination("s3://recordings").open()

    async def test_nobody_there(self, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
        """A store that cannot be reached."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        with pytest.raises(DestinationError, match=r"^s3://recordings: cannot list there: no answer from the store$"):
            await ObjectDestination("s3://recordings").open()

    async def test_an_environment_that_does_not_fit(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """What obstore says of variables that make no sense is not shown: the ones to set are."""
        key = tmp_path / "key.json"
        key.write_text('{"private_key": "user-token-F5EE645AAA87462523475FFF8576348574"}', encoding="utf-8")
        monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(key))
        monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
        for url in ("gs://recordings", "az://recordings"):
            with pytest.raises(ConfigError, match=r"does not tell how to get there; set (GOOGLE_APP|AZURE_STOR)"):
                await ObjectDestination(url).open()

    async def test_our_limit_of_time_is_in_force(self, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
        """A request may take as long as a part needs on a slow line, and the environment can say otherwise."""
        s3.refuse = lambda _: time.sleep(0.04)
        for name, limit in (("_TIMEOUT", "5ms"), ("AWS_TIMEOUT", "5ms")):
            with monkeypatch.context() as patch:
                if name == "AWS_TIMEOUT":
                    patch.setenv(name, limit)
                else:
                    patch.setattr(stores, name, limit)
                with pytest.raises(DestinationError, match="no answer"):
                    await ObjectDestination("s3://recordings").open()
        await ObjectDestination("s3://recordings").open()

    async def test_closed(self, s3: S3, place: ObjectDestination) -> None:
        """Closing may be repeated, and an object store may be used without opening."""
        await place.close()
        await place.close()
        assert await place.sizes([PATH]) == [None]


def upload(size: int) -> float:
    """In a process of its own: the most memory above what there was after a small object, in MiB."""
    block = b"x" * MIB

    async def work() -> float:
        place = ObjectDestination("s3://recordings/archive")
        await place.open()
        await place.put("small", b"x")
        idle = peak()
        sink = place.sink(PATH, about={})
        await sink.restart(Validators(total=size))
        for _ in range(size // MIB):
            await sink.write([bytes(block)])
        await sink.finish()
        sent = peak() - idle
        await place.sha256(PATH)
        return max(sent, peak() - idle)

    return asyncio.run(work())


def peak() -> float:
    """The most memory that this process had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_memory_is_flat(s3: S3) -> None:
    """However large an object is, sending it and reading it back takes the memory of a few parts."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(upload, 150 * MIB).result() < 64
    assert s3.objects()[KEY] == 150 * MIB
