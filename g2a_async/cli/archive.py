"""`g2a archive`: run, verify, report, retry-failed."""

import shlex
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from g2a_async.cli import columns, exits, options
from g2a_async.cli.sizes import parse_rate
from g2a_async.cli.times import TIME_HELP, check_range, parse_time
from g2a_async.cli.work import with_client
from g2a_async.errors import ConfigError

if TYPE_CHECKING:
    from g2a_async.archive import RecordingArchive
    from g2a_async.client import G2AClient

archive = options.group("Recordings that you keep: run, verify, report, retry-failed.")

_PARTS: Final = "mp4,events,thumbnail"

Destination = Annotated[
    str, typer.Argument(metavar="DEST", help="A folder, or s3://bucket/prefix, gs://..., az://..., file:///...")
]
ManifestPath = Annotated[
    Path | None,
    typer.Option(
        "--manifest",
        metavar="FILE",
        help="Where it is noted what is done, on a disk of this machine. Default: in DEST, if that is a folder.",
    ),
]
Jobs = Annotated[int, typer.Option(min=1, metavar="N", help="Recordings at a time.")]
Rate = Annotated[
    float | None,
    typer.Option(
        parser=parse_rate,
        metavar="BYTES",
        help="The most bytes a second, together: 500k, 10M, 1.5Mi. Default: no limit.",
    ),
]


@options.command(
    archive,
    "run",
    example="g2a archive run recordings --since 30d --account-key 200000000000051203",
    csv=columns.ARCHIVED,
    none_is_help=True,
)
def run_archive(
    destination: Destination,
    *,
    since: Annotated[
        datetime, typer.Option(parser=parse_time, metavar="TIME", help=f"Recordings from when: {TIME_HELP}.")
    ],
    until: options.Until = None,
    account_key: options.AccountKey = None,
    user_key: options.UserKey = None,
    company_id: options.CompanyId = None,
    session_type: options.OfKind = None,
    archived: options.Archived = False,
    parts: Annotated[str, typer.Option(metavar="PARTS", help="Which files of a recording.")] = _PARTS,
    jobs: Jobs = 4,
    limit_rate: Rate = None,
    template: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="How files are called, in UTC and without extension; may have {account_key}, {user_key} and "
            "{company_id}, too. Default: {started:%Y/%m/%d}/{recording_id}.",
        ),
    ] = None,
    manifest: ManifestPath = None,
    transcode: Annotated[
        bool,
        typer.Option("--transcode", help="Ask for what is not ready, and wait until it is, for up to six idle hours."),
    ] = False,
    mark_archived: Annotated[
        bool,
        typer.Option("--mark-archived", help="Mark recordings as archived, once their MP4 was read back and is right."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be fetched, and its size; write nothing.")
    ] = False,
    output: options.Output = None,
) -> None:
    """Fetch the recordings that are not in the archive yet.

    Needs --since and one of --account-key, --user-key and --company-id. May be run again at any time, also by several
    at once: what is there is not fetched again, and what was cut off goes on. The first Ctrl-C finishes the files in
    hand, the second ends at once. Exits with 5 if a file failed, with 1 if DEST is full or cannot be written.

    A line for each file that is fetched, skipped or failed; ndjson has one for each event. A table leaves out what is
    skipped, which the summary on stderr counts.
    """
    check_range(since, until)
    if not (account_key or user_key or company_id):
        exits.refuse("one of --account-key, --user-key and --company-id is needed")
    wanted = [one.strip() for one in parts.split(",") if one.strip()]
    if mark_archived and "mp4" not in wanted:
        exits.refuse("--mark-archived needs mp4 among --parts: only what was fetched is marked")
    chosen = {"parts": wanted, "jobs": jobs, "limit_rate": limit_rate, "manifest": manifest}
    if template is not None:
        chosen["template"] = template

    async def work(archive: "RecordingArchive") -> int:
        from g2a_async.cli.follow import Following  # noqa: PLC0415  the SDK, once a command runs

        idle = f"Looking for recordings{', until all are ready' if transcode and not dry_run else ''}"
        events = archive.run(
            since=since,
            until=until,
            account_key=account_key,
            user_key=user_key,
            company_id=company_id,
            session_type=None if session_type is None else [*options.Kind].index(session_type),
            archived=archived,
            transcode=transcode,
            mark_archived=mark_archived,
            dry_run=dry_run,
        )
        told = Following(output=output, again=_again(destination, manifest), dry_run=dry_run, idle=idle)
        return await told.to_the_end(archive, events)

    _with_archive(work, destination, chosen)


