"""What is asked of a manifest and noted in it. Each function runs in the manifest's thread, most in a transaction."""

import json
import sqlite3
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from attrs import evolve, field, frozen

from g2a_async.archive.manifest import Manifest
from g2a_async.archive.names import KEYS, same
from g2a_async.archive.records import PARTS, Part, State
from g2a_async.endpoints import MAX_IDS
from g2a_async.records.base import wire_time

Database = sqlite3.Connection

SETTLED: Final = frozenset({"done", "absent"})
"""States of a file for which nothing is left to do."""
WANTED: Final = 1
MARKED: Final = 2
"""Of `Entry.mark`: it is to be marked as archived once it is whole, and it is."""


@frozen
class File:
    """What is known of one file."""

    part: Part
    state: State = "planned"
    path: str | None = None
    declared: int | None = None
    size: int | None = None
    sha256: str | None = None
    attempts: int = 0
    error: str | None = None


@frozen
class Entry:
    """What is known of one recording."""

    recording_id: int
    started: datetime | None = None
    stem: str | None = None
    keys: Mapping[str, str | None] = field(factory=dict)
    owner: str | None = None
    mark: int = 0
    files: Mapping[Part, File] = field(factory=dict)

    def is_settled(self, parts: Collection[Part]) -> bool:
        """Whether nothing is left to do for these parts."""
        return all(part in self.files and self.files[part].state in SETTLED for part in parts)

    @property
    def is_waiting(self) -> bool:
        """Whether it was not ready for download when it was last looked for."""
        return any(file.state == "waiting" for file in self.files.values())

    def left(self, parts: Collection[Part]) -> list[File]:
        """What is to be fetched of these parts."""
        there = [self.files[part] for part in PARTS if part in parts and part in self.files]
        return [file for file in there if file.state not in SETTLED]


@frozen(kw_only=True)
class Found:
    """What the service tells of a recording that can be downloaded."""

    recording_id: int
    started: datetime | None
    stem: str
    """Where its files are to go, if they have no place yet."""
    paths: Mapping[Part, str | None]
    """The end of each wanted part's path, after the stem; None: the recording has no such part."""
    declared: int | None
    """Bytes of the MP4."""


_FILE: Final = "part, state, path, declared, size, sha256, attempts, error"
_ENTRY: Final = f"recording_id, started, stem, {', '.join(KEYS)}, owner, mark"


def find(db: Database, ids: Iterable[int]) -> dict[int, Entry]:
    """Those of *ids* that are known, in that order."""
    texts = [str(one) for one in ids]
    wanted = (json.dumps(texts),)
    chosen = "WHERE recording_id IN (SELECT value FROM json_each(?))"
    files: dict[str, dict[Part, File]] = {}
    for row in db.execute(f"SELECT recording_id, {_FILE} FROM parts {chosen}", wanted):  # noqa: S608  constants
        files.setdefault(row[0], {})[row[1]] = File(*row[1:])
    rows = db.execute(f"SELECT {_ENTRY} FROM recordings {chosen}", wanted)  # noqa: S608  constants
    found = {row[0]: _entry(row, files.get(row[0], {})) for row in rows}
    return {int(one): found[one] for one in texts if one in found}


def _entry(row: Sequence[Any], files: Mapping[Part, File]) -> Entry:
    number, started, stem, *keys, owner, mark = row
    start = None if started is None else datetime.fromisoformat(started)
    return Entry(int(number), start, stem, dict(zip(KEYS, keys, strict=True)), owner, mark, files)


def plan(db: Database, founds: Sequence[Found], keys: Mapping[str, str | None], *, mark: bool) -> dict[int, Entry]:
    """Note what is to be fetched; everything that is known of it then."""
    known = find(db, [found.recording_id for found in founds])
    for found in founds:
        number, entry = str(found.recording_id), known.get(found.recording_id)
        if entry is None:
            _add(db, found.recording_id, keys)
        stem = (entry.stem if entry else None) or _free_stem(db, found)
        db.execute(
            "UPDATE recordings SET started = coalesce(?, started), stem = ?, same = ?, mark = max(mark, ?) "
            "WHERE recording_id = ?",
            (None if found.started is None else wire_time(found.started), stem, same(stem), int(mark), number),
        )
        for part, end in found.paths.items():
            declared = found.declared if part == "mp4" else None
            file = entry.files.get(part) if entry else None
            if file is None:
                row = (number, part, "absent" if end is None else "planned", end and stem + end, declared)
                db.execute("INSERT INTO parts (recording_id, part, state, path, declared) VALUES (?, ?, ?, ?, ?)", row)
            elif file.state not in SETTLED or (file.state == "absent" and end is not None):
                state = "absent" if end is None else "planned" if file.state in {"waiting", "absent"} else file.state
                path = end and (file.path or stem + end)
                db.execute(
                    "UPDATE parts SET state = ?, path = ?, declared = coalesce(?, declared) "
                    "WHERE recording_id = ? AND part = ?",
                    (state, path, declared, number, part),
                )
    return find(db, [found.recording_id for found in founds])


