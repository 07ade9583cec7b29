"""Tokens in a keyring."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.errors
import pytest
from keyring.backends.fail import Keyring as NoKeyring
from tools.oauth import ended, oauth_for, refreshes

from g2a_async import ConfigError
from g2a_async.emulator import Emulator
from g2a_async.keyring_store import KeyringTokenStore
from g2a_async.tokens import Token


class Drawer(keyring.backend.KeyringBackend):
    """A keyring in memory."""

    priority = 1  # pyright: ignore[reportAssignmentType]  # as all of keyring's own do

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        """Read an entry."""
        if self.locked:
            raise keyring.errors.KeyringLocked
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Write an entry."""
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        """Remove an entry."""
        if (service, username) not in self.entries:
            raise keyring.errors.PasswordDeleteError
        del self.entries[service, username]


@pytest.fixture
def drawer() -> Iterator[Drawer]:
    """Make it the system's keyring."""
    before = keyring.get_keyring()
    mine = Drawer()
    keyring.set_keyring(mine)
    yield mine
    keyring.set_keyring(before)


@pytest.fixture
def store(tmp_path: Path) -> KeyringTokenStore:
    """Open an entry."""
    return KeyringTokenStore("mine", lock_file=tmp_path / "new" / "lock")


async def test_keeps_a_token(drawer: Drawer, store: KeyringTokenStore) -> None:
    """A token is saved, found, and removed; so is nothing."""
    await store.clear()
    assert await store.load() is None
    await store.save(Token("s3cr3t", "r"))
    assert await store.load() == Token("s3cr3t", "r")
    assert [*drawer.entries] == [("g2a_async", "mine")]
    assert "s3cr3t" not in repr(store)
    await store.clear()
    assert not drawer.entries


async def test_serves_oauth(drawer: Drawer, store: KeyringTokenStore) -> None:
    """Two objects that share an entry make one refresh."""
    with Emulator() as emulator:
        await store.save(ended(emulator.refresh_token))
        both = [oauth_for(emulator, store=store, refresh_token=None) for _ in range(2)]
        assert len(set(await asyncio.gather(*(auth.token() for auth in both)))) == 1
        assert refreshes(emulator) == 1
        assert both[0].quota_key == both[1].quota_key


@pytest.mark.parametrize("text", ["{", "[]", '{"token": {}}', '{"token": "s3cr3t"}'])
async def test_an_entry_that_is_no_token(drawer: Drawer, store: KeyringTokenStore, text: str) -> None:
    """The error says which it is, and not what is in it."""
    drawer.entries["g2a_async", "mine"] = text
    with pytest.raises(ConfigError, match="'mine'") as caught:
        await store.load()
    assert "s3cr3t" not in str(caught.value)


async def test_a_locked_keyring(drawer: Drawer, store: KeyringTokenStore) -> None:
    """It is told as such."""
    drawer.locked = True
    with pytest.raises(ConfigError, match="KeyringLocked"):
        await store.load()


async def test_a_machine_without_a_keyring(drawer: Drawer, store: KeyringTokenStore) -> None:
    """Nothing is kept elsewhere instead; the error says what works."""
    keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]  # keyring's own
    with pytest.raises(ConfigError, match="--store file"):
        await store.save(Token("s3cr3t"))


async def test_without_the_extra(store: KeyringTokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to install it."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match=r"pip install 'g2a-async\[keyring\]'"):
        await store.load()


def test_a_lock_file_for_each_entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is in the user's configuration folder."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    async def enter(name: str) -> None:
        async with KeyringTokenStore(name).lock():
            pass

    for name in ("one", "two", "one"):
        asyncio.run(enter(name))
    assert len(list((tmp_path / "g2a").iterdir())) == 2