@options.command(
    archive, "verify", example="g2a archive verify recordings --deep", csv=columns.TROUBLE, none_is_help=True
)
def verify_archive(
    destination: Destination,
    *,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every file, and compare its hash. Default: only its size.")
    ] = False,
    manifest: ManifestPath = None,
    jobs: Jobs = 4,
    output: options.Output = None,
) -> None:
    """Look whether what was fetched is still there, and whole.

    Needs no credentials. What is missing or damaged is noted, so that retry-failed or the next run fetches it again.

    A table counts the files by state, and has those that are failed, missing or damaged; ndjson and csv have only
    these, and json all of it. Exits with 5 if there are such.
    """

    async def work(archive: "RecordingArchive") -> int:
        from g2a_async.cli.progress import while_waiting  # noqa: PLC0415  as above
        from g2a_async.cli.trouble import show_report  # noqa: PLC0415

        report = await while_waiting("Looking at every file", archive.verify(deep=deep))
        return show_report(report, output, _again(destination, manifest))

    _with_archive(work, destination, {"manifest": manifest, "jobs": jobs}, needs_login=False)


@options.command(archive, "report", example="g2a archive report recordings", csv=columns.TROUBLE, none_is_help=True)
def report_archive(destination: Destination, *, manifest: ManifestPath = None, output: options.Output = None) -> None:
    """Tell what the archive holds, as was noted of it.

    Needs no credentials, and looks at no file: `verify` does.

    A table counts the files by state, and has those that are failed, missing or damaged; ndjson and csv have only
    these, and json all of it. Exits with 5 if there are such.
    """

    async def work(archive: "RecordingArchive") -> int:
        from g2a_async.cli.trouble import show_report  # noqa: PLC0415  as above

        return show_report(await archive.report(), output, _again(destination, manifest))

    _with_archive(work, destination, {"manifest": manifest}, needs_login=False)


@options.command(
    archive, "retry-failed", example="g2a archive retry-failed recordings", csv=columns.ARCHIVED, none_is_help=True
)
def retry_archive(
    destination: Destination,
    *,
    manifest: ManifestPath = None,
    jobs: Jobs = 4,
    limit_rate: Rate = None,
    output: options.Output = None,
) -> None:
    """Fetch what failed, is missing or damaged, or was cut off.

    As runs and `verify` noted it, and also what was not ready; no list is asked for. What a run with --mark-archived
    noted is marked, too, once it is whole. The first Ctrl-C finishes the files in hand, the second ends at once. Exits
    with 5 if a file failed again.
    """

    async def work(archive: "RecordingArchive") -> int:
        from g2a_async.cli.follow import Following  # noqa: PLC0415  as above

        told = Following(output=output, again=_again(destination, manifest))
        return await told.to_the_end(archive, archive.retry_failed())

    _with_archive(work, destination, {"manifest": manifest, "jobs": jobs, "limit_rate": limit_rate})


def _with_archive(
    work: "Callable[[RecordingArchive], Coroutine[Any, Any, int]]",
    destination: str,
    chosen: dict[str, Any],
    *,
    needs_login: bool = True,
) -> None:
    """Do *work*, and exit with what it gives."""
    from g2a_async.client import G2AClient  # noqa: PLC0415  as above

    try:
        from g2a_async.archive import RecordingArchive  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(str(error)) from None

    async def with_it(client: "G2AClient") -> int:
        return await work(RecordingArchive(client, destination, **chosen))

    code = with_client(with_it, None if needs_login else G2AClient())
    if code:
        raise typer.Exit(code)


def _again(destination: str, manifest: Path | None) -> str:
    """The command that fetches what failed."""
    return shlex.join(
        ["g2a", "archive", "retry-failed", destination, *(["--manifest", str(manifest)] if manifest else [])]
    )
