"""What an exchange needs of aiohttp and of the machine: time-outs, proxies, bounded reading."""

from typing import Final
from urllib.parse import urlsplit

import aiohttp

from g2a_async.exchange import BODY_CAP

_CONNECT_SHARES: Final = {False: 0.5, True: 0.9}
"""How much of an exchange's time connecting may take: less than all, so that a connection which never came about
is told from an answer that never came. More of it where no time is left for another."""


def timeout_of(seconds: float | None, *, shared: bool, final: bool = False) -> aiohttp.ClientTimeout:
    """A time-out for one exchange, exact: aiohttp would round long ones up to whole seconds.

    *shared*: others use the connections too, so that waiting for one counts as connecting; that costs a timer for
    each exchange. *final*: this is all that is left of the deadline.
    """
    connect = None if seconds is None else seconds * _CONNECT_SHARES[final]
    return aiohttp.ClientTimeout(
        total=seconds, connect=connect if shared else None, sock_connect=connect, ceil_threshold=float("inf")
    )


class Proxies:
    """Which proxy an address goes through, looked up once for each origin: aiohttp's own way costs two requests."""

    def __init__(self, proxy: str | None, *, trust_env: bool) -> None:
        self._proxy = proxy
        self._trust_env = trust_env and proxy is None
        self._found: dict[str, str | None] = {}

    def of(self, url: str) -> str | None:
        """The proxy for *url*, or None."""
        if not self._trust_env:
            return self._proxy
        origin = url.partition("//")[2].partition("/")[0]
        if origin not in self._found:
            from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415  large, and seldom needed

            parts = urlsplit(url)
            self._found[origin] = None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)
        return self._found[origin]


async def read_some(response: aiohttp.ClientResponse) -> bytes:
    """An error's body, up to the cap, or as much as came: the status is known, and that is what counts.

    What is more than the cap is not worth its time: the connection goes with it.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in response.content.iter_any():
            chunks.append(chunk)
            size += len(chunk)
            if size > BODY_CAP:
                response.close()
                break
    except (aiohttp.ClientError, TimeoutError):
        response.close()
    return b"".join(chunks)[:BODY_CAP]
