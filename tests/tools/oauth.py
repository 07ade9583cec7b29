"""An emulated authorization server, clocks to go with it, and what is asked of both."""

import asyncio
import multiprocessing
import time
import traceback
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

import aiohttp

from g2a_async import RetryPolicy, Settings
from g2a_async.emulator import Emulator
from g2a_async.oauth import OAuth2
from g2a_async.tokens import Token

TOKEN_CALL = "POST /oauth/token"
HOME = "https://app.example/back?from=g2a&x=1"
QUICK = Settings(retry=RetryPolicy(attempts=3, base=0.001, cap=0.002), attempt_timeout=5.0, deadline=10.0)


class ShiftedClock:
    """The machine's time, moved by `shift` seconds; sleeping takes none."""

    def __init__(self) -> None:
        self.shift = 0.0

    def now(self) -> datetime:
        """Tell the time of day."""
        return datetime.now(UTC) + timedelta(seconds=self.shift)

    def monotonic(self) -> float:
        """Tell the seconds."""
        return time.monotonic() + self.shift

    async def sleep(self, seconds: float) -> None:
        """Move on at once."""
        self.shift += seconds
        await asyncio.sleep(0)


class Graceful(set[str]):
    """Refresh tokens, as servers keep them that take a replaced one for a while, in case the answer was lost."""

    def __init__(self, tokens: set[str]) -> None:
        super().__init__(tokens)
        self._replaced: deque[str] = deque(maxlen=4)

    def discard(self, token: object) -> None:
        """Replace *token*: it goes, but not yet."""
        self._replaced.append(str(token))
        super().discard(token)

    def __contains__(self, token: object) -> bool:
        return super().__contains__(token) or token in self._replaced


class Address(NamedTuple):
    """What another process must know of an emulator."""

    url: str
    token_url: str
    client_id: str
    client_secret: str
    refresh_token: str

    @classmethod
    def of(cls, emulator: Emulator) -> Self:
        """Take it down."""
        return cls(*(getattr(emulator, name) for name in cls._fields))

    def oauth(self, **changes: Any) -> OAuth2:
        """Make an OAuth2 that is known there."""
        arguments: dict[str, Any] = {
            "refresh_token": self.refresh_token,
            "token_url": self.token_url,
            "settings": QUICK,
        }
        return OAuth2(self.client_id, self.client_secret, **(arguments | changes))


class Child:
    """A process of its own, which tells things by the pipe that is its last argument. It does not outlive a `with`."""

    _context = multiprocessing.get_context("forkserver")
    _context.set_forkserver_preload(["tools.oauth", "g2a_async.client", "g2a_async.repeats"])

    def __init__(self, target: Callable[..., None], *arguments: Any) -> None:
        self._pipe, far = self._context.Pipe()
        self.process = self._context.Process(target=target, args=(*arguments, far))
        self.process.start()
        far.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.kill()
        self._pipe.close()

    def hear(self, seconds: float = 20) -> Any:
        """Wait for what it tells."""
        assert self._pipe.poll(seconds), "the process says nothing"
        return self._pipe.recv()

    def say(self, value: Any) -> None:
        """Tell it something."""
        self._pipe.send(value)

    def kill(self) -> None:
        """Do what `kill -9` does."""
        self.process.kill()
        self.process.join()


def oauth_for(emulator: Emulator, **changes: Any) -> OAuth2:
    """Make an OAuth2 that is known to *emulator*."""
    arguments: dict[str, Any] = {
        "refresh_token": emulator.refresh_token,
        "token_url": emulator.token_url,
        "authorize_url": emulator.authorize_url,
        "settings": QUICK,
    }
    return OAuth2(emulator.client_id, emulator.client_secret, **(arguments | changes))


async def settled(done: Callable[[], bool]) -> None:
    """Wait until *done*."""
    async with asyncio.timeout(5):
        while not done():  # noqa: ASYNC110  it becomes so in another thread
            await asyncio.sleep(0.001)


def refreshes(emulator: Emulator) -> int:
    """Count the requests for a token."""
    return emulator.journal.count(TOKEN_CALL)


def ended(refresh_token: str | None, access_token: str = "ended-long-ago") -> Token:
    """Make a token that is of no more use than its refresh token."""
    past = datetime(2024, 1, 1, tzinfo=UTC)
    return Token(access_token, refresh_token, expires_at=past, issued_at=past - timedelta(hours=1))


async def code_of(auth: OAuth2, redirect_uri: str = HOME) -> str:
    """Say yes at the page, and give the code."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(auth.authorization_url(redirect_uri, "a state&="), allow_redirects=False) as answer,
    ):
        target = answer.headers["Location"]
    query = parse_qs(urlsplit(target).query)
    assert target.startswith(redirect_uri)
    assert query["state"] == ["a state&="]
    return query["code"][0]


def everything(error: BaseException) -> str:
    """Show an error in every way that ends up in logs."""
    return f"{error} {error!r} {error.args!r} {vars(error)!r}" + "".join(traceback.format_exception(error))
