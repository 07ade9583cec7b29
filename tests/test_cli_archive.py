"""`g2a archive` against an emulated service: what it fetches, writes, says, and exits with."""

import csv
import inspect
import io
import json
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tools.archives import FILES, LISTED, MANIFEST, MARK, TRANSCODE, URLS, add, asked, held, whole
from tools.cli import Command
from tools.s3 import S3

from g2a_async.archive import RecordingArchive
from g2a_async.archive.archive import DEFAULT_TEMPLATE
from g2a_async.cli.archive import retry_archive, run_archive, verify_archive
from g2a_async.emulator import Emulator

pytest_plugins = ("tools.fixtures",)


@pytest.fixture
def g2a(g2a: Command) -> Command:
    """Run `g2a archive`."""
    return lambda *words, **rest: g2a("archive", *map(str, words), **rest)


def of(emulator: Emulator) -> tuple[str, ...]:
    """Options that select all of its account."""
    return "--since", "30d", "--account-key", str(emulator.state.account_key)


def rows(out: str) -> list[dict[str, Any]]:
    """Lines of JSON."""
    return [json.loads(line) for line in out.splitlines()]


def test_everything_comes_once(emulator: Emulator, g2a: Command, tmp_path: Path) -> None:
    """Events as lines of JSON but for progress, a summary on stderr; a second run asks only what there is."""
    recordings = add(emulator, 3)
    code, out, err = g2a("run", tmp_path, *of(emulator))
    assert code == 0
    assert Counter(row["kind"] for row in rows(out)) == {"planned": 9, "started": 9, "done": 9, "finished": 1}
    assert {row["recordingId"] for row in rows(out)[:-1]} == {one.recording_id for one in recordings}
    assert held(tmp_path) == whole(recordings)
    assert err.startswith("Fetched 9 files, ")
    assert err.count("\n") == 1
    emulator.journal.clear()
    code, out, err = g2a("run", tmp_path, *of(emulator))
    assert (code, err) == (0, "Fetched nothing.\nSkipped 3 recordings: already in the archive.\n")
    assert {row["kind"] for row in rows(out)} == {"skipped", "finished"}
    assert asked(emulator) == {LISTED: 1}


def test_a_line_for_each_file(emulator: Emulator, g2a: Command, tmp_path: Path) -> None:
    """Csv and json have one for each file that is fetched or skipped; a table counts what is skipped."""
    recordings = add(emulator, 2)
    add(emulator, 1, ready=False)
    code, out, err = g2a("run", tmp_path / "csv", *of(emulator), "-o", "csv")
    assert code == 0
    lines = list(csv.DictReader(io.StringIO(out)))
    assert Counter(line["kind"] for line in lines) == {"skipped": 1, "done": 6}
    done = {line["path"]: int(line["bytes"]) for line in lines if line["kind"] == "done"}
    assert done == {path: (tmp_path / "csv" / path).stat().st_size for path in whole(recordings)}
    assert "Skipped 1 recording: not ready for download; --transcode asks for that.\n" in err
    documents = json.loads(g2a("run", tmp_path / "json", *of(emulator), "-o", "json")[1])
    assert [(one["kind"], one.get("part")) for one in documents][:2] == [("skipped", None), ("done", "mp4")]
    table = g2a("run", tmp_path / "table", *of(emulator), "-o", "table")[1].splitlines()
    assert table[0].split() == ["RESULT", "SIZE", "FILE"]
    assert [line.split()[0] for line in table[1:]] == ["done"] * 6
    assert g2a("run", tmp_path / "table", *of(emulator), "-o", "table")[1] == ""


