"""A recording's file is whole at its place, or not there at all."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tools.calls import client_for
from tools.peer import Answer, Peer, Script, page, typed

from g2a_async import ClientClosedError, G2AError, NotFoundError, RecordingFiles, StatusError, TransportError
from g2a_async.downloads import files as file_system

MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(range(256)) * 200
SIGNED = "/files/7.mp4?X-Sig=a%2Fb%2Bc%3D&e=1+2&t=%20x"
SECRET = "a%2Fb%2Bc%3D"


def files(peer: Peer, target: str = SIGNED) -> RecordingFiles:
    """A recording that lies on this peer."""
    return RecordingFiles(recording_id=7, recording_url=peer.origin + target)


def left(folder: Path) -> list[str]:
    """What is in the folder."""
    return sorted(path.name for path in folder.iterdir())


async def failed(script: Script, folder: Path, **changes: Any) -> G2AError:
    """Download what cannot be saved: nothing must be left, also of what was there before, which stays."""
    (folder / "kept.mp4").write_bytes(b"before")
    async with Peer(script) as peer, client_for(peer, **changes) as client:
        for name in ("kept.mp4", "new.mp4"):
            with pytest.raises(G2AError) as caught:
                await client.recordings.download(files(peer), folder / name)
    assert left(folder) == ["kept.mp4"]
    assert (folder / "kept.mp4").read_bytes() == b"before"
    assert SECRET not in f"{caught.value} {caught.value!r}"
    return caught.value


@pytest.mark.parametrize("drip", [0, 5000])
@pytest.mark.parametrize("as_text", [False, True])
async def test_a_recording_is_saved(tmp_path: Path, drip: int, as_text: bool) -> None:
    """The file is there byte for byte, its size is told, and the request had the signed address and no credentials."""
    path = tmp_path / "7.mp4"
    path.write_bytes(b"an older one")
    script = lambda _: Answer(body=MP4, drip=drip)  # noqa: E731
    async with Peer(script) as peer, client_for(peer) as client:
        assert await client.recordings.download(files(peer), str(path) if as_text else path) == len(MP4)
    assert path.read_bytes() == MP4
    assert left(tmp_path) == ["7.mp4"]
    assert peer.last.target == SIGNED
    assert [peer.last.header(name) for name in ("Authorization", "Cookie")] == [None, None]


async def test_a_large_recording_is_saved(tmp_path: Path) -> None:
    """A file that does not fit into one piece is whole, too, with a length or in chunks."""
    body = MP4 * 60
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(MP4), MP4) for _ in range(60)) + b"0\r\n\r\n"
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked
    async with Peer([Answer(body=body), Answer(raw=raw)]) as peer, client_for(peer) as client:
        for name in ("a.mp4", "b.mp4"):
            assert await client.recordings.download(files(peer), tmp_path / name) == len(body)
            assert (tmp_path / name).read_bytes() == body


@pytest.mark.parametrize("cut", [0, 1, 11, 5000, len(MP4) - 1])
@pytest.mark.parametrize("then", ["fin", "rst"])
async def test_a_cut_body_is_no_recording(tmp_path: Path, cut: int, then: Any) -> None:
    """However much of the file is missing: TransportError, and nothing is left."""
    error = await failed(lambda _: Answer(body=MP4, cut_body=cut, then=then), tmp_path)
    assert type(error) is TransportError
    assert "recordings.download" in str(error)


WRONG: dict[str, Callable[[], Answer]] = {
    "HTML": lambda: page("<h1>Please log in</h1>"),
    "nothing": lambda: Answer(body=b""),
    "a few bytes": lambda: Answer(body=b"ftyp"),
    "JSON": lambda: typed(b'{"error": "expired"}', "application/json"),
    "no length, and no film": lambda: Answer(raw=b"HTTP/1.1 200 OK\r\n\r\n<html>", then="fin"),
}


@pytest.mark.parametrize("answer", WRONG.values(), ids=WRONG)
async def test_what_is_no_film_is_not_saved(tmp_path: Path, answer: Callable[[], Answer]) -> None:
    """A login page with status 200 does not pass for a recording."""
    assert isinstance(await failed(lambda _: answer(), tmp_path), TransportError)


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFoundError), (403, StatusError), (500, StatusError), (206, StatusError)]
)
async def test_an_expired_address_is_told(tmp_path: Path, status: int, kind: type[StatusError]) -> None:
    """A status other than 200 is its error."""
    error = await failed(lambda _: Answer(status=status, body=MP4), tmp_path)
    assert isinstance(error, kind)
    assert error.status == status


async def test_nobody_listens(tmp_path: Path) -> None:
    """No connection is a TransportError, and nothing is left."""
    async with Peer(lambda _: Answer()) as peer:
        gone = files(peer)
    async with client_for("http://127.0.0.1:1") as client:
        with pytest.raises(TransportError) as caught:
            await client.recordings.download(gone, tmp_path / "x.mp4")
    assert left(tmp_path) == []
    assert SECRET not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize("url", ["", "no address", "http://", "http://[", "ftp://h/x", "/relative", "http://h:99999/"])
async def test_an_address_that_is_none_is_told(tmp_path: Path, url: str) -> None:
    """What the service gave as an address and is none is one of our errors."""
    async with client_for("http://127.0.0.1:1") as client:
        with pytest.raises(G2AError):
            await client.recordings.download(RecordingFiles(recording_id=1, recording_url=url), tmp_path / "x.mp4")
    assert left(tmp_path) == []


async def test_a_closed_client_downloads_nothing(tmp_path: Path) -> None:
    """After `aclose()` a download is refused as every call is."""
    async with Peer(lambda _: Answer(body=MP4)) as peer:
        client = client_for(peer)
        await client.aclose()
        with pytest.raises(ClientClosedError):
            await client.recordings.download(files(peer), tmp_path / "x.mp4")
    assert peer.requests == []
    assert left(tmp_path) == []


async def cancelled(task: asyncio.Task[Any], folder: Path) -> None:
    """Cancel it: nothing must be left, also not a moment later."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.04)
    assert left(folder) == []


