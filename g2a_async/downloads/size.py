"""How large a file is, without fetching it."""

import re

import aiohttp

from g2a_async.downloads.requests import AddressError, Requests
from g2a_async.pool import Pool
from g2a_async.settings import Settings

_STALL = 20.0


async def size_of(pool: Pool, settings: Settings, address: str) -> int | None:
    """Bytes of the file at *address*; None: the host does not tell.

    Its first byte is asked for: addresses that are signed for GET are often refused with HEAD.
    """
    requests = Requests(pool, settings, stall=_STALL, is_limited=True)
    try:
        async with requests.get(address, {"Range": "bytes=0-0"}) as response:
            if response.status == 206:  # noqa: PLR2004
                found = re.fullmatch(r"bytes 0-0/(\d{1,18})", response.headers.get("Content-Range", ""))
                return None if found is None else int(found[1])
            is_empty = response.status == 416 and response.headers.get("Content-Range") == "bytes */0"  # noqa: PLR2004
            size = response.content_length if response.status == 200 else 0 if is_empty else None  # noqa: PLR2004
            response.close()  # the rest of it is not wanted
            return size
    except (AddressError, aiohttp.ClientError, TimeoutError):
        return None
