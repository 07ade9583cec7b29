"""Connections: one session for each event loop, owned or over a borrowed session's connector."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

import aiohttp

from g2a_async.errors import ClientClosedError, WrongLoopError
from g2a_async.forks import forgets, keep

_PATIENCE: Final = 5.0
"""Seconds that closing waits for another thread's loop."""


class Slots(asyncio.Semaphore):
    """A semaphore that is taken without a coroutine where there is no wait."""

    def try_acquire(self) -> bool:
        """Take a place now, if one is free and nobody waits."""
        if self._value <= 0 or self._waiters:
            return False
        self._value -= 1
        return True


class Lease:
    """What one event loop has of a pool."""

    __slots__ = ("keeper", "loop", "session", "slots")

    def __init__(self, loop: asyncio.AbstractEventLoop, session: aiohttp.ClientSession, slots: Slots) -> None:
        self.loop = loop
        self.session = session
        self.slots = slots
        self.keeper: AsyncGenerator[None]


class Pool:
    """Sessions, one for each event loop that uses them; each ends with its loop.

    A borrowed session is never closed, altered or asked for anything but its connections and traces: our own
    session goes over its connector, so that its cookies, headers, base URL and middlewares change nothing.
    """

    def __init__(self, http: aiohttp.ClientSession | None, max_connections: int) -> None:
        self._http = http
        self._max_connections = max_connections
        self._leases: dict[int, Lease] = {}
        self._last: Lease | None = None
        self.closed = False
        forgets(self)

    @property
    def is_borrowed(self) -> bool:
        """Whether others use the connections too."""
        return self._http is not None

    @property
    def trusts_env(self) -> bool:
        """Whether a borrowed session takes its proxy from the environment."""
        return self._http is not None and self._http.trust_env

    def opened(self) -> Lease | None:
        """The running loop's session, if it was the last that was used and is open."""
        last = self._last
        if last is None or self.closed or last.loop is not asyncio.get_running_loop() or last.session.closed:
            return None
        return last

    async def lease(self) -> Lease:
        """The running loop's session, opened now if need be. Nothing has been sent when this raises."""
        if last := self.opened():
            return last
        if self.closed:
            raise ClientClosedError("the client is closed; make a new one, or enter it again with `async with`")
        loop = asyncio.get_running_loop()
        lease = self._leases.get(id(loop))
        if lease is None or lease.loop is not loop or lease.session.closed:
            for key in [key for key, one in list(self._leases.items()) if one.loop.is_closed()]:
                self._leases.pop(key, None)  # not by a new dict: another thread may be adding its own
            lease = self._leases[id(loop)] = await self._open(loop)
        self._last = lease
        return lease

    async def aclose(self) -> None:
        """Close what is owned, on every loop. Harmless when repeated."""
        self.closed = True
        here = asyncio.get_running_loop()
        leases, self._leases, self._last = self._leases, {}, None
        for lease in leases.values():
            if lease.loop is here:
                await lease.keeper.aclose()
            elif lease.loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(_close(lease), lease.loop)
                await asyncio.wait([asyncio.wrap_future(closing)], timeout=_PATIENCE)  # it may stand still

    async def _open(self, loop: asyncio.AbstractEventLoop) -> Lease:
        session = self._own_session() if self._http is None else self._over(self._http, loop)
        # aiohttp sends some calls again by itself when a kept connection turns out to be gone, also a GET that creates.
        session._retry_connection = False  # noqa: SLF001  there is no public switch; a test fails when this stops working
        lease = Lease(loop, session, Slots(self._max_connections))
        lease.keeper = _keep(session, owned=self._http is None)
        await anext(lease.keeper)
        return lease

    def _own_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._max_connections),
            cookie_jar=aiohttp.DummyCookieJar(),
            requote_redirect_url=False,  # signed addresses
            timeout=aiohttp.ClientTimeout(total=None),
        )

    def _over(self, http: aiohttp.ClientSession, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientSession:
        if http.closed or http.connector is None:
            raise ClientClosedError("the borrowed session is closed")
        home = http._loop  # noqa: SLF001  the public property is deprecated, and nothing took its place
        if home is not loop:
            raise WrongLoopError(
                f"the borrowed session belongs to {_name(home)}, and this call runs on {_name(loop)}: "
                "borrow one that was made on this loop, or pass none and let the client open its own"
            )
        return aiohttp.ClientSession(
            connector=http.connector,
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            requote_redirect_url=False,  # signed addresses
            timeout=aiohttp.ClientTimeout(total=None),
            trace_configs=http.trace_configs,
        )

    def forget_parent(self) -> None:
        """In a forked child: the sockets are the parent's too, and closing them here would end its connections."""
        keep(self._leases, self._last)
        self._leases, self._last = {}, None


async def _keep(session: aiohttp.ClientSession, *, owned: bool) -> AsyncGenerator[None]:
    """Ends the session when closed, when forgotten, and before its loop ends: loops close their generators."""
    try:
        yield
    finally:
        if owned:
            await session.close()
            await asyncio.sleep(0)  # the transports close in the loop's next round
        else:
            session.detach()


async def _close(lease: Lease) -> None:
    await lease.keeper.aclose()


def _name(loop: asyncio.AbstractEventLoop) -> str:
    state = "closed" if loop.is_closed() else "running" if loop.is_running() else "idle"
    return f"<{type(loop).__name__} {state} at {id(loop):#x}>"
