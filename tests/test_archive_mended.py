"""What a folder, its names and its system may do to an archive."""

import errno
import fcntl
import os
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest
from tools.archives import MANIFEST, add, errors, found, kinds, ran_at, stem

from g2a_async.archive.destinations import FolderDestination, open_destination
from g2a_async.archive.jobs import _reason
from g2a_async.downloads import files, folder
from g2a_async.downloads.folder import FileSink
from g2a_async.downloads.sink import Sink, Validators
from g2a_async.emulator import Emulator

STRONG = Validators('"e"', None, 100)


async def half(sink: Sink, validators: Validators = STRONG) -> None:
    """Half of a file, which breaks off there."""
    await sink.open()
    await sink.restart(validators)
    await sink.write([b"a" * 50])
    await sink.leave()


@pytest.mark.parametrize("begins_anew", [True, False])
async def test_what_somebody_began_since_is_gone_on_with(tmp_path: Path, begins_anew: bool) -> None:
    """A path that was looked at and not fetched is not taken for new for ever."""
    place = FolderDestination(tmp_path)
    assert await place.sizes(["x.mp4", "y.mp4"]) == [None, None]
    await half(FolderDestination(tmp_path).sink("x.mp4", about={}))
    if begins_anew:
        await place.open()
    else:
        await place.sizes(["x.mp4"])
    sink = place.sink("x.mp4", about={})
    await sink.open()
    assert (sink.held, sink.validators) == (50, STRONG)
    await sink.leave()


async def test_one_path_that_cannot_be_looked_at(
    g2a_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It alone is fetched, which tells what is wrong with it; what is there of the others is taken up."""
    recordings = add(g2a_emulator, 3)
    await ran_at(g2a_emulator, tmp_path)
    (tmp_path / MANIFEST).unlink()
    size_of = files.size_of

    def look(path: str) -> int | None:
        if path.endswith(f"{stem(recordings[1])}.png"):
            raise PermissionError(errno.EACCES, "no")
        return size_of(path)

    monkeypatch.setattr(files, "size_of", look)
    events = await ran_at(g2a_emulator, tmp_path)
    assert not errors(events)
    assert kinds(events) == {"planned": 9, "started": 1, "done": 1, "skipped": 8, "finished": 1}
    [path] = [event.path for event in events if event.kind == "done"]
    assert path == f"{stem(recordings[1])}.png"


def test_a_folder_whose_name_is_no_utf8() -> None:
    """It is refused at once, in words that can be printed; so is the name of a file in an error."""
    odd = os.fsdecode(b"/srv/\xff")
    for place in (odd, Path(odd)):
        with pytest.raises(ValueError, match="is no UTF-8") as caught:
            open_destination(place)
        assert str(caught.value).isascii()
        assert type(caught.value) is ValueError
    reason = _reason(PermissionError(errno.EACCES, "Permission denied", odd))
    assert reason == "Permission denied: /srv/?"


def test_addresses_of_every_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheme may be in capitals; what a file:// address names is the system's matter."""
    assert open_destination("S3://Bucket/x").identity == "s3://Bucket/x"
    assert open_destination("FILE:///srv/a%20b").identity == "/srv/a b"
    named: list[str] = []

    def drive(path: str) -> str:
        named.append(path)
        if path == "/odd":
            raise OSError("Bad URL")
        return "/drive/recordings"

    monkeypatch.setattr(urllib.request, "url2pathname", drive)
    assert open_destination("file:///C:/recordings").identity == "/drive/recordings"
    with pytest.raises(ValueError, match="three slashes"):
        open_destination("file:///odd")
    assert named == ["/C:/recordings", "/odd"]


@pytest.mark.parametrize("is_taken", [False, True])
async def test_on_windows_a_part_is_closed_before_it_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_taken: bool
) -> None:
    """An open file cannot be removed there; one that another download has opened is that one's."""
    forget, closed = files.forget, list[str]()

    def forget_closed(*paths: str) -> None:
        if is_taken:
            raise PermissionError(errno.EACCES, "it is open")
        for path in paths:
            os.close(files.open_alone(path))  # which fails where it is still locked
            closed.append(path)
        forget(*paths)

    sink = FileSink(tmp_path / "x")
    monkeypatch.setattr(files, "forget", forget_closed)
    monkeypatch.setattr(folder, "sys", SimpleNamespace(platform="win32"))
    await half(sink, Validators(None, None, 100))
    assert found(tmp_path) == ([tmp_path / "x.part"] if is_taken else [])
    assert bool(closed) != is_taken


@pytest.mark.parametrize("code", [0, errno.ENOTSUP, errno.EIO])
def test_on_macos_the_disk_itself_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Where the file system can; an error of the disk is one."""
    calls: list[object] = []

    def control(fd: int, command: int) -> None:
        calls.append(command)
        if code:
            raise OSError(code, "no")

    monkeypatch.setattr(files, "sys", SimpleNamespace(platform="darwin"))
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", control)
    monkeypatch.setattr(os, "fsync", lambda _: calls.append("fsync"))
    with (tmp_path / "x").open("wb") as file:
        if code == errno.EIO:
            with pytest.raises(OSError, match="no"):
                files.sync(file.fileno())
        else:
            files.sync(file.fileno())
    assert calls == ([51, "fsync"] if code == errno.ENOTSUP else [51])
