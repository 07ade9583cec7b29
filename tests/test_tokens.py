"""Tokens, and the stores in memory and in files."""

import asyncio
import copy
import fcntl
import json
import os
import pickle
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from g2a_async import ConfigError
from g2a_async.file_store import FileTokenStore, config_folder
from g2a_async.tokens import MemoryTokenStore, Token, TokenStore

TEXTS = some.text(min_size=1)
TIMES = some.none() | some.datetimes(timezones=some.timezones())
TOKENS = some.builds(
    Token, TEXTS, refresh_token=some.none() | TEXTS, expires_at=TIMES, principal=some.none() | TEXTS, issued_at=TIMES
)
TOKEN = Token("acc3ss", "r3fresh", datetime(2026, 1, 1, tzinfo=UTC), "ada@example.com")


@pytest.fixture
def store(tmp_path: Path) -> FileTokenStore:
    """Make a store whose folder is not there yet."""
    return FileTokenStore(tmp_path / "new" / "token.json")


@given(TOKENS)
def test_a_token_survives_a_store(token: Token) -> None:
    """By way of JSON, of pickle and of copy it stays the same."""
    assert Token.from_dict(json.loads(json.dumps(token.to_dict()))) == token
    assert pickle.loads(pickle.dumps(token)) == copy.deepcopy(token) == token


def test_a_token_does_not_show_itself() -> None:
    """Neither repr nor str has the two secrets."""
    shown = f"{TOKEN!r} {TOKEN}"
    assert "acc3ss" not in shown
    assert "r3fresh" not in shown
    assert "ada@example.com" in shown


def test_a_token_ends_in_utc() -> None:
    """Its times are UTC, wherever they came from; a naive one is refused."""
    east = timezone(timedelta(hours=5))
    assert Token("a", expires_at=datetime(2026, 1, 1, 5, tzinfo=east)).expires_at == datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="aware"):
        Token("a", expires_at=datetime(2026, 1, 1))  # noqa: DTZ001


JUNK: list[Any] = [
    {},
    {"access_token": ""},
    {"access_token": 5},
    {"access_token": None},
    {"access_token": "s3cr3t", "refresh_token": 5},
    {"access_token": "s3cr3t", "expires_at": "soon"},
    {"access_token": "s3cr3t", "expires_at": "2026-01-01T00:00:00"},
    {"access_token": "s3cr3t", "expires_at": 5},
    [],
    "s3cr3t",
]


@pytest.mark.parametrize("junk", JUNK, ids=str)
def test_junk_is_no_token(junk: Any) -> None:
    """What is stored and is no token is refused, in words that do not show it."""
    with pytest.raises(ValueError, match="not a token") as caught:
        Token.from_dict(junk)
    assert "s3cr3t" not in repr(caught.value)


async def test_a_file_is_its_owners_alone(store: FileTokenStore) -> None:
    """The folder is 0700, the file, its lock and nothing else are in it, both 0600 whatever the umask."""
    before = os.umask(0)
    try:
        async with store.lock():
            await store.save(TOKEN)
    finally:
        os.umask(before)
    assert await store.load() == TOKEN
    assert store.path.parent.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in store.path.parent.iterdir()}
    assert modes == {"token.json": 0o600, "token.json.lock": 0o600}


async def test_a_file_that_others_could_read_becomes_private(store: FileTokenStore) -> None:
    """Saving puts it right."""
    await store.save(TOKEN)
    store.path.chmod(0o644)
    await store.save(TOKEN)
    assert store.path.stat().st_mode & 0o777 == 0o600


async def test_unknown_keys_are_kept(store: FileTokenStore) -> None:
    """What another version wrote beside the token, or inside, is still there after a save and a removal."""
    await store.save(TOKEN)
    document = json.loads(store.path.read_text())
    document["later"] = {"x": [1]}
    document["token"]["scope"] = "support:"
    document["login"] = {"client_id": "c"}
    store.path.write_text(json.dumps(document))
    await store.save(Token("other"))
    assert await store.load() == Token("other")
    written = json.loads(store.path.read_text())
    assert (written["later"], written["token"]["scope"]) == ({"x": [1]}, "support:")
    await store.clear()
    assert json.loads(store.path.read_text()) == {"later": {"x": [1]}, "login": {"client_id": "c"}}
    assert await store.load() is None


async def test_an_empty_document_is_no_file(store: FileTokenStore) -> None:
    """Removing the only thing in a file removes it; removing nothing is nothing."""
    await store.clear()
    await store.save(TOKEN)
    await store.clear()
    assert not store.path.exists()
    assert await store.load() is None


