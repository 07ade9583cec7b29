"""Credentials from variables, and from the login that is kept."""

import asyncio
import json
from pathlib import Path

import pytest
from tools.oauth import ended

from g2a_async import ConfigError, StaticToken
from g2a_async.emulator import Emulator
from g2a_async.file_store import FileTokenStore
from g2a_async.logins import Login, auth_from_env, keep_login, read_login
from g2a_async.oauth import OAuth2

TRIO = {"G2A_CLIENT_ID": "c", "G2A_CLIENT_SECRET": "s3cr3t", "G2A_REFRESH_TOKEN": "r3fresh"}


@pytest.fixture
def place(tmp_path: Path) -> dict[str, str]:
    """Name a file for the login."""
    return {"G2A_TOKEN_FILE": str(tmp_path / "token.json")}


def kept(place: dict[str, str], secret: str | None = None, client_id: str = "c") -> Login:
    """Keep a login there."""
    login = Login(client_id=client_id, store="file", token_url="http://t.example", client_secret=secret)
    asyncio.run(keep_login(Path(place["G2A_TOKEN_FILE"]), login, ended("kept")))
    return login


async def test_an_access_token_comes_first(place: dict[str, str]) -> None:
    """It is used as it is, whatever else is set."""
    auth = auth_from_env(TRIO | place | {"G2A_ACCESS_TOKEN": " tok "})
    assert isinstance(auth, StaticToken)
    assert await auth.token() == "tok"


async def test_a_refresh_token(place: dict[str, str]) -> None:
    """Client ID, secret and refresh token make an OAuth2, at the server that G2A_TOKEN_URL names."""
    with Emulator() as emulator:
        auth = auth_from_env(
            {
                "G2A_CLIENT_ID": emulator.client_id,
                "G2A_CLIENT_SECRET": emulator.client_secret,
                "G2A_REFRESH_TOKEN": emulator.refresh_token,
                "G2A_TOKEN_URL": emulator.token_url,
                **place,
            }
        )
        token = await auth.token()
        assert token is not None
        assert emulator.state.oauth.valid(token, emulator.clock.now())
    assert read_login(Path(place["G2A_TOKEN_FILE"])) is None


@pytest.mark.parametrize("name", ["G2A_CLIENT_ID", "G2A_CLIENT_SECRET", "G2A_REFRESH_TOKEN"])
@pytest.mark.parametrize("value", [None, " "])
def test_says_which_variable_is_missing(place: dict[str, str], name: str, value: str | None) -> None:
    """Of three that belong together, the one that is not there is named; those that are there are not shown."""
    environ = {key: each for key, each in TRIO.items() if key != name} | ({name: value} if value else {})
    with pytest.raises(ConfigError, match=f"{name} is missing") as caught:
        auth_from_env(environ | place)
    assert "s3cr3t" not in str(caught.value)
    assert "r3fresh" not in str(caught.value)


def test_says_what_could_be_set(place: dict[str, str]) -> None:
    """With nothing at all, every way is named."""
    with pytest.raises(ConfigError, match=r"G2A_ACCESS_TOKEN.*G2A_REFRESH_TOKEN.*g2a login"):
        auth_from_env(place)


def test_the_stored_login(place: dict[str, str]) -> None:
    """The kept client, server and token are used; the secret comes from the variable, or was kept."""
    kept(place)
    auth = auth_from_env(place | {"G2A_CLIENT_SECRET": "s3cr3t"})
    assert isinstance(auth, OAuth2)
    assert (auth.client_id, asyncio.run(auth.store.load())) == ("c", ended("kept"))
    with pytest.raises(ConfigError, match="G2A_CLIENT_SECRET"):
        auth_from_env(place)
    login = kept(place, "s3cr3t")
    assert "s3cr3t" not in repr(login)
    assert isinstance(auth_from_env(place), OAuth2)
    kept(place)
    assert "s3cr3t" not in Path(place["G2A_TOKEN_FILE"]).read_text()


def test_a_login_of_another_client(place: dict[str, str]) -> None:
    """It is not used for the client that a variable names."""
    kept(place, "s3cr3t")
    with pytest.raises(ConfigError, match="another client"):
        auth_from_env(place | {"G2A_CLIENT_ID": "d"})


def test_the_users_folder(tmp_path: Path) -> None:
    """Without a name, the login is in the configuration folder."""
    kept({"G2A_TOKEN_FILE": str(tmp_path / "g2a" / "token.json")}, "s3cr3t")
    assert isinstance(auth_from_env({"XDG_CONFIG_HOME": str(tmp_path)}), OAuth2)


@pytest.mark.parametrize("part", [[], {}, "x", {"client_id": 5, "store": "file"}, {"client_id": "c", "store": "cloud"}])
def test_a_login_that_cannot_be_read(place: dict[str, str], part: object) -> None:
    """The error names the file and says what to do."""
    path = Path(place["G2A_TOKEN_FILE"])
    path.write_text(json.dumps({"login": part}))
    with pytest.raises(ConfigError, match="log in anew") as caught:
        read_login(path)
    assert str(path) in str(caught.value)


def test_two_logins_keep_apart(tmp_path: Path) -> None:
    """A store that was only used by OAuth2 is no login, and a login keeps what else is in the file."""
    store = FileTokenStore(tmp_path / "token.json")
    asyncio.run(store.save(ended("r")))
    assert read_login(store.path) is None
    store.change(later=1)
    kept({"G2A_TOKEN_FILE": str(store.path)})
    assert json.loads(store.path.read_text())["later"] == 1
