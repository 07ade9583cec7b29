"""What goes wrong on purpose, and how often."""

import asyncio
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientError, ClientPayloadError
from emulator_asking import asking

from g2a_async.emulator import Emulator, EmulatorClock
from g2a_async.emulator.rate import RetryAfter
from g2a_async.endpoints import GET_SESSION, LIST_COMPANIES, START_SESSION

START: dict[str, Any] = {"sessionType": "SCREEN_SHARING"}


async def test_a_status_is_answered_so_many_times() -> None:
    """Then the truth comes back; another call never met the fault."""
    async with asking() as ask:
        ask.emulator.state.add_company()
        fault = ask.emulator.faults.add("GET /companies", status=503, times=2, headers={"Retry-After": "7"})
        other = await ask("GET", "/sessions", **START)
        replies = [await ask("GET", "/companies") for _ in range(3)]

        assert [each.status for each in (other, *replies)] == [200, 503, 503, 200]
        assert (replies[0].headers["Retry-After"], replies[0].json()["errorCode"]) == ("7", "Emulated")
        assert fault.hits == 2


@pytest.mark.parametrize(
    ("body", "sent"), [(b"\x00", b"\x00"), ("nein", b"nein"), ({"msg": "no"}, b'{"msg": "no"}'), ("", b"")]
)
async def test_a_body_is_sent_as_it_is(body: Any, sent: bytes) -> None:
    """Bytes and text as they are, anything else as JSON."""
    async with asking() as ask:
        ask.emulator.faults.add(LIST_COMPANIES, status=418, body=body)

        assert (await ask("GET", "/companies")).body == sent


async def test_a_success_can_be_made_up() -> None:
    """A status below 400 has no error in its body."""
    async with asking() as ask:
        ask.emulator.faults.add(LIST_COMPANIES, status=204)
        reply = await ask("GET", "/companies")

        assert (reply.status, reply.body) == (204, b"")


async def test_a_reset_is_a_reset() -> None:
    """The peer sees RST, not the end of a stream."""
    async with asking() as ask:
        ask.emulator.faults.add("*", "reset")
        address = urlsplit(ask.emulator.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_a_reset_answers_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The connection breaks, and the call was not processed unless asked for."""
    async with asking() as ask:
        for after in (False, True):
            ask.emulator.faults.add(START_SESSION, "reset", after=after)
            with pytest.raises((ClientError, ConnectionError)):
                await ask("POST", "/sessions", body=START)
            assert len(ask.emulator.state.sessions) == int(after)

        assert [(each.status, each.fault) for each in ask.emulator.journal] == [(None, "reset")] * 2
        assert not caplog.records


@pytest.mark.parametrize("keep", [None, 0, 5])
async def test_a_truncated_answer_is_cut(keep: int | None, caplog: pytest.LogCaptureFixture) -> None:
    """The headers promise more than comes, and the server thinks nothing of it."""
    async with asking() as ask:
        ask.emulator.state.add_company()
        ask.emulator.faults.add(LIST_COMPANIES, "truncate", keep=keep)

        with pytest.raises(ClientPayloadError):
            await ask("GET", "/companies")
        assert not caplog.records


async def test_a_download_can_be_cut() -> None:
    """Faults are for downloads too."""
    async with asking() as ask:
        ask.emulator.state.add_recording(recording_id=1)
        [files] = (await ask("GET", "/archive/recordings/urls", recordingIds=1)).json()["recordings"]
        ask.emulator.faults.add("GET /files", "truncate", keep=100)

        with pytest.raises(ClientPayloadError):
            await ask("GET", files["recordingUrl"])


@pytest.mark.parametrize("kind", ["slow", "stall"])
async def test_a_slow_answer_is_whole_in_the_end(kind: Any) -> None:
    """It comes after its seconds, and is the truth."""
    async with asking() as ask:
        ask.emulator.state.add_company()
        ask.emulator.faults.add(LIST_COMPANIES, kind, seconds=0.03)
        begun = asyncio.get_running_loop().time()
        reply = await ask("GET", "/companies")

        assert asyncio.get_running_loop().time() - begun >= 0.03
        assert reply.json()["totalNumCompanies"] == 1


@pytest.mark.parametrize("kind", ["slow", "stall"])
async def test_a_client_that_gives_up_is_no_error(kind: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever leaves before the answer leaves no trace in the log, and the next one is served."""
    async with asking() as ask:
        ask.emulator.state.add_company()
        ask.emulator.faults.add(LIST_COMPANIES, kind, seconds=0.03)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await ask("GET", "/companies")
        await asyncio.sleep(0.04)

        assert (await ask("GET", "/companies")).status == 200
        assert not caplog.records


@pytest.mark.parametrize(("after", "begun"), [(False, 0), (True, 1)])
async def test_a_slow_call_is_processed_before_or_after(*, after: bool, begun: int) -> None:
    """One who gives up early leaves a session behind only if it was processed first."""
    async with asking() as ask:
        ask.emulator.faults.add(START_SESSION, "slow", seconds=5, after=after)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.03):
                await ask("POST", "/sessions", body=START)

        assert len(ask.emulator.state.sessions) == begun


