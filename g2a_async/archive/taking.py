"""Files that are there already: whether they are the right ones."""

import msgspec
from attrs import evolve

from g2a_async.archive.entries import WANTED, Entry, File
from g2a_async.archive.means import Means
from g2a_async.archive.names import sidecar_of
from g2a_async.archive.words import UNPROVEN
from g2a_async.downloads.kinds import HEAD, WHOLE, flaw_of_head, flaw_of_whole
from g2a_async.downloads.size import size_of


async def taken_up(means: Means, entry: Entry, file: File, size: int, *, may_mark: bool) -> File | None:
    """*file*, of whose place *size* bytes are taken, if these are the right ones: by hash, or else by size and kind.

    *may_mark*: what is marked as archived was fetched, or has a hash that is known. None: it has to be fetched.
    """
    known = file.sha256 or await _hash_beside(means, entry, file)
    if known is None and not await _may_be(means, entry, file, size, may_mark=may_mark):
        return None
    sha256 = await means.destination.sha256(file.path or "")
    if known not in {None, sha256}:
        return None
    return evolve(file, state="done", size=size, sha256=sha256, error=UNPROVEN if known is None else None)


async def _hash_beside(means: Means, entry: Entry, file: File) -> str | None:
    """What the sidecar says of a file, where the manifest has forgotten it."""
    try:
        data = await means.destination.read(sidecar_of(entry.stem or ""), WHOLE)
        told = msgspec.json.decode(data)["files"][file.part]["sha256"]
    except (OSError, KeyError, TypeError, ValueError):
        return None
    return told if isinstance(told, str) else None


async def _may_be(means: Means, entry: Entry, file: File, size: int, *, may_mark: bool) -> bool:
    """Whether a file of which no hash is known is what the service has, as far as its size and its kind tell."""
    number, part, path = entry.recording_id, file.part, file.path or ""
    if part == "mp4" and may_mark and entry.mark == WANTED:
        return False
    if size != file.declared and size != await size_of(
        means.pool, means.settings, means.clock, means.links.link(number, part)
    ):
        return False
    content = await means.destination.read(path, WHOLE)
    media = "application/json" if part == "events" and path.endswith(".json") else ""
    flaw = flaw_of_head(part, media, content[:HEAD])
    return flaw is None and (size > WHOLE or flaw_of_whole(part, media, content) is None)
