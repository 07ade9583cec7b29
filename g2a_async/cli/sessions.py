"""`g2a sessions`: list, get, start, watch, wait."""

import os
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from g2a_async.cli import columns, exits, options
from g2a_async.cli.inputs import ids, secret
from g2a_async.cli.times import check_range, parse_span
from g2a_async.cli.work import with_client

if TYPE_CHECKING:
    from g2a_async.client import G2AClient
    from g2a_async.paging import Page
    from g2a_async.records import Session

sessions = options.group("Support sessions: list, get, start, watch, wait.")

_KEYS: Final = ("sessionId", "sessionToken")
_DAY: Final = timedelta(days=1)
_STATUSES: Final = ", ".join(options.Status)

Names = Annotated[
    list[str],
    typer.Argument(metavar="ID", help="Session IDs or tokens; - for stdin: one a line, or lines of ndjson."),
]


@options.command(sessions, "list", example="g2a sessions list --since 2h --status active", csv=columns.SESSION)
def list_sessions(
    *,
    since: options.Since = None,
    until: options.Until = None,
    status: Annotated[
        list[options.Status] | None,
        options.choice(options.Status, metavar="STATUS", help=f"Only {_STATUSES}; may be repeated."),
    ] = None,
    window: Annotated[
        timedelta | None,
        typer.Option(parser=parse_span, metavar="SPAN", help="Ask in slices, such as 6h. Default: all at once."),
    ] = None,
    limit: options.Limit = None,
    show_secrets: options.ShowSecrets = False,
    output: options.Output = None,
) -> None:
    """List the sessions that started in a range of time.

    Of all accounts that you can reach. Costs one request, or one for each slice of --window.
    """
    from g2a_async.cli.output import Output  # noqa: PLC0415  the SDK and its records, once a command runs
    from g2a_async.cli.progress import show_all  # noqa: PLC0415
    from g2a_async.cli.views import SESSIONS  # noqa: PLC0415

    start = since or datetime.now(UTC) - _DAY
    check_range(start, until)

    async def work(client: "G2AClient") -> None:
        pages = client.sessions.list(start, until, window=window).pages()
        shown = Output(SESSIONS, output, secrets=show_secrets)
        await show_all(_chosen(pages, status, limit), shown, "Asking for sessions")

    with_client(work)


async def _chosen(
    pages: "AsyncIterator[Page[Session]]", statuses: Collection[str] | None, limit: int | None
) -> "AsyncGenerator[Page[Session]]":
    """The pages with only the sessions that are wanted, and not more of them than that."""
    from attrs import evolve  # noqa: PLC0415  as above

    left = sys.maxsize if limit is None else limit
    async for page in pages:
        items = tuple(one for one in page.items if not statuses or one.status in statuses)[:left]
        left -= len(items)
        yield evolve(page, items=items)
        if not left:
            return


@options.command(sessions, "get", example="g2a sessions get 3104118290 --output json", csv=columns.SESSION)
def get_sessions(
    session_id: Names, *, show_secrets: options.ShowSecrets = False, output: options.Output = None
) -> None:
    """Show sessions by ID or token.

    With one, json is an object; with more, a list. One that fails does not stop the rest.
    """
    from g2a_async.cli.output import Output  # noqa: PLC0415
    from g2a_async.cli.views import SESSIONS  # noqa: PLC0415

    names = ids(session_id, *_KEYS)
    shown = Output(SESSIONS, output, secrets=show_secrets, one=len(session_id) == 1 and len(names) == 1)
    errors: list[Exception] = []

    async def work(client: "G2AClient") -> None:
        with shown:
            async with aclosing(client.sessions.get_many(names)) as found:
                async for outcome in found:
                    if outcome.value is not None:
                        await shown.put([outcome.value])
                    elif outcome.error is not None:
                        exits.complain(outcome.error)
                        errors.append(outcome.error)

    with_client(work)
    if errors:
        raise typer.Exit(exits.PARTLY if shown.count else exits.exit_code(errors[0]))


