"""How large a file is, without fetching it."""

import re
from typing import Final

import aiohttp

from g2a_async.clock import Clock
from g2a_async.downloads.fetch import STALE
from g2a_async.downloads.requests import AddressError, Requests
from g2a_async.downloads.sink import Link
from g2a_async.errors import G2AError, StatusError, TransportError
from g2a_async.pool import Pool
from g2a_async.settings import Settings

_STALL: Final = 20.0
_WAITS: Final = (0.5, 2.0, None)
"""Seconds after each time that it did not work; None: that was the last."""


async def size_of(pool: Pool, settings: Settings, clock: Clock, link: Link) -> int | None:
    """Bytes of the file that *link* leads to; None: the host does not tell.

    Its first byte is asked for: addresses that are signed for GET are often refused with HEAD. Asked again where the
    host fails, by another address where this one has expired.
    """
    requests = Requests(pool, settings, stall=_STALL, is_limited=True)
    address = await link(None)
    for wait in _WAITS:
        size = await _asked(requests, address)
        if not isinstance(size, G2AError):
            return size
        if wait is None:
            break
        await clock.sleep(wait)
        if isinstance(size, StatusError) and size.status in STALE:
            address = await link(size)
    return None


async def _asked(requests: Requests, address: str) -> int | G2AError | None:
    try:
        async with requests.get(address, {"Range": "bytes=0-0"}) as response:
            if response.status == 206:  # noqa: PLR2004
                found = re.fullmatch(r"bytes 0-0/(\d{1,18})", response.headers.get("Content-Range", ""))
                return None if found is None else int(found[1])
            if response.status not in {200, 416}:
                where = str(response.url.origin())
                return StatusError.kind(response.status)(response.status, "GET", where)
            is_empty = response.status == 416 and response.headers.get("Content-Range") == "bytes */0"  # noqa: PLR2004
            size = response.content_length if response.status == 200 else 0 if is_empty else None  # noqa: PLR2004
            response.close()  # the rest of it is not wanted
            return size
    except AddressError:
        return None
    except (aiohttp.ClientError, TimeoutError) as error:
        return TransportError("recordings.download", reason=type(error).__name__)
