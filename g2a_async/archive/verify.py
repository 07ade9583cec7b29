"""The manifest held against the files."""

from collections.abc import Sequence
from contextlib import aclosing
from functools import partial
from typing import Final

from attrs import evolve

from g2a_async.archive import entries
from g2a_async.archive.destinations import Destination
from g2a_async.archive.entries import File
from g2a_async.archive.manifest import Manifest
from g2a_async.archive.records import PARTS, State
from g2a_async.bounded import as_they_come

_LOOKED_AT: Final[tuple[State, ...]] = ("done", "missing", "damaged")

Place = tuple[int, File]


async def verify(destination: Destination, manifest: Manifest, *, deep: bool, jobs: int) -> None:
    """Note what is missing, what is damaged, and what is right again."""
    async for ids in entries.pages(manifest, _LOOKED_AT, PARTS):
        known = await manifest.read(partial(entries.find, ids=ids))
        places = [
            (number, file)
            for number, entry in known.items()
            if entry.owner is None  # else somebody is at it
            for file in entry.files.values()
            if file.state in _LOOKED_AT
        ]
        changes: list[Place] = []
        sizes = await destination.sizes([file.path or "" for _, file in places])
        to_hash: list[Place] = []
        for (number, file), size in zip(places, sizes, strict=True):
            if size is None:
                changes.append((number, evolve(file, state="missing", error="it is not there any more")))
            elif size != file.size:
                flaw = f"it has {size} bytes, and had {file.size}"
                changes.append((number, evolve(file, state="damaged", error=flaw)))
            elif deep or file.state != "done":
                to_hash.append((number, file))
        async with aclosing(as_they_come(partial(_hashed, destination), to_hash, jobs)) as arriving:
            changes += [place async for place in arriving]
        await _note(manifest, [place for place in changes if place not in places])


async def _hashed(destination: Destination, place: Place) -> Place:
    number, file = place
    try:
        sha256 = await destination.sha256(file.path or "")
    except FileNotFoundError:
        return number, evolve(file, state="missing", error="it is not there any more")
    except OSError as error:
        return number, evolve(file, state="damaged", error=f"it cannot be read: {error.strerror}")
    if sha256 != file.sha256:
        return number, evolve(file, state="damaged", error="its hash is not what it was")
    return number, file if file.state == "done" else evolve(file, state="done", error=None)


async def _note(manifest: Manifest, changes: Sequence[Place]) -> None:
    if changes:
        await manifest.write(partial(entries.note, ends=[(number, [file]) for number, file in changes]))
