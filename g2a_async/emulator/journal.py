"""What was asked of the emulator: every request as it came, and what it was answered."""

import threading
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import parse_qsl

from attrs import define, field

from g2a_async.emulator.keys import ANY, key_of
from g2a_async.endpoints import Endpoint


@define(kw_only=True)
class Entry:
    """One request."""

    number: int
    """From 1, in order of arrival."""
    time: datetime
    """By the emulator's clock."""
    method: str
    target: str
    """The path and query, byte for byte as they came."""
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    key: str | None
    """`METHOD /path template`; None: no such call."""
    endpoint: Endpoint | None = field(default=None, repr=False)
    """The row of the table; None for the token call, downloads and what does not exist."""
    body: bytes = b""
    status: int | None = None
    """What was answered; None: nothing yet, or the connection was reset."""
    fault: str | None = None
    """The kind of the fault that it met."""

    @property
    def path(self) -> str:
        """The path, still encoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> tuple[tuple[str, str], ...]:
        """Names and values, decoded, in order."""
        return tuple(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    def header(self, name: str) -> str | None:
        """The header's first value, whatever the case of its name."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def authorization(self) -> str | None:
        """The `Authorization` header."""
        return self.header("Authorization")


class Journal:
    """Every request, in order of arrival. Safe to read while the emulator runs."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._number = 0
        self._lock = threading.Lock()

    def open(
        self,
        *,
        time: datetime,
        method: str,
        target: str,
        headers: tuple[tuple[str, str], ...],
        key: str | None,
        endpoint: Endpoint | None,
    ) -> Entry:
        """Enter a request that has just arrived."""
        with self._lock:
            self._number += 1
            entry = Entry(
                number=self._number,
                time=time,
                method=method,
                target=target,
                headers=headers,
                key=key,
                endpoint=endpoint,
            )
            self._entries.append(entry)
        return entry

    def of(self, call: Endpoint | str = ANY) -> list[Entry]:
        """The requests of one call, or of all. ValueError: there is no such call."""
        key = key_of(call)
        return [entry for entry in self if key in {ANY, entry.key}]

    def count(self, call: Endpoint | str = ANY) -> int:
        """How many there were of one call, or of all. ValueError: there is no such call."""
        return len(self.of(call))

    def clear(self) -> None:
        """Forget what was. Numbers go on."""
        with self._lock:
            self._entries = []

    def __iter__(self) -> Iterator[Entry]:
        with self._lock:
            return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)