def test_a_dry_run_writes_nothing(emulator: Emulator, g2a: Command, tmp_path: Path) -> None:
    """It tells the files and their bytes, and what it would skip."""
    add(emulator, 2, padding=10_000)
    add(emulator, 1, ready=False)
    code, out, err = g2a("run", tmp_path / "x", *of(emulator), "--dry-run", "-o", "table")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["RESULT", *["planned"] * 6]
    assert err.splitlines() == [
        "Would fetch 6 files, 21.6 kB as far as the service tells sizes.",
        "Would skip 1 recording: not ready for download; --transcode asks for that.",
    ]
    assert list(tmp_path.iterdir()) == []
    assert asked(emulator) == {LISTED: 1, URLS: 1}


def test_what_is_selected(emulator: Emulator, g2a: Command, tmp_path: Path) -> None:
    """Options become the parameters of the list; times are sent in UTC."""
    company = emulator.state.add_company("Example")
    code, _, err = g2a(
        *("run", tmp_path, "--since", "2026-05-01T12:00:00+02:00", "--until", "2026-05-02T00:00:00Z"),
        *("--user-key", emulator.state.user_key, "--company-id", company.company_id),
        *("--session-type", "Unattended", "--archived"),
    )
    assert (code, err) == (0, "Fetched nothing.\n")
    assert dict(emulator.journal.of(LISTED)[0].query) == {
        "fromTime": "2026-05-01T10:00:00Z",
        "toTime": "2026-05-02T00:00:00Z",
        "userKey": str(emulator.state.user_key),
        "companyId": str(company.company_id),
        "sessionType": "1",
        "archived": "1",
    }


def test_parts_names_and_marks(emulator: Emulator, g2a: Command, tmp_path: Path) -> None:
    """Only the parts that are wanted, called as wanted, noted where wanted; then they are marked as archived."""
    recordings = add(emulator, 2)
    manifest = tmp_path / "noted.sqlite3"
    code, _, _ = g2a(
        *("run", tmp_path / "x", *of(emulator), "--parts", "mp4, events", "--template", "{account_key}/{recording_id}"),
        *("--manifest", manifest, "--mark-archived", "--jobs", 2, "--limit-rate", "50M"),
    )
    assert code == 0
    stems = [f"{emulator.state.account_key}/{one.recording_id}" for one in recordings]
    assert set(held(tmp_path / "x")) == {stem + end for stem in stems for end in (".mp4", ".events.json")}
    assert manifest.is_file()
    assert not (tmp_path / "x" / MANIFEST).exists()
    assert emulator.journal.count(MARK) == 1
    assert all(one.archived for one in emulator.state.recordings.values())


def test_transcoding_is_asked_for(emulator: Emulator, g2a: Command, tmp_path: Path) -> None:
    """With --transcode; what the service refuses to transcode has failed, and nothing is waited for."""
    emulator.faults.add(TRANSCODE, "status", status=403, times=None)
    add(emulator, 1, ready=False)
    code, _, err = g2a("run", tmp_path, *of(emulator), "--transcode")
    assert code == 5
    assert "Failed 1 recording: the service refuses its ID" in err
    assert emulator.journal.count(TRANSCODE) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "x", "--account-key", "1"), "Missing option '--since'"),
        (("run", "x", "--since", "1d"), "one of --account-key, --user-key and --company-id"),
        (("run", "x", "--since", "1h", "--until", "2h", "--user-key", "1"), "later than --until"),
        (("run", "x", "--since", "1d", "--user-key", "1", "--template", "{name}"), "no field {name}"),
        (("run", "x", "--since", "1d", "--user-key", "1", "--template", "x"), "must hold {recording_id}"),
        (("run", "x", "--since", "1d", "--user-key", "1", "--parts", "mp4,mp3"), "mp4, events, thumbnail"),
        (("run", "x", "--since", "1d", "--user-key", "1", "--parts", "events", "--mark-archived"), "needs mp4"),
        (("run", "x", "--since", "1d", "--user-key", "1", "--session-type", "both"), "none of attended, unattended"),
        (("run", "x", "--since", "1d", "--user-key", "1", "--jobs", "0"), "--jobs"),
        (("run", "x", "--since", "1d", "--user-key", "1", "--limit-rate", "fast"), "no number of bytes"),
        (("run", "x", "--since", "1d", "--user-key", "1", "--limit-rate", "0k"), "no number of bytes"),
        (("run", "ftp://x", "--since", "1d", "--user-key", "1"), "ftp:// is no destination"),
        (("run", "s3://x/y", "--since", "1d", "--user-key", "1"), "give manifest"),
        (("verify", "s3://x/y"), "give manifest"),
        (("report", " "), "must be a folder"),
        (("retry-failed", "x", "--limit-rate", "12i"), "no number of bytes"),
    ],
)
def test_wrong_usage_is_told_and_nothing_sent(
    emulator: Emulator,
    g2a: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    said: str,
) -> None:
    """Exit code 2, the reason on stderr, nothing on stdout, nothing made."""
    monkeypatch.chdir(tmp_path)
    code, out, err = g2a(*words)
    assert (code, out) == (2, "")
    assert said in err
    assert len(emulator.journal) == 0
    assert list(tmp_path.iterdir()) == []


