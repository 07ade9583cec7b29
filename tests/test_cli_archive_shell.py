"""`g2a archive` among other programs: signals, `kill -9`, pipes and terminals. Real processes, real files."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tools.archives import FILES, add, held, whole
from tools.cli import on_a_terminal

from g2a_async.emulator import Emulator

pytest_plugins = ("tools.fixtures",)
pytestmark = pytest.mark.system

G2A = [sys.executable, "-W", "error", "-m", "g2a_async", "archive"]


def of(emulator: Emulator, place: Path, *words: str) -> list[str]:
    """The command that fetches all of its account."""
    return [*G2A, "run", str(place), "--since", "30d", "--account-key", str(emulator.state.account_key), *words]


def ran(command: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What became of it."""
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_ctrl_c_finishes_the_files_in_hand(
    g2a_emulator: Emulator, environ: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    """It says so, and exits with 130; each file that is there is whole, and the next run fetches the others."""
    recordings = add(g2a_emulator, 40, padding=100_000)
    command = of(g2a_emulator, tmp_path, "--jobs", "1", "--limit-rate", "1M", "--parts", "mp4")
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        next(line for line in run.stdout if '"done"' in line)
        run.send_signal(number)
        rest, said = run.stdout.read(), run.stderr.read()
    assert run.returncode == 130
    assert [line.partition(" ")[0] for line in said.splitlines()] == ["Finishing", "Fetched", "Interrupted:"]
    there = held(tmp_path)
    assert 1 <= len(there) < 40
    assert len(there) == rest.count('"done"') + 1
    assert there.items() <= whole(recordings).items()
    assert ran(of(g2a_emulator, tmp_path), environ).returncode == 0
    assert held(tmp_path) == whole(recordings)
    assert g2a_emulator.journal.count(FILES) == 120


@pytest.mark.parametrize("numbers", [(signal.SIGINT, signal.SIGINT), (signal.SIGKILL,)], ids=["Ctrl-C", "kill"])
def test_what_is_cut_off_goes_on(
    g2a_emulator: Emulator, environ: dict[str, str], tmp_path: Path, numbers: tuple[signal.Signals, ...]
) -> None:
    """The second Ctrl-C ends it in the middle of a file, as `kill -9` does; the next run asks for the file's rest."""
    recordings = add(g2a_emulator, 1, padding=12_000_000)
    slow = of(g2a_emulator, tmp_path, "--limit-rate", "8M", "--parts", "mp4")
    with subprocess.Popen(slow, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        end = time.monotonic() + 20
        while not any(part.stat().st_size > 5_000_000 for part in tmp_path.rglob("*.part")) and time.monotonic() < end:
            time.sleep(0.01)
        for index, number in enumerate(numbers):
            if index:
                assert run.stderr.readline().startswith("Finishing the files in hand")
            run.send_signal(number)
        run.communicate(timeout=20)
    assert run.returncode in {130, -signal.SIGKILL}
    assert held(tmp_path).keys() & whole(recordings).keys() == set()
    g2a_emulator.journal.clear()
    assert ran(of(g2a_emulator, tmp_path), environ).returncode == 0
    assert held(tmp_path) == whole(recordings)
    asked = [entry.header("Range") for entry in g2a_emulator.journal.of(FILES) if ".mp4" in entry.target]
    assert len(asked) == 1
    assert re.fullmatch(r"bytes=\d{6,}-", asked[0] or "")


def test_a_head_ends_a_run(g2a_emulator: Emulator, environ: dict[str, str], tmp_path: Path) -> None:
    """`| head` has its lines, and nothing is said; what was fetched is whole, and the rest comes another time."""
    recordings = add(g2a_emulator, 150, padding=50_000)
    command = f"{' '.join(of(g2a_emulator, tmp_path, '--limit-rate', '2M'))} | head -n 2; echo ${{PIPESTATUS[0]}}"
    done = ran(["bash", "-c", command], environ)
    assert done.stderr == ""
    first, second, code = done.stdout.splitlines()
    assert {json.loads(line)["kind"] for line in (first, second)} == {"planned"}
    assert code == "0"
    there = {path: sha for path, sha in held(tmp_path).items() if ".part" not in path}
    assert len(there) < 450
    assert there.items() <= whole(recordings).items()


MOVES = re.compile(r"\x1b\[(?:\?25[hl]|\d*[AKG]|\dK)|\r")
"""Of the cursor."""
COLOURS = re.compile(r"\x1b\[[\d;]*m")


@pytest.mark.parametrize(("width", "colours"), [(80, True), (200, False)])
def test_a_terminal_has_lines_below_a_table(
    g2a_emulator: Emulator, environ: dict[str, str], tmp_path: Path, width: int, colours: bool
) -> None:
    """Files scroll by above lines that are drawn at most ten times a second, fit, and are gone in the end."""
    recordings = add(g2a_emulator, 12, padding=60_000)
    add(g2a_emulator, 1, padding=1_000_000)
    environ |= {} if colours else {"NO_COLOR": "1"}
    screen = on_a_terminal(of(g2a_emulator, tmp_path, "--limit-rate", "2M", "--jobs", "2"), environ, width=width)
    assert screen.code == 0
    plain = COLOURS.sub("", MOVES.sub("\n", screen.seen))
    assert "\x1b" not in plain
    lines = [line for line in plain.splitlines() if line.strip()]
    assert max(map(len, lines)) <= width
    assert sum(line.startswith("done ") for line in lines) == 39
    assert re.fullmatch(r"Fetched 39 files, 1\.\d MB, in [\d.]+s( \([\d.]+ [kM]B/s\))?\.", lines[-1])
    frames = [line for line in lines if " of 39 files  " in line]
    assert 3 <= len(frames) <= 10 * screen.seconds
    assert any(re.search(r"\d%  .* of 1\.0 MB +2\d{3}/\d\d/\d\d/\d+\.mp4", line) for line in lines)
    assert bool(re.search(r"\x1b\[[\d;]*3[0-8]", screen.seen)) is colours
    assert screen.seen.count("\x1b[?25l") <= screen.seen.count("\x1b[?25h")
    assert len(held(tmp_path)) == 39 >= len(recordings)


def test_data_in_a_file_and_lines_on_the_terminal(
    g2a_emulator: Emulator, environ: dict[str, str], tmp_path: Path
) -> None:
    """The file has lines of JSON alone; a dumb terminal, and one that shows the log, have no lines that move."""
    add(g2a_emulator, 3)
    for number, (words, changes, moves) in enumerate(
        [((), {}, True), ((), {"TERM": "dumb"}, False), (("--verbose",), {}, False)]
    ):
        command = of(g2a_emulator, tmp_path / str(number))
        command[5:5] = words
        with (tmp_path / "out").open("w") as file:
            screen = on_a_terminal(command, environ | changes, stdout=file.fileno())
        assert screen.code == 0
        assert ("\x1b" in screen.seen) is moves
        assert "Fetched 9 files" in screen.seen
        written = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
        assert sum(row["kind"] == "done" for row in written) == 9
