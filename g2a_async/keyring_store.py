"""Tokens in the keyring of the user's desktop. Needs the extra `keyring`."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from g2a_async.auth import fingerprint
from g2a_async.errors import ConfigError
from g2a_async.file_store import config_folder, file_lock
from g2a_async.support import LOGIN_COMMAND
from g2a_async.tokens import DocumentTokenStore, PolledLock, Token

_SERVICE: Final = "g2a_async"


class KeyringTokenStore(DocumentTokenStore):
    """The token in an entry of the system's keyring: Keychain, Credential Locker, Secret Service or KWallet.

    *name* tells entries apart. Keyrings have no locks, so a file without content is locked: *lock_file*, or one in
    the user's configuration folder. ConfigError: there is no keyring here; nothing is ever kept elsewhere instead.
    """

    def __init__(self, name: str = "default", *, lock_file: str | Path | None = None) -> None:
        self.name = name
        """The entry's name."""
        self._lock_file = (
            config_folder() / f"keyring-{fingerprint(name)}.lock" if lock_file is None else Path(lock_file)
        )

    def __repr__(self) -> str:
        return f"KeyringTokenStore({self.name!r})"

    @property
    def identity(self) -> str:
        """What tells this store from others, in other processes too."""
        return f"keyring {self.name}"

    def lock(self) -> PolledLock:
        """Excludes every other user of the same entry, of this user on this machine."""
        return file_lock(self._lock_file)

    def read(self) -> dict[str, Any]:
        """The document, in the calling thread; empty: there is none. ConfigError: what is there cannot be read."""
        text = self._ask("get_password")
        try:
            document = {} if text is None else json.loads(text)
            if not isinstance(document, dict):
                raise ValueError  # noqa: TRY301  one way out
            if document.get("token") is not None:
                Token.from_dict(document["token"])
        except ValueError:
            raise ConfigError(
                f"the entry {self.name!r} of {_SERVICE} in the keyring is not a token: "
                f"remove it, and log in anew with {LOGIN_COMMAND}"
            ) from None
        return document

    def write(self, document: Mapping[str, Any]) -> None:
        """Replace the document, in the calling thread. An empty one is removed."""
        if document:
            self._ask("set_password", json.dumps(document))
        elif self._ask("get_password") is not None:
            self._ask("delete_password")

    def _ask(self, function: str, *arguments: str) -> Any:
        keyring = _keyring()
        try:
            return getattr(keyring, function)(_SERVICE, self.name, *arguments)
        except keyring.errors.NoKeyringError:
            reason = "this machine has none"
        except keyring.errors.KeyringError as error:
            reason = f"it refused ({type(error).__name__}), perhaps because it is locked"
        raise ConfigError(f"the keyring cannot be used: {reason}. A file store works everywhere: {LOGIN_COMMAND}")


def _keyring() -> ModuleType:
    try:
        import keyring  # noqa: PLC0415  an extra
        import keyring.errors  # noqa: PLC0415
    except ModuleNotFoundError:
        raise ConfigError("the keyring store needs keyring: pip install 'g2a-async[keyring]'") from None
    return keyring
