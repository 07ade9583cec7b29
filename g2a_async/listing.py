"""The session list from one tick to the next: only what is not byte for byte as before is looked at.

msgspec cuts the answer into the sessions' own bytes without making anything of them, in a fraction of the time that
decoding takes. A session is structured when its bytes are new and somebody wants it.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from g2a_async.codec import find_list, parse, read
from g2a_async.endpoints import LIST_SESSIONS
from g2a_async.errors import DecodeError
from g2a_async.records import Session

UNREADABLE: Final = ""
"""The name under which `by_name` has entries that tell no ID: they may be anybody's."""
_BREATH: Final = 500
"""Entries between two turns of the event loop."""


class Entry(msgspec.Struct, frozen=True, order=True, gc=False):
    """One session of the list, in its own bytes."""

    place: int
    """Its index in the answer."""
    session_id: str
    """Its ID; `UNREADABLE` where none can be made out."""
    token: str | None
    """Its `sessionStartToken`, which it may be watched by."""
    raw: bytes
    """What the service told of it."""


class _Names(msgspec.Struct):
    session_id: Any = msgspec.field(name="sessionId", default=None)
    token: Any = msgspec.field(name="sessionStartToken", default=None)


_ENVELOPES: Final = msgspec.json.Decoder(dict[str, msgspec.Raw] | list[msgspec.Raw] | None)
_LISTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_NAMES: Final = msgspec.json.Decoder(_Names)


class Listing:
    """What the last tick's list held."""

    def __init__(self) -> None:
        self._bodies: list[bytes] = []
        self._path = "$"
        self._entries: dict[bytes, Entry] = {}
        self._ids: set[str] = set()
        self._by_name: dict[str, tuple[Entry, ...]] | None = {}

    @property
    def entries(self) -> list[Entry]:
        """All of them, in the service's order."""
        return list(self._entries.values())

    @property
    def by_name(self) -> dict[str, tuple[Entry, ...]]:
        """All of them, by ID and by token."""
        if self._by_name is None:
            self._by_name = by_name(self._entries.values())
        return self._by_name

    def lacks(self, names: set[str]) -> set[str]:
        """Those of *names* that it does not hold."""
        left = names - self._ids
        return left and left.difference(self.by_name)

    async def take(self, bodies: list[bytes]) -> list[Entry]:
        """The entries of the next tick's answer that the last one's did not have. DecodeError: it holds no list."""
        if bodies == self._bodies:
            return []
        entries: dict[bytes, Entry] = {}
        fresh: list[Entry] = []
        path = "$"
        for body in bodies:
            path, raws = _cut(body)
            for place, view in enumerate(raws):
                raw = bytes(view)
                entry = self._entries.get(raw)
                if entry is None:
                    entry = _entry(place, raw)
                    fresh.append(entry)
                entries[raw] = entry
                if place % _BREATH == _BREATH - 1:
                    await asyncio.sleep(0)
        if fresh or len(entries) != len(self._entries):
            self._ids, self._by_name = {entry.session_id for entry in entries.values()}, None
        self._bodies, self._path, self._entries = bodies, path, entries
        return fresh

    def read(self, entry: Entry) -> Session:
        """The session. DecodeError: it is none."""
        try:
            return read(entry.raw, Session, LIST_SESSIONS)
        except DecodeError as error:
            path = f"{self._path}[{entry.place}]{error.path[1:]}"
            raise DecodeError(path, error.expected, error.operation) from None


def by_name(entries: Iterable[Entry]) -> dict[str, tuple[Entry, ...]]:
    """Entries by ID and by token."""
    found: dict[str, tuple[Entry, ...]] = {}
    for entry in entries:
        one, other = entry.session_id, entry.token
        found[one] = (*found[one], entry) if one in found else (entry,)
        if other is not None and other != one:
            found[other] = (*found[other], entry) if other in found else (entry,)
    return found


def _cut(body: bytes) -> tuple[str, list[msgspec.Raw]]:
    """The path of the list in *body*, and its elements."""
    try:
        data = _ENVELOPES.decode(body)
        if isinstance(data, dict):
            data = {key: _value(raw) for key, raw in data.items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        data = parse(body, LIST_SESSIONS.name)  # tells what is wrong with it
    path, found = find_list(data, LIST_SESSIONS)
    if found is not None and not isinstance(found, list):
        raise DecodeError(f"${path}", "a list", LIST_SESSIONS.name)
    return f"${path}", found or []


def _value(raw: msgspec.Raw) -> Any:
    """A list in its elements' bytes; anything else decoded."""
    return _LISTS.decode(raw) if bytes(memoryview(raw)[:1]) == b"[" else msgspec.json.decode(raw)


def _entry(place: int, raw: bytes) -> Entry:
    try:
        names = _NAMES.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Entry(place, UNREADABLE, None, raw)
    return Entry(place, _name(names.session_id) or UNREADABLE, _name(names.token), raw)


def _name(value: Any) -> str | None:
    """Text as it is, a number as text: as the records hold it."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
