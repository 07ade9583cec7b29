"""From a run to whoever iterates it."""

import asyncio
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
        self._events: asyncio.Queue[ArchiveEvent | None] = asyncio.Queue(_MOST)
        self._is_closed = False

    async def tell(self, event: ArchiveEvent) -> None:
        """Give *event*, once there is room for it."""
        if not self._is_closed:
            await self._events.put(event)

    def hint(self, event: ArchiveEvent) -> None:
        """Give *event*, if there is room for it."""
        if not self._is_closed and self._events.qsize() < _HINTS:
            self._events.put_nowait(event)

    async def events(self, work: Callable[[], Coroutine[Any, Any, None]]) -> AsyncGenerator[ArchiveEvent]:
        """What *work* tells. It ends with this, and nothing of it goes on."""
        working = asyncio.ensure_future(self._whole(work))
        try:
            while (event := await self._events.get()) is not None:
                yield event
            await working
        finally:
            self._is_closed = True
            working.cancel()
            if await ended(working):
                raise asyncio.CancelledError

    async def _whole(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        finally:
            if not self._is_closed:
                await self._events.put(None)
