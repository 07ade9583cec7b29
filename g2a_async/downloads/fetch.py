"""One file of a recording: whole at its place, or not there at all."""

import asyncio
import errno
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import aiohttp
from yarl import URL

from g2a_async.errors import StatusError, TransportError
from g2a_async.network import Proxies
from g2a_async.pool import Pool
from g2a_async.settings import Settings

_BATCH: Final = 1 << 20
"""Bytes that are gathered before a thread writes them: a hop for each small piece halves the throughput."""
_STALL: Final = 60.0
"""Seconds without a byte. There is no limit for the whole: files are large."""


async def download_mp4(pool: Pool, settings: Settings, url: str, path: Path) -> int:
    """Save the MP4 at *url* as *path*; its bytes are counted.

    The address carries its own secret: it gets no Authorization, and no message shows it. The bytes go to `.part`
    beside *path*, and take its place when they are as many as promised and begin as an MP4 does.
    """
    if not path.name or await asyncio.to_thread(path.is_dir):
        raise IsADirectoryError(errno.EISDIR, "the recording needs a file's name, and this is a folder", str(path))
    part = path.with_name(path.name + ".part")
    saved, size = False, 0
    failure = "the download broke off"
    try:
        lease = await pool.lease()
        async with (
            lease.slots,  # or calls would wait for a connection where nobody sees it
            lease.session.get(
                URL(url, encoded=True),  # yarl would quote a signed address anew
                headers={"User-Agent": settings.user_agent, "Accept-Encoding": "identity"},
                timeout=aiohttp.ClientTimeout(total=None, connect=10.0, sock_read=_STALL),
                proxy=Proxies(settings.proxy, trust_env=settings.trust_env or pool.trusts_env).of(url),
                ssl=settings.ssl or True,
            ) as response,
        ):
            if response.status != 200:  # noqa: PLR2004
                raise StatusError.kind(response.status)(response.status, "GET", str(response.url.origin()))
            size = await _save(response, part)
            failure = await asyncio.to_thread(_flaw, part, response.content_length)
            saved = not failure
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        failure = f"the download broke off ({type(error).__name__})"
    finally:
        if not saved:  # also after a cancellation: what is left is no recording
            part.unlink(missing_ok=True)
    if not saved:
        raise TransportError("recordings.download", reason=failure)
    await asyncio.to_thread(os.replace, part, path)
    return size


async def _save(response: aiohttp.ClientResponse, part: Path) -> int:
    size, held = 0, 0
    pieces: list[bytes] = []
    opened: list[BinaryIO] = []
    try:
        await _in_thread(lambda: opened.append(part.open("wb")))
        file = opened[0]
        async for piece in response.content.iter_any():
            size += len(piece)
            held += len(piece)
            pieces.append(piece)
            if held >= _BATCH:
                await _in_thread(partial(file.writelines, pieces))
                pieces, held = [], 0
        await _in_thread(partial(file.writelines, pieces))
    finally:
        for file in opened:
            file.close()
    return size


async def _in_thread(work: Callable[[], None]) -> None:
    """Do *work* in a thread, and when cancelled wait for its end: a thread cannot be stopped, and uses the file."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


def _flaw(part: Path, promised: int | None) -> str:
    """Why what came is not the recording; empty if it is."""
    size = part.stat().st_size
    if promised is not None and size != promised:
        return f"{size} bytes came of {promised}"
    with part.open("rb") as file:
        return "" if file.read(12)[4:8] == b"ftyp" else "what came is not an MP4"