def _add(db: Database, recording_id: int, keys: Mapping[str, str | None]) -> None:
    row = (str(recording_id), *(keys.get(name) for name in KEYS))
    db.execute(
        "INSERT OR IGNORE INTO recordings (recording_id, account_key, user_key, company_id) VALUES (?, ?, ?, ?)", row
    )


def _free_stem(db: Database, found: Found) -> str:
    """Its stem, told apart from those of other recordings if need be."""
    stem, tries = found.stem, 0
    while db.execute("SELECT 1 FROM recordings WHERE same = ?", (same(stem),)).fetchone():
        tries += 1
        stem = f"{found.stem}-{found.recording_id}" + (f"-{tries}" if tries > 1 else "")
    return stem


def unplannable(
    db: Database,
    ids: Collection[int],
    keys: Mapping[str, str | None],
    parts: Collection[Part],
    state: State,
    reason: str,
) -> None:
    """Note recordings that the service gives no addresses of; *parts* are what is wanted of those that are new."""
    for number in ids:
        _add(db, number, keys)
        for part in parts:
            row = (str(number), part, state)
            db.execute("INSERT OR IGNORE INTO parts (recording_id, part, state) VALUES (?, ?, ?)", row)
        db.execute(
            "UPDATE parts SET state = ?, error = ?, attempts = attempts + 1 "
            "WHERE recording_id = ? AND state NOT IN ('done', 'absent')",
            (state, reason, str(number)),
        )


def wish_marked(db: Database, ids: Iterable[int]) -> None:
    """Note that recordings are to be marked as archived once they are whole."""
    rows = [(str(one),) for one in ids]
    db.executemany(f"UPDATE recordings SET mark = {WANTED} WHERE recording_id = ? AND mark = 0", rows)  # noqa: S608


def note_marked(db: Database, ids: Iterable[int]) -> None:
    """Note that recordings have been marked as archived."""
    rows = [(str(one),) for one in ids]
    db.executemany(f"UPDATE recordings SET mark = {MARKED} WHERE recording_id = ?", rows)  # noqa: S608  a constant


def take(db: Database, manifest: Manifest, ids: Sequence[int]) -> dict[int, Entry]:
    """Those of *ids* as they are now; `owner` is ours where nobody else is at it."""
    entries = find(db, ids)
    alive: dict[str, bool] = {}
    for number, entry in entries.items():
        owner = entry.owner
        if owner is not None and owner not in alive:
            alive[owner] = manifest.is_alive(owner)
        if owner is None or not alive[owner]:
            db.execute("UPDATE recordings SET owner = ? WHERE recording_id = ?", (manifest.owner, str(number)))
            entries[number] = evolve(entry, owner=manifest.owner)
    return entries


def give_back(db: Database, manifest: Manifest, ids: Iterable[int]) -> None:
    """Let others be at them."""
    rows = [(str(one), manifest.owner) for one in ids]
    db.executemany("UPDATE recordings SET owner = NULL WHERE recording_id = ? AND owner = ?", rows)


def note(db: Database, recording_id: int, files: Iterable[File]) -> None:
    """Note what became of a recording's files."""
    now = wire_time(datetime.now(UTC).replace(microsecond=0))
    db.executemany(
        "UPDATE parts SET state = ?, path = ?, size = ?, sha256 = ?, attempts = ?, error = ?, updated = ? "
        "WHERE recording_id = ? AND part = ?",
        [
            (one.state, one.path, one.size, one.sha256, one.attempts, one.error, now, str(recording_id), one.part)
            for one in files
        ],
    )


async def pages(manifest: Manifest, states: Collection[State], parts: Collection[Part]) -> AsyncGenerator[list[int]]:
    """Recordings that have some of *parts* in one of *states*, some hundreds at a time."""
    after: str | None = ""
    while after is not None:
        ids = await manifest.read(partial(_page, states=states, parts=parts, after=after))
        if ids:
            yield [int(one) for one in ids]
        after = ids[-1] if ids else None


def _page(db: Database, states: Collection[State], parts: Collection[Part], after: str) -> list[str]:
    rows = db.execute(
        "SELECT DISTINCT recording_id FROM parts WHERE recording_id > ? AND state IN (SELECT value FROM json_each(?)) "
        "AND part IN (SELECT value FROM json_each(?)) ORDER BY recording_id LIMIT ?",
        (after, json.dumps([*states]), json.dumps([*parts]), MAX_IDS),
    )
    return [row[0] for row in rows]


def totals(db: Database) -> list[tuple[str, int, int]]:
    """For each state: how many files, and their bytes."""
    return db.execute(
        "SELECT state, count(*), coalesce(sum(coalesce(size, declared)), 0) FROM parts GROUP BY state ORDER BY state"
    ).fetchall()


def troubled(db: Database) -> list[tuple[str, Part, State, str | None, str | None, int]]:
    """Files that are not there or not as they should be."""
    return db.execute(
        "SELECT recording_id, part, state, path, error, attempts FROM parts "
        "WHERE state IN ('failed', 'missing', 'damaged') ORDER BY length(recording_id), recording_id, part"
    ).fetchall()
