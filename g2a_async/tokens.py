"""Access tokens with what renews them, and the stores that hold them."""

import asyncio
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Protocol, Self, TypeVar, runtime_checkable

from attrs import Attribute, field, frozen

from g2a_async.forks import forgets
from g2a_async.records.base import masked
from g2a_async.threads import to_the_end

T = TypeVar("T")

_FIRST_PAUSE: Final = 0.002
_LONGEST_PAUSE: Final = 0.05
"""Seconds between two tries of a lock that somebody else has."""


def _utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError("a token's times must be aware")
    return value.astimezone(UTC)


def _iso(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


def _text(_: Any, attribute: "Attribute[Any]", value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{attribute.name} must be a text that is not empty")


def _text_or_none(_: Any, attribute: "Attribute[Any]", value: Any) -> None:
    if value is not None:
        _text(_, attribute, value)


@frozen
class Token:
    """What opens the API for a while, and what renews it."""

    access_token: str = field(repr=masked, validator=_text)
    """Goes with each call."""
    refresh_token: str | None = field(default=None, repr=masked, validator=_text_or_none)
    """Gets the next access token."""
    expires_at: datetime | None = field(default=None, converter=_utc)
    """When the access token ends; None: nobody said."""
    principal: str | None = field(default=None, validator=_text_or_none)
    """Whose it is: an e-mail address."""
    issued_at: datetime | None = field(default=None, converter=_utc)
    """When it was asked for; with `expires_at`, how long it lives."""

    def to_dict(self) -> dict[str, str | None]:
        """For a store: plain JSON values, the secrets in clear."""
        return {
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
            "expires_at": _iso(self.expires_at),
            "principal": self.principal,
            "issued_at": _iso(self.issued_at),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `to_dict` gave; names that are unknown are left out. ValueError, which shows no value: it is none."""
        try:
            times = {
                name: datetime.fromisoformat(values[name])
                for name in ("expires_at", "issued_at")
                if values.get(name) is not None
            }
            return cls(
                values["access_token"],
                refresh_token=values.get("refresh_token"),
                principal=values.get("principal"),
                **times,
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            pass
        raise ValueError("not a token")

    def valid(self, now: datetime) -> bool:
        """Whether it has not ended."""
        return self.expires_at is None or now < self.expires_at


@runtime_checkable
class TokenStore(Protocol):
    """Holds one token, for all that share it.

    Its methods are called on the event loop of a call that needs a token. One that has `any_loop = True` works on any
    loop: then a refresh has a thread and a loop of its own, and does not end with the call's.
    """

    async def load(self) -> Token | None:
        """The token, as the last one who saved left it."""
        ...

    async def save(self, token: Token) -> None:
        """Return once the token would be found again, whatever happens to this process."""
        ...

    def lock(self) -> AbstractAsyncContextManager[Any]:
        """Excludes every other user of the same store."""
        ...


class PolledLock:
    """For `async with`: a lock that is tried until it is free.

    *take* gives what releases it, or None. Trying never blocks the loop, a cancelled wait leaves nothing behind, and
    the release needs no loop: a coroutine whose loop was closed frees it too.
    """

    def __init__(self, take: Callable[[], Callable[[], None] | None]) -> None:
        self._take = take
        self._release: Callable[[], None] | None = None

    async def __aenter__(self) -> None:
        pause = _FIRST_PAUSE
        while (release := self._take()) is None:
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  jitter
            pause = min(pause * 2, _LONGEST_PAUSE)
        self._release = release

    async def __aexit__(self, *exc_info: object) -> None:
        release, self._release = self._release, None
        if release is not None:
            release()


class MemoryTokenStore:
    """The token of this process, on all its threads and event loops. It ends with the process."""

    any_loop = True

    def __init__(self, token: Token | None = None) -> None:
        self._token = token
        self._lock = threading.Lock()
        forgets(self)

    def __repr__(self) -> str:
        return f"MemoryTokenStore({self._token!r})"

    async def load(self) -> Token | None:
        """The token."""
        return self._token

    async def save(self, token: Token) -> None:
        """Keep the token."""
        self._token = token

    async def clear(self) -> None:
        """Forget the token."""
        self._token = None

    def lock(self) -> PolledLock:
        """Excludes every other user of this store."""
        lock = self._lock
        return PolledLock(lambda: lock.release if lock.acquire(blocking=False) else None)

    def forget_parent(self) -> None:
        """In a forked child: the lock that the parent may have held is not ours."""
        self._lock = threading.Lock()


class DocumentTokenStore(ABC):
    """A store whose token is one part of a JSON document; the document's other parts stay as they are."""

    any_loop = True

    @abstractmethod
    def read(self) -> dict[str, Any]:
        """The document, in the calling thread; empty: there is none."""

    @abstractmethod
    def write(self, document: Mapping[str, Any]) -> None:
        """Replace the document, in the calling thread. An empty one is removed."""

    def change(self, **parts: Any) -> None:
        """Replace some parts of the document, in the calling thread; a part that is None goes."""
        document = self.read() | parts
        self.write({name: part for name, part in document.items() if part is not None})

    async def load(self) -> Token | None:
        """The token, or None: there is none. ConfigError: what is there cannot be read."""
        part = (await to_the_end(self.read)).get("token")
        return None if part is None else Token.from_dict(part)

    async def save(self, token: Token) -> None:
        """Keep the token. A cancellation waits until that is done. ConfigError: it cannot be written."""
        await to_the_end(partial(self._put, token))

    async def clear(self) -> None:
        """Remove the token."""
        await to_the_end(partial(self.change, token=None))

    def _put(self, token: Token) -> None:
        self.change(token=(self.read().get("token") or {}) | token.to_dict())
