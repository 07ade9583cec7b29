"""The commands, and what their failures exit with."""

import asyncio
import io
import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from g2a_async.cli.login import login, logout, whoami
from g2a_async.errors import (
    ConfigError,
    DeadlineExceededError,
    G2AError,
    RateLimitedError,
    ReauthorizationRequiredError,
    UnauthorizedError,
)
from g2a_async.version import __version__

app = typer.Typer(
    name="g2a",
    help="GoToAssist Remote Support from the command line.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

EXIT_CODES: Final[dict[type[Exception], int]] = {
    ConfigError: 3,
    UnauthorizedError: 3,
    ReauthorizationRequiredError: 3,
    RateLimitedError: 4,
    DeadlineExceededError: 4,
    G2AError: 1,
    OSError: 1,
}
"""0: done. 1: failed. 2: the command was called wrongly. 3: credentials. 4: quota or deadline. 130: interrupted."""

_INTERRUPTED: Final = 130


def _tell_version(asked: bool) -> None:  # noqa: FBT001  typer calls it so
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def g2a(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version, and end.")
    ] = False,
) -> None:
    """GoToAssist Remote Support from the command line."""


@app.command()
def demo(
    *,
    live: Annotated[
        bool, typer.Option("--live", help="The read-only part, against the real service that the G2A_* variables name.")
    ] = False,
    folder: Annotated[
        Path | None, typer.Option(help="Where recordings are saved; a new temporary folder unless given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another number, another help desk; its times count from now.")] = 1,
) -> None:
    """See the SDK do its whole job, against an emulated service on this machine."""
    from g2a_async.cli.demo import run_demo, run_live_demo  # noqa: PLC0415  the emulator, for this command alone

    console = Console(highlight=False, soft_wrap=True)
    whole = asyncio.run(run_live_demo(console) if live else run_demo(console, folder, seed))
    raise typer.Exit(0 if whole else 1)


for command in (login, logout, whoami):
    app.command()(command)


def run() -> None:
    """Run a command; its failure is one line, and its exit code says of what kind."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # names go through terminals that know only ASCII
    try:
        app(standalone_mode=True)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads on: nothing to say at exit
        sys.exit(0)
    except (G2AError, OSError) as error:
        typer.echo(f"g2a: {error}", err=True)
        sys.exit(next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind)))
