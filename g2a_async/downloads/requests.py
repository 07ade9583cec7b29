"""One request for a file, to the host that its address names."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from typing import Final

import aiohttp
from yarl import URL

from g2a_async.network import Proxies
from g2a_async.pool import Pool
from g2a_async.settings import Settings

_HOPS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_BUFFER: Final = 1 << 20
"""Bytes that may wait to be read; twice as many before the host has to wait."""
_SLOW_BUFFER: Final = 1 << 16
"""The same under a limit: what waits here has come already."""
_CONNECT: Final = 10.0


class AddressError(Exception):
    """The file cannot be asked for there. The words hold no address."""


class Requests:
    """Requests for files: redirects are followed, and nobody is told who asks. The address carries its own secret."""

    def __init__(self, pool: Pool, settings: Settings, *, stall: float, is_limited: bool) -> None:
        self._pool = pool
        self._settings = settings
        self._proxies = Proxies(settings.proxy, trust_env=settings.trust_env or pool.trusts_env)
        self._timeout = _timeout(stall)
        self._buffer = _SLOW_BUFFER if is_limited else _BUFFER

    @asynccontextmanager
    async def get(self, address: str, headers: dict[str, str]) -> AsyncGenerator[aiohttp.ClientResponse]:
        """The answer, its body still to be read. A status that is none of a file's comes as it is."""
        lease = await self._pool.lease()
        headers = {"User-Agent": self._settings.user_agent, "Accept-Encoding": "identity", **headers}
        url = _usable(address, None)
        async with lease.slots:  # or calls would wait for a connection where nobody sees it
            for _ in range(1 + _HOPS):
                async with lease.session.get(
                    url,
                    headers=headers,
                    allow_redirects=False,
                    timeout=self._timeout,
                    proxy=self._proxies.of(str(url)),
                    ssl=self._settings.ssl or True,
                    read_bufsize=self._buffer,
                ) as response:
                    if response.status not in _REDIRECTS:
                        yield response
                        return
                    url = _usable(response.headers.get("Location", ""), url)
        raise AddressError("the file's host redirected too often")


@cache
def _timeout(stall: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, connect=_CONNECT, sock_read=stall)


def _usable(address: str, before: URL | None) -> URL:
    """*address*, as it is: yarl would quote a signed one anew. *before*: what redirected here."""
    try:
        url = URL(address, encoded=True)
        if before is not None and address:
            url = before.join(url)
        is_usable = url.scheme in {"http", "https"} and url.host and url.port
    except ValueError:
        url, is_usable = URL(), False
    if not is_usable:
        raise AddressError("the file's address is none of the web")
    if url.user is not None or url.password is not None:
        raise AddressError("the file's address holds a user name or a password")
    if before is not None and before.scheme == "https" and url.scheme != "https":
        raise AddressError("the file's host redirected to where anybody can listen")
    return url
