"""What is asked of a manifest and noted in it. Each function runs in the manifest's thread, most in a transaction."""

import json
import sqlite3
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import msgspec
from attrs import astuple, evolve, field, frozen

from g2a_async.archive.manifest import Manifest
from g2a_async.archive.names import KEYS, same
from g2a_async.archive.records import PARTS, State
from g2a_async.downloads.sink import Part
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
_CHOSEN: Final = "recording_id IN (SELECT value FROM json_each(?))"
_ENTRY: Final = f"recording_id, started, stem, {', '.join(KEYS)}, owner, mark"


def _upsert(table: str, columns: str, key: str, changes: str) -> str:
    """All rows of a JSON array at once: the interpreter is given up, and waited for, with each statement."""
    values = ", ".join(f"json_extract(value, '$[{index}]')" for index, _ in enumerate(columns.split(",")))
    return (
        f"INSERT INTO {table} ({columns}) SELECT {values} FROM json_each(?) WHERE true "  # noqa: S608  constants
        f"ON CONFLICT ({key}) DO UPDATE SET {changes}"
    )


_PLAN: Final = _upsert(
    "recordings",
    f"recording_id, {', '.join(KEYS)}, started, stem, same, mark",
    "recording_id",
    "started = coalesce(excluded.started, started), stem = excluded.stem, same = excluded.same, "
    "mark = max(mark, excluded.mark)",
)
_PLAN_PARTS: Final = _upsert(
    "parts",
    "recording_id, part, state, path, declared",
    "recording_id, part",
    "state = excluded.state, path = excluded.path, declared = coalesce(excluded.declared, declared)",
)
_NOTE: Final = _upsert(
    "parts",
    f"recording_id, {_FILE}, updated",
    "recording_id, part",
    ", ".join(
        f"{name} = excluded.{name}" for name in ("state", "path", "size", "sha256", "attempts", "error", "updated")
    ),
)


def find(db: Database, ids: Iterable[int]) -> dict[int, Entry]:
    """Those of *ids* that are known, in that order."""
    texts = [str(one) for one in ids]
    files: dict[str, dict[Part, File]] = {}
    for number, *file in _rows(db, f"recording_id, {_FILE}", "parts", texts):
        files.setdefault(number, {})[file[0]] = File(*file)
    found = {row[0]: _entry(row, files.get(row[0], {})) for row in _rows(db, _ENTRY, "recordings", texts)}
    return {int(one): found[one] for one in texts if one in found}


def _rows(db: Database, columns: str, table: str, texts: Sequence[str]) -> list[list[Any]]:
    """Those of these recordings, as one value: the interpreter is given up, and waited for, with each row."""
    query = f"SELECT json_group_array(json_array({columns})) FROM {table} WHERE {_CHOSEN}"  # noqa: S608  constants
    rows: list[list[Any]] = msgspec.json.decode(db.execute(query, (_json(texts),)).fetchone()[0])
    return rows


def _json(values: Sequence[Any]) -> str:
    return msgspec.json.encode(values).decode()


def _entry(row: Sequence[Any], files: Mapping[Part, File]) -> Entry:
    number, started, stem, *keys, owner, mark = row
    start = None if started is None else datetime.fromisoformat(started)
    return Entry(int(number), start, stem, dict(zip(KEYS, keys, strict=True)), owner, mark, files)


def plan(db: Database, founds: Sequence[Found], keys: Mapping[str, str | None], *, mark: bool) -> dict[int, Entry]:
    """Note what is to be fetched; everything that is known of it then."""
    ids = [found.recording_id for found in founds]
    known, recordings, parts = find(db, ids), [], []
    used = _used(db, [found.stem for found in founds])
    for found in founds:
        number, entry = str(found.recording_id), known.get(found.recording_id)
        stem = (entry.stem if entry else None) or _free_stem(db, found, used)
        used.add(same(stem))
        started = None if found.started is None else wire_time(found.started)
        recordings.append((number, *map(keys.get, KEYS), started, stem, same(stem), int(mark)))
        for part, end in found.paths.items():
            declared = found.declared if part == "mp4" else None
            file = entry.files.get(part) if entry else None
            file = File(part) if file is None else file
            if file.state not in SETTLED or (file.state == "absent" and end is not None):
                state = "absent" if end is None else "planned" if file.state in {"waiting", "absent"} else file.state
                parts.append((number, part, state, end and (file.path or stem + end), declared))
    db.execute(_PLAN, (_json(recordings),))
    db.execute(_PLAN_PARTS, (_json(parts),))
    return find(db, ids)


def _add(db: Database, recording_id: int, keys: Mapping[str, str | None]) -> None:
    row = (str(recording_id), *(keys.get(name) for name in KEYS))
    db.execute(
        "INSERT OR IGNORE INTO recordings (recording_id, account_key, user_key, company_id) VALUES (?, ?, ?, ?)", row
    )


def _used(db: Database, stems: Iterable[str]) -> set[str]:
    """Those of *stems* that recordings have, as a file system sees them that ignores case."""
    query = "SELECT json_group_array(same) FROM recordings WHERE same IN (SELECT value FROM json_each(?))"
    return set(msgspec.json.decode(db.execute(query, (_json([same(stem) for stem in stems]),)).fetchone()[0]))


def _free_stem(db: Database, found: Found, used: set[str]) -> str:
    """Its stem, told apart from those of other recordings if need be."""
    stem, tries = found.stem, 0
    while same(stem) in used or (tries and _used(db, [stem])):
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
    alive = {owner: manifest.is_alive(owner) for owner in {entry.owner for entry in entries.values()} if owner}
    ours = [number for number, entry in entries.items() if not alive.get(entry.owner or "")]
    numbers = _json([str(number) for number in ours])
    db.execute(f"UPDATE recordings SET owner = ? WHERE {_CHOSEN}", (manifest.owner, numbers))  # noqa: S608  a constant
    return entries | {number: evolve(entries[number], owner=manifest.owner) for number in ours}


def give_back(db: Database, manifest: Manifest, ids: Iterable[int]) -> None:
    """Let others be at them."""
    numbers = _json([str(one) for one in ids])
    db.execute(f"UPDATE recordings SET owner = NULL WHERE owner = ? AND {_CHOSEN}", (manifest.owner, numbers))  # noqa: S608


def note(db: Database, ends: Iterable[tuple[int, Iterable[File]]]) -> None:
    """Note what became of recordings' files."""
    now = wire_time(datetime.now(UTC).replace(microsecond=0))
    rows = [(str(number), *astuple(file), now) for number, files in ends for file in files]
    db.execute(_NOTE, (_json(rows),))


def settle(db: Database, ends: Sequence[tuple[int, Iterable[File]]], manifest: Manifest) -> list[None]:
    """Note what became of recordings' files, and let others be at them."""
    note(db, ends)
    give_back(db, manifest, [number for number, _ in ends])
    return [None] * len(ends)


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
