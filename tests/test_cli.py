"""The command line as its users meet it: a process, its output, its exit code."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tools.cli import on_a_terminal

from g2a_async.emulator import Emulator

DEMO = [sys.executable, "-W", "error", "-m", "g2a_async", "demo"]


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command with only the variables that are told, and its output in pipes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("G2A_")}
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=50, env={**kept, **variables, "COLUMNS": "80"}
    )


@pytest.mark.system
def test_the_demo_does_the_whole_job(tmp_path: Path) -> None:
    """Piped, `g2a demo` writes plain lines, saves a dozen playable files, and exits with 0."""
    done = run(*DEMO, "--folder", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert len(re.findall(r"^ok   ", done.stdout, re.MULTILINE)) == 7
    assert "FAIL" not in done.stdout
    assert "went waiting, active, complete" in done.stdout
    saved = sorted(tmp_path.iterdir())
    assert len(saved) == 12
    assert all(path.suffix == ".mp4" and path.read_bytes()[4:8] == b"ftyp" for path in saved)
    assert max(len(line) for line in done.stdout.splitlines() if "│" in line) <= 80


@pytest.mark.system
def test_the_demo_shows_progress_on_a_terminal(tmp_path: Path) -> None:
    """On a terminal there are bars and colours while the demo runs."""
    screen = on_a_terminal([*DEMO, "--folder", str(tmp_path)], os.environ | {"TERM": "xterm"})
    assert screen.code == 0
    assert "━" in screen.seen
    assert "\x1b[32mok" in screen.seen


def test_a_demo_that_fails_says_so(tmp_path: Path) -> None:
    """A folder that cannot be made is one line on stderr and exit code 1."""
    (tmp_path / "file").touch()
    done = run(*DEMO, "--folder", str(tmp_path / "file" / "folder"))
    assert done.returncode == 1
    assert re.fullmatch(r"g2a: .*Not a directory.*\n", done.stderr)


def test_the_live_demo_only_reads() -> None:
    """`--live` asks the service that the variables name, and changes nothing there."""
    with Emulator(seed=2) as emulator:
        done = run(*DEMO, "--live", G2A_ACCESS_TOKEN=emulator.access_token, G2A_BASE_URL=emulator.url)
        assert (done.returncode, done.stderr) == (0, "")
        assert {entry.method for entry in emulator.journal} == {"GET"}
        assert len(emulator.journal) > 10
    assert emulator.access_token not in done.stdout


def test_the_live_demo_needs_credentials() -> None:
    """Without variables the command says which to set, and exits with 3."""
    done = run(*DEMO, "--live")
    assert (done.returncode, done.stdout) == (3, "")
    assert "G2A_ACCESS_TOKEN" in done.stderr


def test_a_refused_token_is_a_matter_of_credentials() -> None:
    """A 401 is one line without the token, and exit code 3."""
    with Emulator() as emulator:
        done = run(*DEMO, "--live", G2A_ACCESS_TOKEN="canary-token", G2A_BASE_URL=emulator.url)
    assert done.returncode == 3
    assert done.stderr.startswith("g2a: 401 on GET ")
    assert "canary-token" not in done.stderr + done.stdout


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_a_missing_extra_is_told(missing: str) -> None:
    """Without the extra's packages the command says what to install."""
    code = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv = ['g2a', 'demo']; import g2a_async.cli as c; c.main()"
    )
    done = run(sys.executable, "-c", code)
    assert done.returncode == 1
    assert done.stderr == f"g2a needs {missing}: pip install 'g2a-async[cli]'\n"


def test_a_reader_that_stops_is_no_error() -> None:
    """`g2a demo | head` is silent: nobody reads on."""
    done = run("sh", "-c", f"{' '.join(DEMO)} --help | head -n 1")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_wrong_option_is_a_matter_of_use() -> None:
    """An unknown option exits with 2 and says which it was."""
    done = run(*DEMO, "--colour")
    assert done.returncode == 2
    assert "--colour" in done.stderr
