"""`g2a recordings`: list, urls, transcode."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from g2a_async.cli import columns, exits, options
from g2a_async.cli.inputs import ids
from g2a_async.cli.times import check_range
from g2a_async.cli.work import with_client

if TYPE_CHECKING:
    from g2a_async.client import G2AClient

recordings = options.group("Recordings: list, urls, transcode.")

_MONTH: Final = timedelta(days=30)
_BATCH: Final = 50

Names = Annotated[
    list[str],
    typer.Argument(metavar="ID", help="Recording IDs; - for stdin: one a line, or lines of ndjson."),
]


class State(StrEnum):
    """What can be done with a recording, as the service names it."""

    DOWNLOAD = "readyForDownload"
    TRANSCODE = "readyForTranscode"


@options.command(
    recordings, "list", example="g2a recordings list --company-id 2400037 --since 7d", csv=columns.AVAILABLE
)
def list_recordings(
    *,
    account_key: options.AccountKey = None,
    user_key: options.UserKey = None,
    company_id: options.CompanyId = None,
    since: options.SinceLong = None,
    until: options.Until = None,
    kind: options.OfKind = None,
    archived: options.Archived = False,
    state: Annotated[
        State | None, options.choice(State, metavar="STATE", help=f"{' or '.join(State)}. Default: both.")
    ] = None,
    limit: options.Limit = None,
    output: options.Output = None,
) -> None:
    """List the recordings that began in a range of time.

    Their IDs, and whether they can be downloaded or must be transcoded first. Needs one of --account-key, --user-
    key and --company-id (an account's key is in `g2a sessions list`). More than 500 are found by halving the range.
    """
    from g2a_async.cli.output import Output  # noqa: PLC0415  the SDK and its records, once a command runs
    from g2a_async.cli.progress import while_waiting  # noqa: PLC0415
    from g2a_async.cli.views import AVAILABLE  # noqa: PLC0415

    start = since or datetime.now(UTC) - _MONTH
    check_range(start, until)
    if not (account_key or user_key or company_id):
        exits.refuse("one of --account-key, --user-key and --company-id is needed")

    async def work(client: "G2AClient") -> bool:
        asking = client.recordings.all_available(
            from_time=start,
            to_time=until,
            account_key=account_key,
            user_key=user_key,
            company_id=company_id,
            session_type=None if kind is None else [*options.Kind].index(kind),
            archived=archived,
        )
        found = await while_waiting("Asking for recordings", asking)
        lists = {State.DOWNLOAD: found.ready_for_download, State.TRANSCODE: found.ready_for_transcode}
        rows = [
            {"recordingId": one, "state": name.value}
            for name, some in lists.items()
            for one in some
            if state in {None, name}
        ]
        with Output(AVAILABLE, output) as shown:
            await shown.put(rows[:limit])
        return found.truncated

    if with_client(work):
        exits.complain("a single second holds more recordings than the service lists: some are left out")
        raise typer.Exit(exits.PARTLY)


@options.command(
    recordings,
    "urls",
    example="g2a recordings list --user-key 7305528640017736193 --state readyForDownload | g2a recordings urls -",
    csv=columns.FILES,
)
def recording_urls(recording_id: Names, *, output: options.Output = None) -> None:
    """Show where the files of recordings are.

    The addresses are secrets: whoever has one can download, for at least 48 hours. Recordings that are not ready or
    refused are named on stderr, and the exit code is 5.
    """
    from g2a_async.cli.output import Output  # noqa: PLC0415
    from g2a_async.cli.progress import progress  # noqa: PLC0415
    from g2a_async.cli.views import FILES  # noqa: PLC0415

    wanted = ids(recording_id, "recordingId")

    async def work(client: "G2AClient") -> tuple[tuple[int, ...], tuple[int, ...]]:
        urls = client.recordings.urls(wanted)
        batch = []
        with progress("Asking for addresses") as bar, Output(FILES, output) as shown:
            async for files in urls:
                batch.append(files)
                bar.move(total=len(wanted))
                if len(batch) == _BATCH:
                    bar.stop()
                    await shown.put(batch)
                    batch = []
            bar.stop()
            await shown.put(batch)
        return urls.missing, urls.rejected

    missing, rejected = with_client(work)
    for some, words in (missing, "not ready: try `g2a recordings transcode`"), (rejected, "refused by the service"):
        for one in some:
            exits.complain(f"{one} is {words}")
    if missing or rejected:
        raise typer.Exit(exits.PARTLY)


@options.command(recordings, "transcode", example="g2a recordings transcode 9999982253621659654")
def transcode_recordings(recording_id: Names) -> None:
    """Ask for recordings to be made downloadable.

    That takes a while: `g2a recordings list` shows when they are. When the service refuses some, they are named on
    stderr, the rest is asked for, and the exit code is 5.
    """
    from g2a_async.errors import ForbiddenError  # noqa: PLC0415

    wanted = dict.fromkeys(ids(recording_id, "recordingId"))

    async def work(client: "G2AClient") -> tuple[int, ...]:
        try:
            await client.recordings.transcode(wanted)
        except ForbiddenError as error:
            if not 0 < len(error.rejected) < len(wanted):
                raise
            return error.rejected
        return ()

    rejected = with_client(work)
    for one in rejected:
        exits.complain(f"{one} is refused by the service")
    typer.echo(f"Asked for {len(wanted) - len(rejected)} recordings to be transcoded.", err=True)
    if rejected:
        raise typer.Exit(exits.PARTLY)
