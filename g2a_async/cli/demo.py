"""`g2a demo`: what the SDK is for, done before your eyes, through its public names alone."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from g2a_async import G2AClient, RecordingFiles, Session, SessionStatus, Settings, Tickets
from g2a_async.cli.report import Report
from g2a_async.emulator import Emulator

_MONTH: Final = timedelta(days=30)
_SAVED: Final = 12
_LONGEST_WATCH: Final = 15.0
_LIFE: Final = (SessionStatus.WAITING, SessionStatus.ACTIVE, SessionStatus.COMPLETE)


def demo_folder(chosen: str | None) -> AbstractContextManager[str]:
    """Where recordings are saved, for `with`: the *chosen* folder, or one that is removed in the end."""
    return tempfile.TemporaryDirectory(prefix="g2a-demo-") if chosen is None else nullcontext(chosen)


async def run_demo(console: Console, folder: Path, seed: int, *, kept: bool) -> bool:
    """The whole job, against an emulated service in this process. Whether all of it worked.

    *kept*: what is saved in *folder* stays there.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with Emulator(seed=seed) as emulator:
        console.print(f"An emulated service on {emulator.url}, seed {seed}.")
        settings = Settings(base_url=emulator.url)
        async with G2AClient(emulator.access_token, settings=settings) as client:
            with Report(console) as report:
                files = await _read(client, report)
                await _start_and_watch(client, report)
                await _save(client, report, files, folder, kept=kept)
                await _tickets(client.tickets(emulator.callback_url, emulator.user_token), report)
        console.print(f"{len(emulator.journal)} requests in all.")
    return report.whole


async def run_live_demo(console: Console) -> bool:
    """What only reads, against the service that the variables name. Whether all of it worked."""
    async with G2AClient.from_env() as client:
        console.print(f"The service on {client.settings.base_url}, read only.")
        with Report(console) as report:
            await _read(client, report)
    return report.whole


async def _read(client: G2AClient, report: Report) -> list[RecordingFiles]:
    now = datetime.now(UTC)
    await _companies(client, report)
    sessions = await _sessions(client, report, now)
    accounts = sorted({session.account_key for session in sessions if session.account_key is not None})
    ready = await _recordings(client, report, accounts, now)
    return await _urls(client, report, ready)


async def _companies(client: G2AClient, report: Report) -> None:
    with report.step("Walking the companies") as (move, say):
        found, total = 0, None
        async for page in client.companies.list().pages():
            found, total = found + len(page.items), page.total
            move(len(page.items), total)
        say(f"{found} companies, page by page", whole=total in {found, None})


async def _sessions(client: G2AClient, report: Report, now: datetime) -> list[Session]:
    with report.step("Listing a month of sessions") as (move, say):
        found: list[Session] = []
        total = None
        async for page in client.sessions.list(now - _MONTH, now).pages():
            found += page.items
            total = page.total
            move(len(page.items), total)
        say(f"{len(found):,} sessions of the last 30 days, in one request", whole=total in {len(found), None})
    report.console.print(_by_expert(found))
    return found


def _by_expert(sessions: Sequence[Session]) -> Table:
    counts = Counter((session.expert_name or "nobody", session.status) for session in sessions)
    statuses = sorted({status for _, status in counts})
    table = Table("expert", *statuses, "all")
    for column in table.columns[1:]:
        column.justify = "right"
    for expert in sorted({expert for expert, _ in counts}):
        row = [counts[expert, status] for status in statuses]
        table.add_row(expert, *(f"{count:,}" for count in [*row, sum(row)]))
    totals = [sum(counts[one, status] for one, of in counts if of == status) for status in statuses]
    table.add_section()
    table.add_row("all", *(f"{count:,}" for count in [*totals, sum(totals)]))
    return table


async def _recordings(client: G2AClient, report: Report, accounts: Sequence[int], now: datetime) -> list[int]:
    with report.step("Finding recordings", len(accounts)) as (move, say):
        ready: list[int] = []
        waiting, truncated = 0, False
        for account in accounts:
            found = await client.recordings.all_available(account_key=account, from_time=now - _MONTH, to_time=now)
            ready += found.ready_for_download
            waiting += len(found.ready_for_transcode)
            truncated = truncated or found.truncated
            move()
        total = len(ready) + waiting
        line = f"{total:,} recordings, past the cap: {len(ready):,} to download, {waiting:,} to transcode"
        say(line, whole=not truncated and len(set(ready)) == len(ready))
    return ready


async def _urls(client: G2AClient, report: Report, ready: Sequence[int]) -> list[RecordingFiles]:
    with report.step("Asking where they are", len(ready)) as (move, say):
        urls = client.recordings.urls(ready)
        files: list[RecordingFiles] = []
        async for file in urls:
            files.append(file)
            move()
        whole = len(files) + len(urls.missing) == len(ready) and not urls.rejected
        say(f"{len(files):,} recordings resolved, in batches; {len(urls.missing)} not ready", whole=whole)
    return files


async def _start_and_watch(client: G2AClient, report: Report) -> None:
    with report.step("Starting a session", len(_LIFE)) as (move, say):
        started = await client.sessions.start(customer_name="Ada Example", partner_object="4711")
        session = await client.sessions.get(started.session_token or "")
        seen: list[SessionStatus] = []
        async for change in client.sessions.watch([session.session_id], interval=0.3, timeout=_LONGEST_WATCH):
            if change.session.status not in seen:
                seen.append(change.session.status)
                move()
        say(f"session {session.session_id} went {', '.join(seen)}", whole=tuple(seen) == _LIFE)


async def _save(
    client: G2AClient, report: Report, files: Sequence[RecordingFiles], folder: Path, *, kept: bool
) -> None:
    where = f"in {folder}" if kept else "then removed: --folder keeps them"
    with report.step(f"Saving {_SAVED} recordings", _SAVED) as (move, say):
        right = 0
        for file in files[:_SAVED]:
            path = folder / f"{file.recording_id}.mp4"
            right += await client.recordings.download(file, path) == file.recording_size
            move()
        say(f"{right} recordings saved and checked, {where}", whole=right == _SAVED)


async def _tickets(tickets: Tickets, report: Report) -> None:
    with report.step("Searching tickets") as (_, say):
        title = f"Printer on floor 3, {datetime.now(UTC):%H:%M:%S}"
        before = await tickets.search("printer").collect()
        made = await tickets.create(session_id="4711", title=title, body="It says PC LOAD LETTER.")
        after = await tickets.search(title).collect()
        whole = made is not None and made.id in {ticket.id for ticket in after}
        say(f"{len(before)} tickets about a printer; made one more and found it again", whole=whole)
