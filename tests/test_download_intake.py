"""A long body that is taken from its connection: the file is identical in the end, and nothing stays open."""

import asyncio
import gc
import hashlib
import random
import ssl
from asyncio import protocols
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import aiohttp
import obstore.store
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tools.calls import QUICK, client_for
from tools.host import Version, content, film, get, left, starts
from tools.peer import Answer, Peer, first
from tools.proxy import Fault, Proxy

from g2a_async import ClientClosedError, RecordingFiles
from g2a_async.archive.objects import ObjectSink
from g2a_async.archive.stores import Bucket
from g2a_async.downloads import intake, reading
from g2a_async.downloads.folder import FileSink
from g2a_async.downloads.intake import Intake
from g2a_async.downloads.sink import Piece, Validators

SIZE = 600_000
FILM = film(SIZE)
V1 = Version(FILM)
CUT = 333_333
Taken = list[tuple[Intake, Any]]
"""What took a connection over, and its socket."""


@pytest.fixture(autouse=True)
def taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[Taken]:
    """Small bodies are long ones. What was taken over; in the end, each socket of it is closed."""
    found: Taken = []
    begin = Intake.__init__

    def seen(self: Intake, *names: Any) -> None:
        begin(self, *names)
        found.append((self, self._transport.get_extra_info("socket")))

    monkeypatch.setattr(Intake, "__init__", seen)
    monkeypatch.setattr(intake, "_BUFFER", 20_000)
    monkeypatch.setattr(intake, "_SOON", 0.02)
    monkeypatch.setattr(reading, "LONG", 1000)
    yield found
    assert {socket.fileno() for _, socket in found} <= {-1}
    gc.collect()  # so that what was left open complains now


class Slow(FileSink):
    """A disk that takes its time; it sees to it that what it was given stays the same meanwhile."""

    def __init__(self, path: Path, waits: Iterator[float]) -> None:
        super().__init__(path)
        self.waits = waits

    async def write(self, pieces: Sequence[Piece]) -> None:
        """Look at the bytes before and after, and write them."""
        before = [bytes(piece) for piece in pieces]
        for wait in [next(self.waits, 0.0)] * 3:
            await asyncio.sleep(wait)
        await super().write(pieces)
        assert [bytes(piece) for piece in pieces] == before


def at(address: str) -> RecordingFiles:
    """A recording whose film is there."""
    return RecordingFiles(recording_id=7, recording_url=address)


async def until(reached: Callable[[], object]) -> None:
    """Wait for what tells nobody."""
    async with asyncio.timeout(5):
        while not reached():  # noqa: ASYNC110  see above
            await asyncio.sleep(0.001)


