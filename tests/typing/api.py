"""What type checkers make of the public API. Checked by mypy and pyright, never run."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from datetime import datetime
from typing import Any, assert_type

import g2a_async
from g2a_async import (
    Auth,
    AvailableRecordings,
    Clock,
    Company,
    DeadlineExceededError,
    ForbiddenError,
    G2AClient,
    G2AError,
    Machine,
    MachineStatus,
    Outcome,
    Page,
    Pager,
    Quota,
    RateLimitedError,
    RateLimiter,
    RecordingFiles,
    RecordingUrls,
    RetryPolicy,
    Session,
    SessionChange,
    SessionKind,
    SessionStatus,
    Settings,
    StartedSession,
    StaticToken,
    StatusError,
    SupportedCallbacks,
    SystemClock,
    SystemLink,
    Ticket,
    Transcript,
    TranscriptEvent,
)


async def sessions(client: G2AClient, start: datetime) -> None:
    """Sessions."""
    assert_type(await client.sessions.start(customer_name="Ann"), StartedSession)
    session = await client.sessions.get("4217")
    assert_type(session, Session)
    assert_type(session.status, SessionStatus)
    assert_type(session.status.is_known, bool)
    assert_type(session.started_at, datetime | None)
    assert_type(session.account_key, int | None)
    assert_type(session.collaborators, tuple[Any, ...])
    assert_type(session.extra, Mapping[str, Any])
    assert_type(session.to_dict(), dict[str, Any])
    _ = assert_type(client.sessions.list(start), Pager[Session])
    assert_type(client.sessions.get_many(["1"]), AsyncGenerator[Outcome[Session], None])
    assert_type(client.sessions.watch(["1"]), AsyncGenerator[SessionChange, None])
    async for change in client.sessions.watch():
        assert_type(change.session, Session)
        assert_type(change.previous, Session | None)
    async for outcome in client.sessions.get_many(iter(["1"]), concurrency=3):
        assert_type(outcome.value, Session | None)
        assert_type(outcome.error, G2AError | None)
        assert_type(outcome.key, str | int)
        assert_type(outcome.unwrap(), Session)
    assert_type(await client.sessions.wait("1", until={SessionStatus.ACTIVE, "later"}), Session)
    assert_type(client.sessions.browser_url(), str)
    assert_type(await client.sessions.browser_launch_url(layout="iFrame"), str)
    transcript = await client.sessions.transcript("1")
    assert_type(transcript, Transcript)
    assert_type(transcript.events, tuple[TranscriptEvent, ...])


async def pagers(client: G2AClient) -> None:
    """Lazy walks."""
    pager = client.companies.list("A", sort_field="companyId")
    _ = assert_type(pager, Pager[Company])
    _ = assert_type(pager.limit(3), Pager[Company])
    assert_type(pager.pages(), AsyncIterator[Page[Company]])
    assert_type(await pager.collect(), list[Company])
    assert_type(await pager.first(), Company | None)
    assert_type(await pager.total(), int | None)
    async for company in pager:
        assert_type(company, Company)
        assert_type(company.company_id, int)
    async for page in pager.pages():
        assert_type(page.items, tuple[Company, ...])
        assert_type(page.total, int | None)
    machines = [machine async for machine in client.companies.machines("9")]
    assert_type(machines, list[Machine])
    assert_type(machines[0].machine_status, MachineStatus | None)


async def recordings(client: G2AClient, start: datetime) -> None:
    """Recordings."""
    found = await client.recordings.available(account_key=1, session_type=SessionKind.ATTENDED)
    assert_type(found, AvailableRecordings)
    assert_type(found.ready_for_download, tuple[int, ...])
    assert_type(await client.recordings.all_available(from_time=start, company_id="9"), AvailableRecordings)
    urls = client.recordings.urls([1, "2", *found.ready_for_download])
    assert_type(urls, RecordingUrls)
    async for files in urls:
        assert_type(files, RecordingFiles)
        assert_type(files.recording_size, int | None)
        assert_type(await client.recordings.download(files, "x.mp4"), int)
    assert_type(urls.missing, tuple[int, ...])
    assert_type(await urls.collect(), list[RecordingFiles])
    await client.recordings.transcode({1, 2})
    await client.recordings.mark_archived(["1"])


async def partners(client: G2AClient) -> None:
    """Partner systems."""
    links = await client.system_links.list("desk.example")
    assert_type(links, tuple[SystemLink, ...])
    assert_type(links[0].supported_callbacks, SupportedCallbacks | None)
    tickets = client.tickets("https://desk.example", "user")
    _ = assert_type(tickets.search("disk"), Pager[Ticket])
    assert_type(await tickets.create(session_id="1", title="t", body="b"), Ticket | None)
    await tickets.associate(session_id="1", partner_object="2")


class MyClient(G2AClient):
    """A client of one's own."""


async def clients(mine: MyClient) -> None:
    """Clients, settings, and what they are made with."""
    async with G2AClient("token", settings=Settings(retry=RetryPolicy.none())) as client:
        assert_type(client, G2AClient)
        assert_type(await client.request("GET", "/x", query={"a": [1]}, json=None), Any)
    async with mine as entered:
        assert_type(entered, MyClient)
    assert_type(mine.with_settings(deadline=3), MyClient)
    assert_type(MyClient.from_env({"G2A_ACCESS_TOKEN": "x"}, deadline=3), MyClient)
    assert_type(g2a_async.__version__, str)
    auth: Auth = StaticToken("token")
    limiter: RateLimiter = Quota(9.0)
    clock: Clock = SystemClock()
    G2AClient(auth, limiter=limiter, clock=clock)


def errors(error: G2AError) -> None:
    """Errors."""
    match error:
        case RateLimitedError():
            assert_type(error.retry_after, float | None)
        case ForbiddenError():
            assert_type(error.rejected, tuple[int, ...])
        case StatusError():
            assert_type(error.status, int)
            assert_type(error.headers, Mapping[str, str])
        case DeadlineExceededError():
            assert_type(error.phase, str)
        case _:
            assert_type(error, G2AError)


def mistakes(client: G2AClient, session: Session, pager: Pager[Company]) -> None:
    """What must not pass: an ignore that is not needed is an error of its own."""
    session.notes = "new"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]  # frozen
    Settings(60)  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]  # by name only
    _ = client.companies.list(limit=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # no such parameter
    _ = pager.limit("3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # a number
