"""What is planned and waits for a job."""

import asyncio
from heapq import heappop, heappush
from itertools import count
from typing import Final

_MOST: Final = 5000
"""Recordings that may wait before addresses of more are asked for."""
_BYTES: Final = 1 << 30
"""The same in bytes: an address that waits for long expires."""


class Waiting:
    """Recordings, of which the largest is the next: a run should not end with everything waiting for one long file."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, int]] = []
        self._bytes = 0
        self._order = count()  # of equals, the one that came first
        self._changed = asyncio.Event()
        self._is_closed = False

    def add(self, recording_id: int, size: int) -> None:
        """It waits, too. *size*: bytes of its files, as far as they are known."""
        heappush(self._heap, (-size, next(self._order), recording_id))
        self._bytes += size
        self._changed.set()

    def close(self) -> None:
        """No more come."""
        self._is_closed = True
        self._changed.set()

    async def take(self, most: int) -> list[int]:
        """The next ones, as soon as there are some; none at the end."""
        while not self._heap and not self._is_closed:
            await self._change()
        taken = [heappop(self._heap) for _ in range(min(most, len(self._heap)))]
        self._bytes += sum(size for size, _, _ in taken)
        self._changed.set()
        return [recording_id for _, _, recording_id in taken]

    async def room(self) -> None:
        """Wait until there is a need for more."""
        while len(self._heap) >= _MOST or self._bytes >= _BYTES:
            await self._change()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
