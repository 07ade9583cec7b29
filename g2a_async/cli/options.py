"""What several commands share: their options, and how a command is made."""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from g2a_async.cli.columns import EXTRA
from g2a_async.cli.exits import guarded
from g2a_async.cli.times import TIME_HELP, parse_seconds, parse_time

E = TypeVar("E", bound=StrEnum)
F = TypeVar("F", bound=Callable[..., None])


class Format(StrEnum):
    """How stdout is written."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


class Status(StrEnum):
    """The known statuses of sessions, which `records` has too, for help that loads nothing."""

    WAITING = "waiting"
    ACTIVE = "active"
    COMPLETE = "complete"
    ABANDONED = "abandoned"
    NOT_STARTED = "notStarted"


class Kind(StrEnum):
    """The kinds of session that recordings are of."""

    ATTENDED = "attended"
    UNATTENDED = "unattended"


def choice(kind: type[E], *names: str, **settings: Any) -> Any:
    """An option whose values are those of *kind*, in any case. An unknown one is told which there are."""
    known = {one.value.lower(): one for one in kind}

    def parse(text: str) -> E:
        try:
            return known[text.strip().lower()]
        except KeyError:
            raise typer.BadParameter(f"{text!r} is none of {', '.join(kind)}") from None

    return typer.Option(*names, parser=parse, autocompletion=lambda: [one.value for one in kind], **settings)


Output = Annotated[
    Format | None,
    choice(
        Format,
        "--output",
        "-o",
        envvar="G2A_OUTPUT",
        metavar="FORMAT",
        help="table, json, ndjson or csv. Default: table on a terminal, ndjson in a pipe or file.",
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="The most records. Default: all.")]
ShowSecrets = Annotated[
    bool, typer.Option("--show-secrets", help="Show tokens and join addresses, which are *** otherwise.")
]
Since = Annotated[
    datetime | None,
    typer.Option(parser=parse_time, metavar="TIME", help=f"From when: {TIME_HELP}. Default: 24h."),
]
SinceLong = Annotated[
    datetime | None,
    typer.Option(parser=parse_time, metavar="TIME", help=f"From when: {TIME_HELP}. Default: 30d."),
]
Until = Annotated[
    datetime | None,
    typer.Option(parser=parse_time, metavar="TIME", help="Until when, written in the same way. Default: now."),
]
AccountKey = Annotated[str | None, typer.Option(metavar="KEY", help="Those of an account.")]
UserKey = Annotated[str | None, typer.Option(metavar="KEY", help="Those of a technician.")]
CompanyId = Annotated[str | None, typer.Option(metavar="ID", help="Those of a company's machines.")]
OfKind = Annotated[Kind | None, choice(Kind, metavar="KIND", help="Of attended or unattended sessions. Default: both.")]
Archived = Annotated[bool, typer.Option("--archived", help="Those marked as archived, instead of the others.")]
Interval = Annotated[
    float | None,
    typer.Option(parser=parse_seconds, metavar="SECONDS", help="Time between two looks, or 30s, 2m. Default: 5."),
]
Timeout = Annotated[
    float | None,
    typer.Option(parser=parse_seconds, metavar="SECONDS", help="The longest time, or 10m, 2h. Default: a day."),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help="Has the user's token for the partner system; - for stdin. Default: $G2A_USER_TOKEN, or asked for.",
    ),
]


def group(meaning: str) -> typer.Typer:
    """Commands of one noun."""
    return typer.Typer(help=meaning, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


def command(
    app: typer.Typer, name: str, *, example: str, csv: Sequence[str] = (), none_is_help: bool = False
) -> Callable[[F], F]:
    """Make a function a command of *app*, with an example in its help, and the columns of its csv."""
    columns = f"\n\nColumns of csv: {', '.join((*csv, EXTRA))}." if csv else ""

    def register(function: F) -> F:
        app.command(name, epilog=f"Example: {example}{columns}", no_args_is_help=none_is_help)(guarded(function))
        return function

    return register
