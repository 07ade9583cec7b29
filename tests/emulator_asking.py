"""A plain HTTP client for the emulator's own tests, which shares nothing with the SDK."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from aiohttp import ClientSession, DummyCookieJar, TCPConnector
from attrs import frozen
from yarl import URL

from g2a_async.emulator import Emulator


@frozen
class Reply:
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


@frozen
class Asker:
    """Asks one emulator, by default as someone whom the API knows."""

    emulator: Emulator
    http: ClientSession

    async def __call__(
        self,
        method: str,
        path: str,
        *,
        authorization: str | None = "",
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        data: bytes | None = None,
        **query: Any,
    ) -> Reply:
        """Send a request to *path* (under the API's base), or to a whole URL, each on a connection of its own."""
        sent = dict(headers or {})
        if authorization is not None and not path.startswith("http"):
            sent["Authorization"] = authorization or f"Bearer {self.emulator.access_token}"
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
            data = json.dumps(body).encode()
        base = path if path.startswith("http") else self.emulator.url + path
        target = f"{base}?{urlencode(query, doseq=True)}" if query else base
        async with self.http.request(
            method,
            URL(target, encoded=True),
            headers=sent,
            data=data,
            allow_redirects=False,
            skip_auto_headers=("Content-Type",),
        ) as response:
            return Reply(response.status, response.headers, await response.read())

    async def partner(self, method: str, *, body: Any = None, **query: Any) -> Reply:
        """Ask the emulated partner system."""
        return await self(method, f"{self.emulator.callback_url}/", body=body, **query)


@asynccontextmanager
async def asking(**settings: Any) -> AsyncIterator[Asker]:
    """Run an emulator in this loop, and ask it."""
    # A connection of its own for each request: aiohttp repeats by itself what fails on a used one.
    async with (
        Emulator(**settings) as emulator,
        ClientSession(connector=TCPConnector(force_close=True), cookie_jar=DummyCookieJar()) as http,
    ):
        yield Asker(emulator, http)