def wholly(path: Path) -> None:
    """The film is at its place, and nothing else is there."""
    assert content(path) == FILM
    assert left(path.parent) == [path.name]


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_wherever_it_is_cut(tmp_path: Path, taken: Taken, new_loop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However a body comes, and wherever it ends too early, the next request brings the rest, and the hash is right."""
    chance = random.Random(7)

    async def download(number: int) -> None:
        monkeypatch.setattr(intake, "_BUFFER", chance.choice([4096, 20_000, 65_537, 1 << 20]))
        path, cuts = tmp_path / f"{number}.mp4", sorted(chance.sample(range(12, SIZE), chance.randrange(4)))
        bodies = [V1.part(start) if start else V1.whole() for start in [0, *cuts[:-1]]]
        pace = partial(chance.choice, [0, 7000, 50_000, 200_001])
        ends = zip(bodies, pairwise([0, *cuts]), strict=False)
        cut = [replace(one, cut_body=stop - start, drip=pace(), then="fin") for one, (start, stop) in ends]
        async with Peer(first(*cut, then=V1)) as peer:
            saved = await get(peer, path)
            assert starts(peer) == [None, *cuts]
        assert saved.sha256 == hashlib.sha256(FILM).hexdigest()
        assert content(path) == FILM

    with asyncio.Runner(loop_factory=new_loop) as runner:
        for number in range(10):
            runner.run(download(number))
    assert len(taken) >= 10


@pytest.mark.parametrize("then", ["rst", "stall"])
async def test_a_reset_and_a_stall_are_gone_on_from(tmp_path: Path, taken: Taken, then: Any) -> None:
    """After a stall not a byte that had come is asked for again; a reset may lose what was on its way."""
    async with Peer(first(V1.whole(cut_body=CUT, then=then), then=V1)) as peer:
        await get(peer, tmp_path / "a.mp4", stall=0.04)
        assert len(peer.requests) == 2
        assert then == "rst" or starts(peer) == [None, CUT]
    wholly(tmp_path / "a.mp4")
    assert taken


async def test_a_slow_drip_is_no_stall(tmp_path: Path, taken: Taken) -> None:
    """What takes longer than the limit, but never without a byte for so long, is waited for."""
    async with Peer([V1.whole(drip=25_000, pause=0.01)]) as peer:
        await get(peer, tmp_path / "a.mp4", stall=0.2)
    wholly(tmp_path / "a.mp4")
    assert taken


@pytest.mark.parametrize("waits", [[0.05], [0.0, 0.05, 0.0, 0.05]], ids=["at first", "later"])
async def test_a_slow_disk_is_no_stall_and_spoils_nothing(tmp_path: Path, taken: Taken, waits: list[float]) -> None:
    """The host waits for the disk, however early that rests; buffers that are being written are not filled anew."""
    version = Version(film(9_000_000))
    async with Peer([version.whole()]) as peer:
        await get(peer, Slow(tmp_path / "a.mp4", iter(waits)), stall=0.12)
    assert content(tmp_path / "a.mp4") == version.content
    by, _ = taken[0]
    assert len([*by._free, *by._given]) <= intake._FULL


async def test_it_ends_at_any_moment(tmp_path: Path) -> None:
    """Cancelled wherever it is, no task is left and what there is is right; the last download goes on from there."""
    chance, tasks, path, part = random.Random(3), asyncio.all_tasks(), tmp_path / "a.mp4", tmp_path / "a.mp4.part"
    for _ in range(15):
        async with Peer(V1) as peer:
            waits = (chance.random() * 0.001 for _ in range(50))
            task = asyncio.create_task(get(peer, Slow(path, waits)))
            await peer.received()
            for _ in range(chance.randrange(60)):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert all(FILM.startswith(content(place)) for place in (part, path) if place.exists())
    async with Peer(V1) as peer:
        await get(peer, path)
    wholly(path)
    assert asyncio.all_tasks() == tasks


async def test_what_came_is_written_soon(tmp_path: Path, taken: Taken) -> None:
    """The host rests: what it sent is in the file although a buffer has room, and stays when the client is closed."""
    part = tmp_path / "a.mp4.part"
    async with Peer([V1.whole(cut_body=CUT, then="stall")]) as peer, client_for(peer, retry=QUICK) as client:
        task = asyncio.create_task(client.recordings.download(at(peer.origin), tmp_path / "a.mp4"))
        await until(lambda: part.exists() and part.stat().st_size == CUT)
        await client.aclose()
        with pytest.raises(ClientClosedError):
            await task
    assert content(part) == FILM[:CUT]
    assert len(taken) == 1


async def test_a_disk_that_fails(tmp_path: Path, taken: Taken) -> None:
    """The error of the sink is raised, and the connection is closed, whatever it would still bring."""

    def full() -> Iterator[float]:
        yield 0.0
        raise OSError(28, "no space left")

    async with Peer([V1.whole(drip=50_000)]) as peer:
        with pytest.raises(OSError, match="no space left"):
            await get(peer, Slow(tmp_path / "a.mp4", full()))
    assert len(taken) == 1


async def test_more_than_was_promised_is_not_read(tmp_path: Path, taken: Taken) -> None:
    """What comes after the body is no part of the file, nor an answer to the next request, also through a proxy."""
    raw = V1.whole().wire() + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno" * 5000
    async with Peer([Answer(raw=raw), V1.whole()]) as peer, client_for(peer, proxy=peer.origin) as client:
        for name in ("a.mp4", "b.mp4"):
            assert await client.recordings.download(at("http://files.example/7"), tmp_path / name) == SIZE
            assert content(tmp_path / name) == FILM
    assert [seen.connection for seen in peer.requests] == [1, 2]
    assert len(taken) == 2


@pytest.mark.parametrize("header", [("content-encoding", "identity"), ("Content-Length", f"0{SIZE}")])
async def test_only_a_plain_body_is_taken(tmp_path: Path, taken: Taken, header: tuple[str, str]) -> None:
    """Whatever shows that the connection may carry something else than the file's bytes: aiohttp reads it."""
    async with Peer([replace(V1.whole(), headers=(*V1.about(), header))]) as peer:
        await get(peer, tmp_path / "a.mp4")
    wholly(tmp_path / "a.mp4")
    assert taken == []


@pytest.mark.parametrize("start", [CUT, CUT - 5000, 0])
async def test_the_rest_may_begin_too_early(tmp_path: Path, taken: Taken, start: int) -> None:
    """A range that begins before what is held: no byte is there twice."""
    answers = [V1.whole(cut_body=CUT, then="fin"), V1.part(start, drip=4000)]
    async with Peer(answers) as peer:
        await get(peer, tmp_path / "a.mp4")
        assert starts(peer) == [None, CUT]
    wholly(tmp_path / "a.mp4")
    assert len(taken) == 2


class TlsPeer(Peer):
    """The same by TLS, for 127.0.0.1."""

    context: ssl.SSLContext

    async def __aenter__(self) -> Self:
        start = asyncio.start_server
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio, "start_server", partial(start, ssl=self.context))
            return await super().__aenter__()


