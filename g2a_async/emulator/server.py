"""`Emulator`: the two listeners, in this loop or in a thread of their own."""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import AsyncExitStack, ExitStack
from typing import Any, Final, Self

from aiohttp import web

from g2a_async.emulator.clock import EmulatorClock
from g2a_async.emulator.faults import Faults
from g2a_async.emulator.journal import Journal
from g2a_async.emulator.links import Links
from g2a_async.emulator.rate import RateLimit
from g2a_async.emulator.router import BASE, PARTNER
from g2a_async.emulator.seed import furnish
from g2a_async.emulator.service import Handler, Service
from g2a_async.emulator.state import State

_LAST_PORT: Final = 65_535
_MAX_LINE: Final = 1 << 18  # long request lines are ours to refuse


class Emulator:
    """The whole API over real HTTP on *host*, stateful and strict.

    `with` runs it in a thread of its own, `async with` in the running loop. Without a *seed* the account is
    empty; with one it is a help desk of two accounts, 120 companies, 2,000 sessions and 1,300 recordings, the
    same for the same seed and start of the *clock*. Over *requests_per_second* it answers 429. ValueError: a port or
    a rate that is none.

    The API and the token call are on one origin; downloads, launch pages and the partner system are on another,
    where no access token belongs.
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        requests_per_second: float | None = None,
        clock: EmulatorClock | None = None,
    ) -> None:
        self.seed = seed
        self.clock = clock or EmulatorClock()
        """The service's time."""
        self.faults = Faults()
        """What goes wrong on purpose."""
        self.journal = Journal()
        """Every request as it came."""
        self.rate_limit = RateLimit(clock=self.clock, per_second=requests_per_second)
        """How much is answered, and what a 429 looks like."""
        if not 0 <= port <= _LAST_PORT:
            message = f"port must be from 0, for a free one, to {_LAST_PORT}, not {port!r}"
            raise ValueError(message)
        self._host = host
        self._port = port
        self._api = self._foreign = ""
        self._running: AsyncExitStack | None = None
        self._service: Service | None = None
        self._in_thread = ExitStack()
        self.reset()

    def reset(self) -> None:
        """Back to how it was at first: state, tokens, faults, journal and settings, on the same ports."""
        state = State(self.clock, self.seed)
        self.client_id: str = state.secret("client-id")
        self.client_secret: str = state.secret("client")
        self.access_token: str = state.secret("access")
        """Valid for ever."""
        self.refresh_token: str = state.oauth.issue_refresh()
        """Valid until it is rotated."""
        self.user_token: str = next(iter(state.user_tokens))
        """Whom the partner system knows."""
        self._links_secret = state.secret("links").encode()
        state.oauth.clients[self.client_id] = self.client_secret
        state.oauth.access_tokens[self.access_token] = None
        if self.seed is not None:
            furnish(state)
        self.faults.clear()
        self.journal.clear()
        self.rate_limit.clear()
        self.state = state
        """What the account holds."""
        if self._service is not None:
            self._service.state = state

    @property
    def url(self) -> str:
        """The API's base, for `Settings.base_url`."""
        return self._at(self._api) + BASE

    @property
    def token_url(self) -> str:
        """The OAuth token call."""
        return self._at(self._api) + "/oauth/token"

    @property
    def authorize_url(self) -> str:
        """The page where the user says yes, which here they do at once."""
        return self._at(self._api) + "/oauth/authorize"

    @property
    def callback_url(self) -> str:
        """The partner system, for the three ticket calls."""
        return self._at(self._foreign) + PARTNER

    @property
    def files_url(self) -> str:
        """The origin of downloads."""
        return self._at(self._foreign)

    async def start(self) -> None:
        """Listen, in the running loop."""
        if self._running is not None:
            message = "the emulator runs already"
            raise RuntimeError(message)
        async with AsyncExitStack() as stack:
            stopping = asyncio.Event()
            links = Links(secret=self._links_secret)
            service = Service(
                clock=self.clock,
                state=self.state,
                faults=self.faults,
                journal=self.journal,
                rate_limit=self.rate_limit,
                links=links,
                stopping=stopping,
            )
            self._foreign = links.origin = await self._listen(stack, service.foreign, 0)
            self._api = await self._listen(stack, service.api, self._port)
            stack.callback(stopping.set)
            self._service, self._running = service, stack.pop_all()

    async def stop(self) -> None:
        """Close everything. Nothing of the state is lost."""
        if self._running is not None:
            running, self._running, self._service = self._running, None, None
            self._api = self._foreign = ""
            await running.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            thread = _Thread()
            stack.callback(thread.close)
            thread.do(self.start())
            stack.callback(lambda: thread.do(self.stop()))
            self._in_thread = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._in_thread.close()

    def _at(self, origin: str) -> str:
        if not origin:
            message = "the emulator has no address until it runs"
            raise RuntimeError(message)
        return origin

    async def _listen(self, stack: AsyncExitStack, handler: Handler, port: int) -> str:
        server = web.Server(handler, access_log=None, max_line_size=_MAX_LINE, max_field_size=_MAX_LINE)
        runner = web.ServerRunner(server, shutdown_timeout=0.1)
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        await web.TCPSite(runner, self._host, port).start()
        host, bound = runner.addresses[0][:2]
        return f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"


class _Thread:
    """A loop that runs in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="g2a-emulator", daemon=True)
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Return once *work* is done."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """Return once the thread has ended."""
        self.do(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