TORN: dict[str, bytes] = {
    "empty": b"",
    "half": b'{"token": {"access_token": "s3cr3t", "refr',
    "binary": bytes(range(256)),
    "a list": b"[1]",
    "somebody else's": b'{"users": ["s3cr3t"]}',
    "no token": b'{"token": {"access_token": 5}}',
    "a text": b'{"token": "s3cr3t"}',
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("data", TORN.values(), ids=TORN)
async def test_a_torn_file_is_put_aside(store: FileTokenStore, data: bytes) -> None:
    """It is kept as `.corrupt`, the error says where and what to do, and a new login works."""
    store.path.parent.mkdir()
    store.path.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        await store.load()
    aside = store.path.with_name("token.json.corrupt")
    assert aside.read_bytes() == data
    assert str(aside) in str(caught.value)
    assert "g2a login" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    await store.save(TOKEN)
    assert await store.load() == TOKEN


async def test_a_write_that_fails_leaves_the_old_file(store: FileTokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing else."""
    await store.save(TOKEN)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(ConfigError, match="No space left"):
        await store.save(Token("new"))
    assert await store.load() == TOKEN
    assert [path.name for path in store.path.parent.iterdir()] == ["token.json"]


@pytest.mark.parametrize(
    "use", [FileTokenStore.load, lambda store: store.save(TOKEN), lambda store: store.lock().__aenter__()]
)
async def test_a_place_that_cannot_be_used(tmp_path: Path, use: Callable[[FileTokenStore], Any]) -> None:
    """A file in the place of the folder is told as such."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be"):
        await use(FileTokenStore(tmp_path / "file" / "token.json"))


async def test_a_torn_file_that_cannot_be_put_aside(store: FileTokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays, and the error says why."""
    store.path.parent.mkdir()
    store.path.write_text("{")
    store.path.with_name("token.json.corrupt").mkdir()
    with pytest.raises(ConfigError, match="nor be put aside"):
        await store.load()
    assert store.path.read_text() == "{"


async def test_a_file_system_without_locks(store: FileTokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing goes on without a lock."""

    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(ConfigError, match="No locks available"):
        await store.lock().__aenter__()


async def test_what_a_killed_process_left_is_cleared(store: FileTokenStore) -> None:
    """Its temporary file goes with the next save, once it is old enough to be nobody's."""
    await store.save(TOKEN)
    old, young = store.path.with_name(".token.json.x.tmp"), store.path.with_name(".token.json.y.tmp")
    for path in (old, young):
        path.write_text("half")
    os.utime(old, (time.time() - 120, time.time() - 120))
    await store.save(TOKEN)
    assert (old.exists(), young.exists()) == (False, True)


async def test_a_link_stays_a_link(store: FileTokenStore, tmp_path: Path) -> None:
    """The file that it leads to is written, and locked for those who come by either name."""
    await store.save(TOKEN)
    link = tmp_path / "link.json"
    link.symlink_to(store.path)
    await FileTokenStore(link).save(Token("new"))
    assert link.is_symlink()
    assert await store.load() == Token("new")
    assert FileTokenStore(link).identity == store.identity


def kinds(tmp_path: Path, kind: str) -> Callable[[], TokenStore]:
    """Give what opens the same store again."""
    memory = MemoryTokenStore()
    return (lambda: memory) if kind == "memory" else lambda: FileTokenStore(tmp_path / "token.json")


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_a_lock_excludes_tasks_threads_and_loops(tmp_path: Path, kind: str) -> None:
    """Of all who want the same store, one at a time has it."""
    again = kinds(tmp_path, kind)
    inside, most = 0, 0

    async def enter() -> None:
        nonlocal inside, most
        async with again().lock():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1

    async def many() -> None:
        await asyncio.gather(*(enter() for _ in range(5)))

    threads = [threading.Thread(target=lambda: asyncio.run(many())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside, most) == (0, 1)


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_a_cancelled_wait_leaves_no_lock(tmp_path: Path, kind: str) -> None:
    """Whoever gave up waiting does not have the lock, and the loop ran on while they waited."""
    again = kinds(tmp_path, kind)
    async with again().lock():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02), again().lock():
                pass
    async with asyncio.timeout(1), again().lock():
        pass


async def test_a_lock_file_that_is_removed(store: FileTokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever locks a file that was removed since it was opened has nothing: they lock the one that is there."""
    lock = store.path.with_name("token.json.lock")
    opened: list[int] = []
    really = os.open

    def remove_once(path: Any, flags: int, mode: int = 0o777) -> int:
        fd = really(path, flags, mode)
        if path == lock and not opened:
            opened.append(fd)
            lock.unlink()
        return fd

    monkeypatch.setattr(os, "open", remove_once)
    async with store.lock():
        assert lock.exists()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), store.lock():
                pass


async def test_a_cancelled_save_is_whole(store: FileTokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is done before the cancellation goes on, so that a lock around it means something."""
    sync = os.fsync

    def slow(fd: int) -> None:
        time.sleep(0.01)
        sync(fd)

    monkeypatch.setattr(os, "fsync", slow)
    saving = asyncio.create_task(store.save(TOKEN))
    await asyncio.sleep(0.002)
    for _ in range(3):
        saving.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await saving
    assert store.path.exists()
    assert await store.load() == TOKEN


async def test_memory_holds_a_token() -> None:
    """Until it is told to forget it; its repr shows no secret."""
    store = MemoryTokenStore(TOKEN)
    assert await store.load() == TOKEN
    assert "acc3ss" not in repr(store)
    await store.clear()
    assert await store.load() is None


def test_where_logins_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In $XDG_CONFIG_HOME where that is an absolute path, else in ~/.config."""
    monkeypatch.setenv("HOME", "/home/ada")
    assert config_folder({"XDG_CONFIG_HOME": str(tmp_path)}) == tmp_path / "g2a"
    assert config_folder({"XDG_CONFIG_HOME": "relative"}) == config_folder({}) == Path("/home/ada/.config/g2a")
    assert FileTokenStore("~/x").path == Path("/home/ada/x")
