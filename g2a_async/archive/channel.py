"""From a run to whoever iterates it."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, Final

from g2a_async.archive.records import ArchiveEvent
from g2a_async.threads import ended

_MOST: Final = 1000
"""Events that wait to be looked at; then the run waits."""
_HINTS: Final = 500
"""Events that wait, above which progress is not told."""


class Channel:
    """Events, in order; a run that is too fast waits."""

    def __init__(self) -> None:
        self._events: deque[ArchiveEvent] = deque()
        self._told = asyncio.Event()
        self._room = asyncio.Event()
        self._is_closed = False

    async def tell(self, event: ArchiveEvent) -> None:
        """Give *event*, once there is room for it."""
        while len(self._events) >= _MOST and not self._is_closed:
            self._room.clear()
            await self._room.wait()
        self._give(event)

    def hint(self, event: ArchiveEvent) -> None:
        """Give *event*, if there is room for it."""
        if len(self._events) < _HINTS:
            self._give(event)

    def _give(self, event: ArchiveEvent) -> None:
        if not self._is_closed:
            self._events.append(event)
            self._told.set()

    async def events(self, work: Callable[[], Coroutine[Any, Any, None]]) -> AsyncGenerator[ArchiveEvent]:
        """What *work* tells. It ends with this, and nothing of it goes on."""
        working = asyncio.ensure_future(work())
        working.add_done_callback(lambda _: self._told.set())
        try:
            while self._events or not working.done():
                self._told.clear()
                while self._events:
                    event = self._events.popleft()
                    self._room.set()
                    yield event
                if not working.done():
                    await self._told.wait()
            await working
        finally:
            self._is_closed = True
            self._room.set()
            working.cancel()
            if await ended(working):
                raise asyncio.CancelledError