@options.command(
    sessions,
    "start",
    example="g2a sessions start --customer-name 'Ada Example' --partner-object 4711",
    csv=columns.STARTED,
)
def start_session(
    *,
    customer_name: Annotated[str | None, typer.Option(metavar="NAME", help="The customer's name.")] = None,
    customer_email: Annotated[str | None, typer.Option(metavar="EMAIL", help="Their e-mail address.")] = None,
    partner_object: Annotated[str | None, typer.Option(metavar="ID", help="The ID of your ticket.")] = None,
    partner_object_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where that ticket can be read.")
    ] = None,
    machine_uuid: Annotated[
        str | None,
        typer.Option(metavar="UUID", help="An unattended session on this machine (g2a machines list)."),
    ] = None,
    callback_url_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Has the secret address that status changes are posted to; - for stdin. "
            "Default: $G2A_STATUS_CALLBACK_URL, or none.",
        ),
    ] = None,
    output: options.Output = None,
) -> None:
    """Start a session, and show its launch URL and token.

    The token takes the ID's place until the session runs on an endpoint and has one.
    """
    from g2a_async.cli.output import Output  # noqa: PLC0415
    from g2a_async.cli.views import STARTED  # noqa: PLC0415

    variable = "G2A_STATUS_CALLBACK_URL"
    wanted = callback_url_file is not None or os.environ.get(variable, "").strip()
    callback_url = secret(variable, "the callback URL", callback_url_file) if wanted else None

    async def work(client: "G2AClient") -> None:
        started = await client.sessions.start(
            customer_name=customer_name,
            customer_email=customer_email,
            partner_object=partner_object,
            partner_object_url=partner_object_url,
            status_callback_url=callback_url,
            machine_uuid=machine_uuid,
        )
        with Output(STARTED, output, one=True) as shown:
            await shown.put([started])

    with_client(work)


@options.command(sessions, "watch", example="g2a sessions watch --since 8h --timeout 30m", csv=columns.CHANGE)
def watch_sessions(
    session_id: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ID",
            help="Session IDs or tokens; - for stdin: one a line, or lines of ndjson. Default: all sessions.",
        ),
    ] = None,
    *,
    interval: options.Interval = None,
    since: options.Since = None,
    timeout: options.Timeout = None,
    show_secrets: options.ShowSecrets = False,
    output: options.Output = None,
) -> None:
    """Show what changes in sessions, as it is seen.

    Costs one request a look, however many are watched. What is there at first comes as new. Ends when the named
    sessions have ended, and without names after the timeout; Ctrl-C ends it before. Exits with 4 when the named
    ones have not ended in time. JSON has "session" and "previous", which is null for a new one.
    """
    from g2a_async.cli.output import Output  # noqa: PLC0415
    from g2a_async.cli.views import CHANGES  # noqa: PLC0415

    names = None if session_id is None else ids(session_id, *_KEYS)
    if sys.stderr.isatty():
        typer.echo(f"Watching {'all' if names is None else len(names)} sessions; Ctrl-C ends it.", err=True)

    async def work(client: "G2AClient") -> None:
        changes = client.sessions.watch(names, interval=interval or 5.0, since=since, timeout=timeout)
        with Output(CHANGES, output, secrets=show_secrets) as shown:
            async with aclosing(changes):
                async for change in changes:
                    await shown.put([change])

    with_client(work)


@options.command(
    sessions, "wait", example="g2a sessions wait 3104118290 --until active --timeout 10m", csv=columns.SESSION
)
def wait_for_session(
    session_id: Annotated[
        str, typer.Argument(metavar="ID", help="A session ID or token; - for stdin, also as `sessions start` gives it.")
    ],
    *,
    until: Annotated[
        list[options.Status] | None,
        options.choice(
            options.Status,
            metavar="STATUS",
            help=f"What to wait for: {_STATUSES}; may be repeated. Default: complete and abandoned.",
        ),
    ] = None,
    interval: options.Interval = None,
    timeout: options.Timeout = None,
    show_secrets: options.ShowSecrets = False,
    output: options.Output = None,
) -> None:
    """Wait until a session has a status, and show it.

    Exits with 4 if that is not in time, with 1 if it can no longer be.
    """
    from g2a_async.cli.output import Output  # noqa: PLC0415
    from g2a_async.cli.progress import while_waiting  # noqa: PLC0415
    from g2a_async.cli.views import SESSIONS  # noqa: PLC0415
    from g2a_async.errors import G2AError  # noqa: PLC0415
    from g2a_async.records import ENDED  # noqa: PLC0415

    names = ids([session_id], *_KEYS)
    if len(names) != 1:
        exits.refuse(f"wait takes one session, not {len(names)}: `g2a sessions watch` takes several")
    began = time.monotonic()

    async def work(client: "G2AClient") -> None:
        waiting = client.sessions.wait(names[0], until=until or ENDED, interval=interval or 5.0, timeout=timeout)
        session = await while_waiting("Waiting for the session", waiting)
        with Output(SESSIONS, output, secrets=show_secrets, one=True) as shown:
            await shown.put([session])

    try:
        with_client(work)
    except G2AError:
        raise
    except TimeoutError as error:
        in_time = time.monotonic() - began < (timeout or _DAY.total_seconds())
        exits.complain(error)
        raise typer.Exit(exits.FAILED if in_time else exits.TOO_LATE) from None
