"""`g2a` as tests run it: in this process, or on a terminal."""

import fcntl
import io
import os
import pty
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from typing import NamedTuple

Result = tuple[int, str, str]
"""The exit code, and what was said on both outputs."""
Command = Callable[..., Result]


class Stdin(io.StringIO):
    """Standard input; a pipe, unless a test says that it is a terminal."""

    terminal = False

    def isatty(self) -> bool:
        """Tell which."""
        return self.terminal


class Screen(NamedTuple):
    """What a command showed, how long it took, and its exit code."""

    seen: str
    seconds: float
    code: int


def on_a_terminal(command: list[str], environ: dict[str, str], *, width: int = 80, stdout: int | None = None) -> Screen:
    """A command on a terminal of that width, with *stdout* possibly elsewhere."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, width, 0, 0))
    began = time.monotonic()
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs if stdout is None else stdout, stderr=theirs, env=environ
    ) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the terminal's end
                break
            if not piece:
                break
            seen += piece
    os.close(ours)
    return Screen(seen.decode(), time.monotonic() - began, process.returncode)
