"""Downloads: whole files and parts of them (RFC 9110, sections 13 and 14)."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import format_datetime
from hashlib import sha256
from typing import Final

from g2a_async.emulator import media
from g2a_async.emulator.links import Links, Part
from g2a_async.emulator.rows import Downloads, Recording
from g2a_async.emulator.state import State
from g2a_async.emulator.wire import Answer, bad_request, not_found

_MADE: Final[Mapping[Part, tuple[str, Callable[[Recording], bytes]]]] = {
    "mp4": ("video/mp4", media.mp4),
    "events": ("application/json", media.events),
    "thumbnail": ("image/png", media.thumbnail),
}


def download(state: State, links: Links, target: str, headers: Mapping[str, str]) -> Answer:
    """What `GET` on *target* gives."""
    if "Authorization" in headers:
        bad_request("Credentials do not belong here: the URL has its own")
    number, part = links.open(target, state.clock.now())
    recording = state.recordings.get(number)
    if recording is None:
        not_found("There is no such recording")
    content_type, make = _MADE[part]
    return answer(make(recording), content_type, recording.started_at, headers, state.downloads)


def answer(
    content: bytes, content_type: str, modified: datetime, headers: Mapping[str, str], settings: Downloads
) -> Answer:
    """The whole of *content*, or what `Range`, `If-Range` and `If-None-Match` in *headers* ask for."""
    etag = f'"{sha256(content).hexdigest()[:32]}"'
    last_modified = format_datetime(modified.replace(microsecond=0), usegmt=True)
    about = {"Content-Type": content_type, "Accept-Ranges": "bytes" if settings.ranges else "none"}
    if settings.validators:
        about |= {"ETag": etag, "Last-Modified": last_modified}
        if headers.get("If-None-Match") in {etag, "*"}:
            return Answer(status=304, headers=about)
    current = {etag, last_modified} if settings.validators else set()
    wanted = None
    if settings.ranges and headers.get("If-Range") in {None, *current}:
        wanted = _range(headers.get("Range"), len(content))
    if wanted is None:
        return Answer(body=content, headers=about)
    if not wanted:
        return Answer(status=416, headers={**about, "Content-Range": f"bytes */{len(content)}"})
    about["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{len(content)}"
    return Answer(status=206, body=content[wanted.start : wanted.stop], headers=about)


def _range(text: str | None, size: int) -> range | None:
    """The bytes that a `Range` header asks for; none when there are none; None: all, as without the header.

    Several ranges at once, and what is malformed, count as no header, as the RFC allows.
    """
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", text or "", re.ASCII | re.IGNORECASE)
    if found is None or found.group(0)[6:] == "-":
        return None
    first, last = found.groups()
    if not first:
        return range(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(size, int(last) + 1) if last else size)
