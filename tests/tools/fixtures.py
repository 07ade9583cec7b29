"""The fixtures of tests of `g2a`: a service, and the command that asks it."""

import os
import sys

import pytest

from g2a_async.cli.app import run
from g2a_async.emulator import Emulator
from tools.cli import Command, Result, Stdin


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch, g2a_emulator: Emulator) -> Emulator:
    """Run a service that the environment names."""
    monkeypatch.setenv("G2A_BASE_URL", g2a_emulator.url)
    monkeypatch.setenv("G2A_ACCESS_TOKEN", g2a_emulator.access_token)
    return g2a_emulator


@pytest.fixture
def g2a(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run `g2a` in this process, with some arguments and standard input."""

    def command(*arguments: str, stdin: str = "") -> Result:
        monkeypatch.setattr(sys, "argv", ["g2a", *arguments])
        monkeypatch.setattr(sys, "stdin", Stdin(stdin))
        with pytest.raises(SystemExit) as end:
            run()
        out, err = capfd.readouterr()
        return int(end.value.code or 0), out, err

    return command


@pytest.fixture
def environ(g2a_emulator: Emulator) -> dict[str, str]:
    """Variables for a process: they name the service, a terminal, and nothing else of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("G2A_", "COLUMNS"))}
    return kept | {
        "G2A_BASE_URL": g2a_emulator.url,
        "G2A_ACCESS_TOKEN": g2a_emulator.access_token,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
    }