async def test_a_cancelled_download_leaves_nothing(tmp_path: Path) -> None:
    """Cancelled while the file comes: neither the file nor a part of it is left."""
    async with Peer(lambda _: Answer(body=MP4, cut_body=9000, then="stall")) as peer, client_for(peer) as client:
        task = asyncio.ensure_future(client.recordings.download(files(peer), tmp_path / "x.mp4"))
        await peer.received()
        while not left(tmp_path):  # noqa: ASYNC110  a file tells nobody that it is there
            await asyncio.sleep(0.001)
        await cancelled(task, tmp_path)


async def test_a_download_cancelled_while_it_opens_its_file_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow disk opens the file only after the download was cancelled: nothing is left then, either."""
    opening, really_open = threading.Event(), file_system.open_alone

    def slowly(path: Path, *, is_new: bool = False) -> int:
        opening.set()
        time.sleep(0.02)
        return really_open(path, is_new=is_new)

    monkeypatch.setattr(file_system, "open_alone", slowly)
    async with Peer(lambda _: Answer(body=MP4)) as peer, client_for(peer) as client:
        task = asyncio.ensure_future(client.recordings.download(files(peer), tmp_path / "x.mp4"))
        while not opening.is_set():  # noqa: ASYNC110  it is set in a thread
            await asyncio.sleep(0.001)
        await cancelled(task, tmp_path)


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """Where the file cannot be written, the system's own error says so."""
    async with Peer(lambda _: Answer(body=MP4)) as peer, client_for(peer) as client:
        with pytest.raises(FileNotFoundError):
            await client.recordings.download(files(peer), tmp_path / "missing" / "x.mp4")
    assert left(tmp_path) == []
