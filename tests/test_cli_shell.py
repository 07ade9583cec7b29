"""`g2a` among other programs: pipes, signals, terminals, completion, and how fast its help is there."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from tools.cli import Command, on_a_terminal

from g2a_async.cli.app import app
from g2a_async.cli.demo import demo_folder
from g2a_async.cli.exits import MEANINGS
from g2a_async.emulator import Emulator

pytest_plugins = ("tools.fixtures",)

G2A = [sys.executable, "-W", "error", "-m", "g2a_async"]


def test_a_head_ends_the_walk(g2a_emulator: Emulator, environ: dict[str, str]) -> None:
    """`| head` is silent, has its lines at once, and the rest of the companies is not asked for."""
    for number in range(2_000):
        g2a_emulator.state.add_company(f"Company {number}")
    command = f"{' '.join(G2A)} companies list | head -n 2; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr == ""
    first, second, code = done.stdout.splitlines()
    assert [json.loads(line)["companyName"] for line in (first, second)] == ["Company 0", "Company 1"]
    assert code == "0"
    assert len(g2a_emulator.journal) < 12


def test_an_interrupt_ends_a_watch(g2a_emulator: Emulator, environ: dict[str, str]) -> None:
    """The first Ctrl-C ends it with 130 and nothing to say; what was written is a whole document."""
    g2a_emulator.state.add_session(status="active")
    command = [*G2A, "sessions", "watch", "--interval", "0.05", "-o", "json"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        assert watch.stderr is not None
        first = watch.stdout.readline() + watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        rest, said = watch.stdout.read(), watch.stderr.read()
    assert (watch.returncode, said) == (130, "")
    assert [change["session"]["status"] for change in json.loads(first + rest)] == ["active"]


def test_a_terminal_has_a_table_and_a_file_has_lines(
    g2a_emulator: Emulator, environ: dict[str, str], tmp_path: Path
) -> None:
    """On a terminal: a table in colours, or none with NO_COLOR. Into a file: lines, and a bar on stderr meanwhile."""
    session = g2a_emulator.state.add_session(status="active")
    command = [*G2A, "sessions", "list"]
    shown = on_a_terminal(command, environ)
    assert "SESSION ID" in shown.seen
    assert "\x1b[32mactive" in shown.seen
    plain = on_a_terminal(command, environ | {"NO_COLOR": "1"})
    assert "\x1b[3" not in re.sub(r"\x1b\[\?\d+[hl]|\x1b\[2K|\x1b\[1A", "", plain.seen)
    with (tmp_path / "out").open("w") as file:
        bar = on_a_terminal(command, environ, stdout=file.fileno())
    assert (shown.code, plain.code, bar.code) == (0, 0, 0)
    assert "Asking for sessions" in bar.seen
    assert str(session.session_id) not in bar.seen
    assert (tmp_path / "out").read_text().startswith('{"sessionId": ')


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command, with the words that call it."""
    for name, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from commands(one, (*path, name))
        else:
            yield (*path, name), one


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_needs_no_manual(words: tuple[str, ...]) -> None:
    """Each command has an example that calls it, and each of its options and arguments says what it is."""
    one = COMMANDS[words]
    assert f"Example: g2a {' '.join(words[:2])}" in one.epilog or f"| g2a {' '.join(words)}" in one.epilog
    assert len(one.help.partition(".")[0]) <= 60
    assert [each.name for each in one.params if not each.help and each.name != "help"] == []


def test_help_is_there_at_once() -> None:
    """It names the exit codes and all commands, and loads neither the SDK nor an event loop nor rich."""
    heavy = {"aiohttp", "asyncio", "attr", "msgspec", "cattrs", "rich", "logging", "keyring"}
    code = (
        "import sys\nfrom g2a_async.cli import main\nsys.argv = ['g2a', '--help']\n"
        f"try:\n    main()\nexcept SystemExit:\n    print(sorted({heavy!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert done.stderr == "[]\n"
    assert MEANINGS in " ".join(done.stdout.split())
    assert all(f"\n  {words[0]} " in done.stdout for words in COMMANDS)
    assert "..." not in done.stdout.partition("Commands:")[2]
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("typed", "expected"), [("g2a rec", "recordings"), ("g2a sessions list --status ab", "abandoned")]
)
def test_a_shell_completes(monkeypatch: pytest.MonkeyPatch, g2a: Command, typed: str, expected: str) -> None:
    """Commands and the values of options, as the shell asks for them."""
    monkeypatch.setenv("_G2A_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(typed.count(" ")))
    assert g2a()[1].split() == [expected]


def test_a_demo_leaves_nothing_that_nobody_asked_for(tmp_path: Path) -> None:
    """Without a folder its recordings go with it; a folder that was named stays."""
    with demo_folder(None) as passing:
        assert Path(passing).is_dir()
    assert not Path(passing).exists()
    with demo_folder(str(tmp_path)) as kept:
        assert kept == str(tmp_path)
    assert tmp_path.exists()


def test_a_closed_stdout_is_no_traceback() -> None:
    """Where there is no stdout at all, a command fails or does its work, in words."""
    command = [sys.executable, "-c", "from g2a_async.cli import main; main()", "sessions", "list", "--since", "2h"]
    done = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *command], check=False, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
