"""The rest of a long body, from its connection straight into a few large buffers."""

import asyncio
from collections.abc import Sequence
from typing import Final, Self

import aiohttp

LONG: Final = 64 << 20
"""Bytes still to come that are worth a connection, which takes no other request afterwards."""
_BUFFER: Final = 4 << 20
_FULL: Final = 4
"""Full buffers after which the host waits: one is written, and the others are for when that takes longer."""
_SOON: Final = 1.0
"""Seconds after which a buffer is given although there is room in it: what is not written is lost with the process."""


def can_take_over(response: aiohttp.ClientResponse, length: int) -> bool:
    """Whether the body is these bytes as they are on the connection."""
    connection, headers = response.connection, response.headers
    return (
        connection is not None
        and not connection.closed
        and headers.get("Content-Length") == str(length)
        and headers.keys().isdisjoint({"Transfer-Encoding", "Content-Encoding"})
        and response.content.exception() is None
    )


class Intake(asyncio.BufferedProtocol):
    """Takes the place of aiohttp's protocol, which would copy each byte twice, until the body is over.

    Nothing beyond the body's *length* is read from the connection, and it is closed in the end.
    """

    def __init__(self, response: aiohttp.ClientResponse, length: int) -> None:
        connection = response.connection
        if connection is None or connection.protocol is None or connection.transport is None:
            raise RuntimeError("the answer has no connection any more")
        self.begin = b"".join(iter(response.content.read_nowait, b""))
        """What aiohttp has read of the body that nobody has taken."""
        self.failure: Exception | None = None
        """What ended it before its time. None: nothing, or the host closed the connection."""
        self._left = length - response.content.total_bytes
        self._response = response
        self._before = connection.protocol
        self._transport = connection.transport
        self._stall = connection.protocol.read_timeout
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._is_over = False
        self._woken = asyncio.Event()
        self._is_paused = False
        self._buffer = memoryview(bytearray(_BUFFER))
        self._filled = self._passed = 0  # bytes in it, and how many of them were given
        self._full: list[memoryview] = []  # what is to be given of those that are full
        self._given: list[memoryview] = []  # full buffers, free again when more is asked for
        self._free: list[memoryview] = []
        self._before.pause_reading()  # which ends its own watch over the host's silence, too
        self._transport.set_protocol(self)
        self._transport.resume_reading()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._is_over = True
        self._before.abort()  # TLS would wait for the host to take leave, also when the loop has ended
        self._response.close()

    async def next(self) -> Sequence[memoryview]:
        """Bytes that have come, good until the next call; none at the end."""
        self._take_back()
        while not self._full and not self._is_over:
            self._woken.clear()
            try:
                async with asyncio.timeout(_SOON):
                    await self._woken.wait()
            except TimeoutError:
                if self._filled > self._passed:
                    break
                if self._stall and self._loop.time() - self._last >= self._stall:
                    self.failure, self._is_over = aiohttp.SocketTimeoutError("nothing comes"), True
        if self._full:
            pieces, self._full = self._full, []
            self._given = [memoryview(piece.obj) for piece in pieces]
            return pieces
        return [piece] if (piece := self._rest()) else []

    def _take_back(self) -> None:
        self._free += self._given
        self._given = []
        if self._is_paused and len(self._full) < _FULL and not self._is_over:
            self._is_paused = False
            self._last = self._loop.time()
            self._transport.resume_reading()

    def _rest(self) -> memoryview:
        """What is in the buffer and was not given."""
        start, self._passed = self._passed, self._filled
        return self._buffer[start : self._filled]

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  the room there is is larger
        """Room for what comes next, which on Windows may also be while reading is paused."""
        return self._buffer[self._filled : self._filled + self._left]

    def buffer_updated(self, nbytes: int) -> None:
        """So much of it was filled."""
        self._last = self._loop.time()
        self._filled += nbytes
        self._left -= nbytes
        if not self._left:
            self._is_over = True
            self._transport.pause_reading()
        elif self._filled == _BUFFER:
            self._full.append(self._rest())
            self._filled = self._passed = 0
            self._buffer = self._free.pop() if self._free else memoryview(bytearray(_BUFFER))
            if len(self._full) + len(self._given) >= _FULL:
                self._is_paused = True
                self._transport.pause_reading()
        else:
            return
        self._woken.set()

    def eof_received(self) -> None:
        """The host sends no more."""
        self._before.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing comes any more."""
        if not self._is_over:
            self.failure, self._is_over = exc, True
        self._woken.set()
        self._before.connection_lost(exc)

    def pause_writing(self) -> None:
        """What aiohttp goes by when it sends."""
        self._before.pause_writing()

    def resume_writing(self) -> None:
        """As above."""
        self._before.resume_writing()
