"""What all parts of the state share: the clock, the lock, made-up numbers, and how the service behaves."""

import threading
from collections.abc import Container
from datetime import timedelta
from hashlib import shake_128
from random import Random

from g2a_async.emulator.clock import EmulatorClock
from g2a_async.emulator.oauth import Authority
from g2a_async.emulator.rows import Downloads, Lifecycle, Shapes


class Base:
    """The account, and the settings of the service."""

    def __init__(self, clock: EmulatorClock, seed: int | None = None) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        """Held while an answer is made."""
        self.random = Random(seed or 0)  # noqa: S311 - repeatable, so that a test is too
        self._salt = str(seed)
        self._counts: dict[str, int] = {}

        self.account_key = 8_412_600_913_355_728_901
        """The account of what names no other."""
        self.user_key = "7305528640017736193"
        """The expert of what names no other."""
        self.accounts: dict[int, str] = {self.account_key: "Northwind Help"}
        """Names by key, of all accounts that the user can reach."""
        self.user_keys: set[str] = {self.user_key}
        """Whose recordings may be asked for."""

        self.lifecycle: Lifecycle | None = Lifecycle()
        """What sessions that are started from now on do by themselves; None: nothing."""
        self.autostart = True
        """A session that is started over the API starts on an endpoint too; otherwise `launch` does that."""
        self.retention: timedelta | None = None
        """How long an ended session can be seen; None: for ever."""
        self.transcoding = 1.0
        """Seconds from the call to the file."""
        self.shapes = Shapes()
        self.downloads = Downloads()
        self.aliases: dict[str, str] = {}
        """Query names that this service has in place of the table's, by the table's."""
        self.tickets_per_page = 10
        """The most tickets in one answer, whatever was asked for."""
        self.max_url_bytes = 8192
        """A longer request line is refused with 414, as nginx does it."""
        self.oauth = Authority(secret=self.secret)

    def secret(self, kind: str) -> str:
        """A made-up token, another one each time."""
        return f"{kind}-{self._digest(kind, 40)}"

    def add_account(self, name: str = "Another Help Desk", *, account_key: int | None = None) -> int:
        """An account that the user can reach; gives its key."""
        with self.lock:
            key = account_key or self._number("account", self.accounts, self.account_key)
            self.accounts[key] = name
        return key

    def _know(self, account_key: int, user_key: str) -> None:
        self.accounts.setdefault(account_key, f"Account {account_key}")
        self.user_keys.add(user_key)

    def _count(self, kind: str) -> int:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return self._counts[kind]

    def _digest(self, kind: str, characters: int) -> str:
        return shake_128(f"{self._salt}/{kind}/{self._count(kind)}".encode()).hexdigest(characters // 2)

    def _number(self, kind: str, taken: Container[int], start: int) -> int:
        number = start + self._count(kind)
        while number in taken:
            number = start + self._count(kind)
        return number