def test_what_fails_is_told_and_tried_again(emulator: Emulator, g2a: Command, tmp_path: Path) -> None:
    """Exit code 5, reasons counted, and the command that fetches it; that one needs no list, and ends with 0."""
    recordings = add(emulator, 3)
    emulator.faults.add(FILES, "status", status=404, times=None)
    code, out, err = g2a("run", tmp_path, *of(emulator), "-o", "table")
    assert code == 5
    assert out.count("failed ") == 9
    assert out.count("404 on GET ") == 9
    assert "Failed 9 files: 404 on GET " in err
    assert err.endswith(f"\nTry again what failed: g2a archive retry-failed {tmp_path}\n")
    emulator.faults.clear()
    emulator.journal.clear()
    code, out, err = g2a("retry-failed", tmp_path, "--limit-rate", "1G", "--jobs", 1)
    assert code == 0
    assert Counter(row["kind"] for row in rows(out))["done"] == 9
    assert err.startswith("Fetched 9 files, ")
    assert held(tmp_path) == whole(recordings)
    assert LISTED not in asked(emulator)


def test_verify_and_report_need_no_credentials(
    emulator: Emulator, g2a: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They find what is missing, damaged, or has another hash, end with 5, and say what fetches it."""
    recordings = add(emulator, 2)
    g2a("run", tmp_path, *of(emulator))
    for name in [name for name in os.environ if name.startswith("G2A_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    code, out, err = g2a("verify", tmp_path, "--deep")
    assert (code, out, err) == (0, "", "6 files in the archive; none failed, missing or damaged.\n")
    one, two, three = sorted(whole(recordings))[:3]
    (tmp_path / one).unlink()
    (tmp_path / two).write_bytes(b"x")
    turned = bytes(reversed((tmp_path / three).read_bytes()))
    (tmp_path / three).write_bytes(turned)
    assert {row["path"]: row["state"] for row in rows(g2a("verify", tmp_path)[1])} == {one: "missing", two: "damaged"}
    code, out, err = g2a("verify", tmp_path, "--deep", "--jobs", 1, "-o", "csv")
    assert code == 5
    lines = {line["path"]: line for line in csv.DictReader(io.StringIO(out))}
    assert {path: line["state"] for path, line in lines.items()} == {one: "missing", two: "damaged", three: "damaged"}
    assert lines[three]["reason"] == "its hash is not what it was"
    assert err.splitlines() == [
        "3 files in the archive; 1 missing, 2 damaged.",
        f"Fetch them again: g2a archive retry-failed {tmp_path}",
    ]
    code, out, _ = g2a("report", tmp_path, "-o", "json")
    told = json.loads(out)
    assert (code, told["counts"]) == (5, {"damaged": 2, "done": 3, "missing": 1})
    assert told["missing"][0]["path"] == one
    assert told["failures"] == []
    code, out, _ = g2a("report", tmp_path, "-o", "table")
    table = [line.split() for line in out.splitlines()]
    assert [line[0] for line in table[:4]] == ["STATE", "done", "missing", "damaged"]
    assert ["missing", "1", one] in table


def test_an_archive_elsewhere_is_named_whole(emulator: Emulator, g2a: Command, tmp_path: Path) -> None:
    """What to type for what failed has the manifest, too, quoted for a shell."""
    add(emulator, 1)
    emulator.faults.add(FILES, "status", status=404, times=None)
    place, manifest = tmp_path / "my files", tmp_path / "noted"
    err = g2a("run", place, *of(emulator), "--manifest", manifest)[2]
    assert f"g2a archive retry-failed '{place}' --manifest {manifest}\n" in err


def test_what_ends_a_run(emulator: Emulator, g2a: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1: nothing can be written there. 3: no credentials, wrong ones, or no archive."""
    (tmp_path / "file").write_text("x")
    code, out, err = g2a("run", tmp_path / "file", *of(emulator))
    assert (code, out, err) == (1, "", f"g2a: {tmp_path}/file is a file: give a folder\n")
    code, out, err = g2a("run", tmp_path / "file" / "x", *of(emulator))
    assert (code, out) == (1, "")
    assert err.startswith(f"g2a: the manifest {tmp_path}/file/x/{MANIFEST} cannot be used")
    for command in "verify", "report", "retry-failed":
        code, out, err = g2a(command, tmp_path / "nothing")
        assert (code, out) == (3, "")
        assert err.startswith("g2a: there is no archive here")
    monkeypatch.setenv("G2A_ACCESS_TOKEN", "other")
    code, out, err = g2a("run", tmp_path / "x", *of(emulator))
    assert (code, out) == (3, "")
    assert err.startswith("g2a: 401 on GET ")
    assert "Fetched" not in err
    monkeypatch.delenv("G2A_ACCESS_TOKEN")
    monkeypatch.setenv("G2A_LOGIN_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    assert g2a("run", tmp_path / "x", *of(emulator))[0] == 3


def test_a_file_that_finds_no_room(
    emulator: Emulator, g2a: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 5; what was done is summed up, and the file that found no room is told."""
    add(emulator, 1)
    add(emulator, 1, padding=20_000_000, started_at=datetime.now(UTC) - timedelta(days=2))

    async def nothing(self: Any) -> int:
        return 1_000

    monkeypatch.setattr("g2a_async.archive.destinations.FolderDestination.free", nothing)
    code, out, err = g2a("run", tmp_path, *of(emulator), "--jobs", 1)
    assert code == 5
    assert "there is no room for it: 1000 bytes are left" in out
    assert "Failed 1 file: there is no room for it: 1000 bytes are left" in err


def test_an_object_store(emulator: Emulator, g2a: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetched into a bucket over HTTP, and verified there; a bucket that is not there ends it with 1."""
    add(emulator, 1)
    noted = "--manifest", tmp_path / "noted"
    with S3() as s3:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        assert g2a("run", "s3://recordings/x", *of(emulator), *noted)[0] == 0
        assert g2a("verify", "s3://recordings/x", *noted, "--deep")[::2] == (
            0,
            "3 files in the archive; none failed, missing or damaged.\n",
        )
        code, out, err = g2a("run", "s3://nothing/x", *of(emulator), "--manifest", tmp_path / "other")
        assert (code, out, err) == (1, "", "g2a: s3://nothing/x: there is no such bucket\n")


def test_defaults_are_those_of_the_archive() -> None:
    """What the help says is what the archive does."""
    defaults = {name: one.default for name, one in inspect.signature(RecordingArchive).parameters.items()}
    for command in run_archive, verify_archive, retry_archive:
        assert inspect.signature(command).parameters["jobs"].default == defaults["jobs"]
    own = inspect.signature(run_archive).parameters
    assert tuple(own["parts"].default.split(",")) == defaults["parts"]
    assert f"Default: {DEFAULT_TEMPLATE}." in own["template"].annotation.__metadata__[0].help
