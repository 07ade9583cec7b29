"""`g2a` in this process: arguments and standard input in, exit code and both outputs out."""

import io
import sys
from collections.abc import Callable

import pytest

from g2a_async.cli.app import run

Result = tuple[int, str, str]
Command = Callable[..., Result]


class Stdin(io.StringIO):
    """Standard input; a pipe, unless a test says that it is a terminal."""

    terminal = False

    def isatty(self) -> bool:
        """Tell which."""
        return self.terminal


def command_of(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run `g2a` with some arguments and standard input: the exit code, and what it said on both."""

    def command(*arguments: str, stdin: str = "") -> Result:
        monkeypatch.setattr(sys, "argv", ["g2a", *arguments])
        monkeypatch.setattr(sys, "stdin", Stdin(stdin))
        with pytest.raises(SystemExit) as end:
            run()
        out, err = capfd.readouterr()
        return int(end.value.code or 0), out, err

    return command
