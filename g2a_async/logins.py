"""The login that `g2a login` leaves, and the credentials that variables name."""

import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final, Literal, Self

from attrs import field, frozen

from g2a_async.auth import Auth, StaticToken
from g2a_async.clock import Clock
from g2a_async.errors import ConfigError
from g2a_async.file_store import FileTokenStore, config_folder
from g2a_async.keyring_store import KeyringTokenStore
from g2a_async.oauth import AUTHORIZE_URL, TOKEN_URL, OAuth2
from g2a_async.records.base import masked
from g2a_async.support import LOGIN_COMMAND
from g2a_async.threads import to_the_end
from g2a_async.tokens import Token

StoreKind = Literal["file", "keyring"]

_NAMES: Final = {
    "the access token": "G2A_ACCESS_TOKEN",
    "token_url": "G2A_TOKEN_URL",
    "client_id": "G2A_CLIENT_ID",
    "client_secret": "G2A_CLIENT_SECRET",
}
"""The variables by what errors call their values."""
_TRIO: Final = ("G2A_CLIENT_ID", "G2A_CLIENT_SECRET", "G2A_REFRESH_TOKEN")


@frozen(kw_only=True)
class Login:
    """What there is to know of a login besides its token."""

    client_id: str
    """The OAuth client that the user said yes to."""
    store: StoreKind
    """Where the token is."""
    token_url: str = TOKEN_URL
    """The server that gave it, and renews it."""
    authorize_url: str = AUTHORIZE_URL
    """Where the user said yes."""
    client_secret: str | None = field(default=None, repr=masked)
    """None: it was not kept, and comes from `G2A_CLIENT_SECRET`."""

    def to_dict(self) -> dict[str, str]:
        """For a store, without the secret."""
        return {
            "client_id": self.client_id,
            "store": self.store,
            "token_url": self.token_url,
            "authorize_url": self.authorize_url,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `to_dict` gave. ValueError: it is none."""
        names = ("client_id", "store", "token_url", "authorize_url")
        texts = {name: values[name] for name in names if isinstance(values.get(name), str) and values[name]}
        if "client_id" not in texts or texts.get("store") not in {"file", "keyring"}:
            raise ValueError("not a login")
        return cls(**texts)


def login_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Where a login is kept: `$G2A_TOKEN_FILE`, or `token.json` in the user's configuration folder.

    For a login in the keyring, the file only says so.
    """
    chosen = environ.get("G2A_TOKEN_FILE", "").strip()
    return Path(chosen) if chosen else config_folder(environ) / "token.json"


def open_store(kind: StoreKind, path: Path) -> FileTokenStore | KeyringTokenStore:
    """The store of the login at *path*."""
    file = FileTokenStore(path)
    if kind == "file":
        return file
    return KeyringTokenStore(str(file.path), lock_file=file.path.with_name(file.path.name + ".lock"))


def read_login(path: Path) -> Login | None:
    """The login at *path*, without its secret; None: nobody has logged in. ConfigError: it cannot be read."""
    part = FileTokenStore(path).read().get("login")
    if part is None:
        return None
    try:
        return Login.from_dict(part)
    except (ValueError, AttributeError):
        raise ConfigError(f"the login in {path} cannot be read: log in anew with {LOGIN_COMMAND}") from None


def check_place(path: Path) -> None:
    """ConfigError: no login can be kept at *path*. Leaves nothing there."""
    file = FileTokenStore(path).path
    lock = file.with_name(file.name + ".lock")
    try:
        folder = next(one for one in file.parents if one.exists())
        with TemporaryFile(dir=folder):
            pass
        reason = "" if not lock.exists() or os.access(lock, os.W_OK) else f"{lock} cannot be written"
    except OSError as error:
        reason = error.strerror or type(error).__name__
    if reason:
        raise ConfigError(f"no login can be kept in {file}: {reason}; G2A_TOKEN_FILE names another file")


async def keep_login(path: Path, login: Login, token: Token) -> None:
    """Put *login* and *token* in the place of whatever login was at *path*."""
    store = open_store(login.store, path)
    secret = {"client_secret": login.client_secret} if login.client_secret else None
    async with store.lock():
        before = read_login(path)
        if isinstance(store, FileTokenStore):
            await to_the_end(partial(store.change, login=login.to_dict() | (secret or {}), token=token.to_dict()))
            if before is not None and before.store == "keyring":
                await to_the_end(partial(open_store("keyring", path).write, {}))
        else:
            await to_the_end(partial(store.change, login=secret, token=token.to_dict()))
            await to_the_end(partial(FileTokenStore(path).change, login=login.to_dict(), token=None))


async def forget_login(path: Path) -> None:
    """Remove the login at *path*, with its token and its secret."""
    file = FileTokenStore(path)
    async with file.lock():
        login = read_login(path)
        if login is not None and login.store == "keyring":
            await to_the_end(partial(open_store("keyring", path).write, {}))
        await to_the_end(partial(file.change, login=None, token=None))


def auth_from_env(environ: Mapping[str, str] = os.environ, *, clock: Clock | None = None) -> Auth:
    """The credentials that variables name.

    `G2A_ACCESS_TOKEN`; or `G2A_CLIENT_ID`, `G2A_CLIENT_SECRET` and `G2A_REFRESH_TOKEN`, in this process's memory;
    or the login that `g2a login` left. `G2A_TOKEN_URL` is the token endpoint, where it is elsewhere.
    ConfigError says which variable is missing or wrong.
    """
    given = {name: value.strip() for name, value in environ.items() if name.startswith("G2A_") and value.strip()}
    try:
        return _auth(given, login_file(environ), clock)
    except ConfigError as error:
        names = {name: variable for name, variable in _NAMES.items() if variable in given}
        raise ConfigError(renamed(str(error), names)) from None


def renamed(message: str, names: Mapping[str, str]) -> str:
    """*message* with the variables that arguments came from in place of their names."""
    return re.sub("|".join(map(re.escape, names)) or "(?!)", lambda found: names[found[0]], message)


def _auth(given: Mapping[str, str], path: Path, clock: Clock | None) -> Auth:
    if token := given.get("G2A_ACCESS_TOKEN"):
        return StaticToken(token)
    if "G2A_REFRESH_TOKEN" in given:
        if missing := [name for name in _TRIO if name not in given]:
            raise ConfigError(f"G2A_REFRESH_TOKEN is set, but {' and '.join(missing)} {_are(missing)} missing")
        return OAuth2(
            given["G2A_CLIENT_ID"],
            given["G2A_CLIENT_SECRET"],
            refresh_token=given["G2A_REFRESH_TOKEN"],
            token_url=given.get("G2A_TOKEN_URL", TOKEN_URL),
            clock=clock,
        )
    login = read_login(path)
    if login is None:
        raise ConfigError(_nothing(given))
    if given.get("G2A_CLIENT_ID", login.client_id) != login.client_id:
        raise ConfigError(
            f"the login in {path} is of another client than G2A_CLIENT_ID names: "
            f"log in anew with {LOGIN_COMMAND}, or set G2A_REFRESH_TOKEN"
        )
    store = open_store(login.store, path)
    secret = given.get("G2A_CLIENT_SECRET") or (store.read().get("login") or {}).get("client_secret")
    if not secret:
        raise ConfigError(f"set G2A_CLIENT_SECRET: the login in {path} was made without --save-secret")
    return OAuth2(
        login.client_id,
        secret,
        store=store,
        token_url=given.get("G2A_TOKEN_URL", login.token_url),
        authorize_url=login.authorize_url,
        clock=clock,
    )


def _nothing(given: Mapping[str, str]) -> str:
    some = [name for name in _TRIO if name in given]
    if some:
        missing = [name for name in _TRIO if name not in given]
        return (
            f"{' and '.join(some)} {_are(some)} set, but {' and '.join(missing)} {_are(missing)} missing, "
            f"and nobody has logged in with {LOGIN_COMMAND}"
        )
    return (
        f"set G2A_ACCESS_TOKEN, or G2A_CLIENT_ID, G2A_CLIENT_SECRET and G2A_REFRESH_TOKEN, or log in: {LOGIN_COMMAND}"
    )


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"