@pytest.fixture
def trust(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Give `TlsPeer` a certificate of its own, and what trusts it."""
    key, now, name = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC), x509.Name([])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = builder.add_extension(here, critical=False).sign(key, hashes.SHA256())
    pem = Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(certificate.public_bytes(pem[0]) + key.private_bytes(*pem))
    TlsPeer.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    TlsPeer.context.load_cert_chain(file)
    return ssl.create_default_context(cafile=file)


async def test_a_host_that_takes_no_leave(tmp_path: Path, taken: Taken, trust: ssl.SSLContext) -> None:
    """By TLS, too, a socket is closed with the client: the end of a program waits for nobody. The next one gets it."""
    part = tmp_path / "a.mp4.part"
    async with TlsPeer(V1) as peer, Proxy(peer.port, [Fault(at="answer", after=CUT, act="stall")]) as proxy:
        async with client_for(peer, ssl=trust) as client:
            files = at(f"https://127.0.0.1:{proxy.port}")
            task = asyncio.create_task(client.recordings.download(files, tmp_path / "a.mp4"))
            await until(lambda: part.exists() and part.stat().st_size > CUT - 25_000)  # all but a part of a TLS record
            task.cancel()
            await asyncio.wait([task])
        assert taken[0][1].fileno() == -1
        async with client_for(peer, ssl=trust) as client:
            assert await client.recordings.download(at(f"https://127.0.0.1:{peer.port}"), tmp_path / "a.mp4") == SIZE
            assert starts(peer)[1] is not None
    wholly(tmp_path / "a.mp4")
    assert len(taken) == 2


async def test_on_windows_more_may_come_while_the_host_waits() -> None:
    """It gives all that it has read there, over the edge of a buffer and also after it was told to wait."""
    async with Peer([V1.whole(cut_body=1000, then="stall")]) as peer, aiohttp.ClientSession() as session:
        async with session.get(peer.origin) as response, Intake(response, SIZE) as bringing:
            given = [bringing.begin]
            for start in range(len(given[0]), SIZE, 14_983):
                was_told = not bringing._transport.is_reading()
                protocols._feed_data_to_buffered_proto(bringing, FILM[start : start + 14_983])  # type: ignore[attr-defined]
                while was_told and not bringing._transport.is_reading() and bringing._left:
                    given += [bytes(piece) for piece in await bringing.next()]
            while pieces := await bringing.next():
                given += [bytes(piece) for piece in pieces]
        assert b"".join(given) == FILM
        assert bringing.failure is None


async def test_an_object_store_keeps_copies() -> None:
    """What is written there goes out later: the buffers that it came in are filled anew by then."""
    store, buffer = obstore.store.MemoryStore(), bytearray(FILM[:1000])
    sink = ObjectSink(Bucket("s3://bucket"), store, "a.mp4", {})
    await sink.restart(Validators(total=1000))
    await sink.write([memoryview(buffer)])
    buffer[:] = bytes(1000)
    saved = await sink.finish()
    assert saved.sha256 == hashlib.sha256(FILM[:1000]).hexdigest()
    assert bytes((await obstore.get_async(store, "a.mp4")).bytes()) == FILM[:1000]