@pytest.mark.parametrize(
    ("kind", "status", "content_type", "begin"),
    [
        ("html", 502, "text/html", b"<html>"),
        ("garbage", 200, "application/json;charset=UTF-8", b'{"sessions'),
        ("empty", 200, "application/json;charset=UTF-8", b""),
    ],
)
async def test_a_body_can_be_what_nobody_expects(kind: Any, status: int, content_type: str, begin: bytes) -> None:
    """A proxy's page, broken JSON, and nothing."""
    async with asking() as ask:
        ask.emulator.faults.add("*", kind)
        reply = await ask("GET", "/companies")

        assert (reply.status, reply.headers["Content-Type"]) == (status, content_type)
        assert reply.body.startswith(begin)
        assert kind != "empty" or not reply.body


async def test_faults_come_in_the_order_in_which_they_were_set() -> None:
    """The first that fits is met; one for ever stays until all are cleared."""
    async with asking() as ask:
        ask.emulator.state.add_company()
        ask.emulator.faults.add("GET /companies", status=500)
        ask.emulator.faults.add("*", "html", times=None, status=504)
        statuses = [(await ask("GET", "/companies")).status for _ in range(4)]
        ask.emulator.faults.clear()

        assert statuses == [500, 504, 504, 504]
        assert (await ask("GET", "/companies")).status == 200


def test_a_fault_on_nothing_is_said_at_once() -> None:
    """A call or a kind that is not there raises ValueError."""
    emulator = Emulator()
    with pytest.raises(ValueError, match="no such call: 'GET /sessions/1'"):
        emulator.faults.add("GET /sessions/1")
    with pytest.raises(ValueError, match="no such fault: 'explode'"):
        emulator.faults.add(GET_SESSION, "explode")  # type: ignore[arg-type] # that is what is tested


async def test_a_rate_is_a_window_of_one_second() -> None:
    """Three pass in any second, what is refused does not count, and other tokens have a window of their own."""
    async with asking(requests_per_second=3, clock=EmulatorClock(frozen=True)) as ask:
        ask.emulator.state.add_company()
        other = ask.emulator.state.oauth.issue(ask.emulator.clock.now())
        seen = []
        for seconds in (0.0, 0.5, 0.0, 0.0, 0.4, 0.125, 0.0, 0.5):
            ask.emulator.clock.advance(seconds)
            seen.append((await ask("GET", "/companies")).status)

        assert seen == [200, 200, 200, 429, 429, 200, 429, 200]
        assert (await ask("GET", "/companies", authorization=f"Bearer {other}")).status == 200
        assert ask.emulator.rate_limit.refused == 3


async def test_a_rate_below_one_is_a_longer_window() -> None:
    """Half a request a second is one every two seconds."""
    async with asking(requests_per_second=0.5, clock=EmulatorClock(frozen=True)) as ask:
        ask.emulator.state.add_company()
        seen = []
        for seconds in (0, 1.5, 0.5):
            ask.emulator.clock.advance(seconds)
            seen.append((await ask("GET", "/companies")).status)

        assert seen == [200, 429, 200]


@pytest.mark.parametrize(("form", "expected"), [("seconds", "1"), ("none", None), ("junk", "soon"), ("date", "date")])
async def test_a_429_tells_when_to_come_back(form: RetryAfter, expected: str | None) -> None:
    """In the form that was chosen; a date is never too early."""
    async with asking(requests_per_second=1, clock=EmulatorClock(frozen=True)) as ask:
        ask.emulator.rate_limit.retry_after = form
        await ask("GET", "/companies")
        reply = await ask("GET", "/companies")
        told = reply.headers.get("Retry-After")

        assert reply.status == 429
        if expected == "date":
            assert parsedate_to_datetime(told or "") - ask.emulator.clock.now() >= timedelta(seconds=1)
        else:
            assert told == expected
