"""The command line: its commands, in the order in which its help shows them."""

import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from g2a_async.cli import columns, exits, options
from g2a_async.cli.archive import archive
from g2a_async.cli.companies import companies, machines
from g2a_async.cli.doctor import doctor
from g2a_async.cli.login import login, logout, whoami
from g2a_async.cli.partner import links, tickets
from g2a_async.cli.recordings import recordings
from g2a_async.cli.sessions import sessions
from g2a_async.version import __version__

_EPILOG = (
    f"{exits.MEANINGS}\n\n"
    "Data goes to stdout, all else to stderr. A table has local times and folds long texts, never IDs; json, ndjson "
    "and csv have UTC and everything that the service says, csv also what a spreadsheet takes for formulas.\n\n"
    "Credentials: G2A_ACCESS_TOKEN; or G2A_CLIENT_ID, G2A_CLIENT_SECRET and G2A_REFRESH_TOKEN; or a login (g2a login). "
    "G2A_BASE_URL names another service, G2A_OUTPUT another --output. HTTPS_PROXY, NO_PROXY and NO_COLOR count."
)

app = typer.Typer(
    name="g2a",
    help="GoToAssist Remote Support from the command line.",
    epilog=_EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _tell_version(asked: bool) -> None:  # noqa: FBT001  typer calls it so
    if asked:
        typer.echo(__version__)
        raise typer.Exit


def _log_all(asked: bool) -> None:  # noqa: FBT001  the same
    if asked:
        import logging  # noqa: PLC0415  help need not wait for it

        logging.basicConfig(format="%(asctime)s %(message)s")
        logging.getLogger("g2a_async").setLevel(logging.DEBUG)


@app.callback()
def g2a(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version, and end.")
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", callback=_log_all, help="Log every request to stderr, without secrets."),
    ] = False,
) -> None:
    """GoToAssist Remote Support from the command line."""


for noun, commands in {
    "sessions": sessions,
    "companies": companies,
    "machines": machines,
    "recordings": recordings,
    "archive": archive,
    "links": links,
    "tickets": tickets,
}.items():
    app.add_typer(commands, name=noun)

options.command(app, "login", example="g2a login --store file --client-id 0a1b2c")(login)
options.command(app, "logout", example="g2a logout --yes")(logout)
options.command(app, "whoami", example="g2a whoami")(whoami)
options.command(app, "doctor", example="g2a doctor", csv=columns.CHECK)(doctor)


@options.command(app, "demo", example="g2a demo --folder videos")
def demo(
    *,
    live: Annotated[
        bool, typer.Option("--live", help="The read-only part, against the real service that the G2A_* variables name.")
    ] = False,
    folder: Annotated[
        str | None, typer.Option(help="Where recordings are kept; without it they are removed in the end.")
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Another number, another help desk; its times count from now.")
    ] = 1,
) -> None:
    """See the SDK do its whole job, on this machine.

    It runs against an emulated service, over real sockets.
    """
    import asyncio  # noqa: PLC0415  help need not wait for these

    from rich.console import Console  # noqa: PLC0415

    from g2a_async.cli.demo import demo_folder, run_demo, run_live_demo  # noqa: PLC0415

    if folder is not None and not folder.strip():
        exits.refuse("--folder names no folder")
    console = Console(highlight=False, soft_wrap=True)
    with demo_folder(folder) as place:
        work = run_live_demo(console) if live else run_demo(console, Path(place), seed, kept=folder is not None)
        whole = asyncio.run(work)
    raise typer.Exit(exits.OK if whole else exits.FAILED)


@options.command(app, "emulator", example="g2a emulator --seed 1 --port 8080")
def emulator(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="The API's port; 0: a free one.")] = 0,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Furnish a help desk from this number; else it is empty.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(metavar="N", help="Requests per second, above which it answers 429; else no limit.")
    ] = None,
) -> None:
    """Run an emulated service on this machine, until Ctrl-C.

    It is for programs in any language, listens on 127.0.0.1, and shows its addresses and tokens.
    """
    import asyncio  # noqa: PLC0415  as above

    from g2a_async.emulator import Emulator  # noqa: PLC0415
    from g2a_async.emulator.__main__ import serve  # noqa: PLC0415

    asyncio.run(serve(Emulator(seed=seed, port=port, requests_per_second=rate)))


def run() -> None:
    """Run `g2a`."""
    if sys.stdout is None:  # closed, as by `>&-`
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  for as long as the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # names go through terminals that know only ASCII
    app(prog_name="g2a")
