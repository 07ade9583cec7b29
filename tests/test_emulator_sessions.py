"""The emulator's sessions."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from emulator_asking import Asker, asking

from g2a_async.emulator import EmulatorClock, Lifecycle, Line

START: dict[str, Any] = {"sessionType": "SCREEN_SHARING"}
NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)


async def start(ask: Asker, **body: Any) -> str:
    """Start a session, and give its token."""
    reply = await ask("POST", "/sessions", body=START | body)
    assert reply.status == 200
    token = reply.json()["startScreenSharing"]["sessionToken"]
    assert isinstance(token, str)
    return token


async def status(ask: Asker, token: str) -> str:
    """Ask for a session's status."""
    found = (await ask("GET", f"/sessions/{token}")).json()["status"]
    assert isinstance(found, str)
    return found


async def test_a_started_session_has_a_launch_url_whose_token_is_the_session_token() -> None:
    """The answer holds both, and the URL opens a page."""
    async with asking() as ask:
        answer = (await ask("POST", "/sessions", body=START)).json()["startScreenSharing"]
        page = await ask("GET", answer["launchUrl"])

        assert answer["launchUrl"].endswith(f"/launch.html?token={answer['sessionToken']}")
        assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


@pytest.mark.parametrize(("place", "inner", "outer"), [("outer", False, True), ("url", False, False)])
async def test_the_session_token_can_be_elsewhere(place: str, *, inner: bool, outer: bool) -> None:
    """The place that nothing public tells is a switch."""
    async with asking() as ask:
        ask.emulator.state.shapes.session_token = place
        answer = (await ask("POST", "/sessions", body=START)).json()

        assert ("sessionToken" in answer["startScreenSharing"], "sessionToken" in answer) == (inner, outer)


async def test_a_session_goes_on_by_the_clock() -> None:
    """Waiting, active and complete come at their seconds, with their times."""
    async with asking(clock=EmulatorClock(NOON, frozen=True)) as ask:
        token = await start(ask)
        seen = []
        for _ in range(4):
            seen.append(await status(ask, token))
            ask.emulator.clock.advance(1)
        session = (await ask("GET", f"/sessions/{token}")).json()

        assert seen == ["waiting", "waiting", "active", "complete"]
        assert session["startedAt"] == "2024-05-06T12:00:00Z"
        assert session["customerJoinedAt"] == "2024-05-06T12:00:01Z"
        assert session["endedAt"] == "2024-05-06T12:00:02Z"


async def test_a_session_that_nobody_joins_is_abandoned() -> None:
    """Without a second for `active`, the end is another one."""
    async with asking(clock=EmulatorClock(NOON, frozen=True)) as ask:
        ask.emulator.state.lifecycle = Lifecycle(active=None)
        token = await start(ask)
        ask.emulator.clock.advance(3)

        assert await status(ask, token) == "abandoned"
        assert "customerJoinedAt" not in (await ask("GET", f"/sessions/{token}")).json()


async def test_a_status_that_was_set_by_hand_stays() -> None:
    """`set_status` stops the lifecycle, and any word can be a status."""
    async with asking(clock=EmulatorClock(NOON, frozen=True)) as ask:
        token = await start(ask)
        ask.emulator.state.set_status(ask.emulator.state.sessions[token], "onHold")
        ask.emulator.clock.advance(60)

        assert await status(ask, token) == "onHold"
        ask.emulator.state.set_status(ask.emulator.state.sessions[token], "notStarted")
        assert await status(ask, token) == "notStarted"


async def test_nobody_finds_a_session_before_it_is_launched() -> None:
    """Without `autostart` there is no ID, neither in the list nor by token, until `launch`."""
    async with asking() as ask:
        state = ask.emulator.state
        state.autostart = False
        token = await start(ask)
        before = (await ask("GET", f"/sessions/{token}")).status, (await ask("GET", "/sessions", **START)).json()
        state.launch(state.sessions[token])
        session = (await ask("GET", f"/sessions/{token}")).json()

        assert before == (404, {"totalNumSessions": 0, "sessions": []})
        assert (await ask("GET", f"/sessions/{session['sessionId']}")).json() == session


async def test_a_session_has_the_documented_types() -> None:
    """The ID is a string in one call and a number in the other; what does not apply is left out."""
    async with asking() as ask:
        state = ask.emulator.state
        state.add_session(session_id=77, partner_object="4711", customer_name="Ada", status="waiting")
        one = (await ask("GET", "/sessions/77")).json()
        [listed] = (await ask("GET", "/sessions", **START)).json()["sessions"]

        assert (one["sessionId"], listed["sessionId"]) == ("77", 77)
        assert (one["partnerObject"], one["accountKey"], one["sessionType"]) == (
            4711,
            state.account_key,
            "screen_sharing",
        )
        assert isinstance(listed["sessionStartToken"], int)
        assert not {"endedAt", "notes", "accountName", "unattendedMachineUuid"} & one.keys()


@pytest.mark.parametrize("partner_object", ["007", "INC-12", "\uff11\uff12"])
async def test_a_partner_object_that_a_number_would_change_stays_text(partner_object: str) -> None:
    """Leading zeros, letters and foreign digits are kept."""
    async with asking() as ask:
        token = await start(ask, partnerObject=partner_object)

        assert (await ask("GET", f"/sessions/{token}")).json()["partnerObject"] == partner_object


async def test_an_unattended_session_names_its_machine_and_account() -> None:
    """With `machineUuid` the answer has what only unattended sessions have."""
    async with asking() as ask:
        state = ask.emulator.state
        machine = state.add_machine(state.add_company(), "SRV-1")
        session = (await ask("GET", f"/sessions/{await start(ask, machineUuid=machine.machine_uuid)}")).json()

        assert session["unattendedMachineName"] == "SRV-1"
        assert session["unattendedMachineUuid"] == machine.machine_uuid
        assert session["accountName"] == "Northwind Help"


async def test_no_session_starts_on_a_machine_that_is_not_there() -> None:
    """An unknown or removed machine is a 404, and nothing begins."""
    async with asking() as ask:
        state = ask.emulator.state
        gone = state.add_machine(state.add_company(), machine_status="REMOVED")
        for uuid in (gone.machine_uuid, "no-such-machine"):
            assert (await ask("POST", "/sessions", body=START | {"machineUuid": uuid})).status == 404

        assert not state.sessions


async def test_the_range_holds_both_its_ends() -> None:
    """Sessions are those that started from `fromTime` to `toTime`, in order of start."""
    async with asking() as ask:
        for minute in (3, 1, 2, 0):
            ask.emulator.state.add_session(session_id=minute + 1, started_at=NOON + timedelta(minutes=minute))
        reply = await ask(
            "GET", "/sessions", **START, fromTime="2024-05-06T12:01:00Z", toTime="2024-05-06T14:02:00+0200"
        )

        assert reply.json()["totalNumSessions"] == 2
        assert [each["sessionId"] for each in reply.json()["sessions"]] == [2, 3]


async def test_ended_sessions_are_forgotten_after_the_retention() -> None:
    """What ended too long ago is gone from both calls; what goes on is not."""
    async with asking() as ask:
        state = ask.emulator.state
        state.retention = timedelta(days=30)
        old = ask.emulator.clock.now() - timedelta(days=31)
        state.add_session(session_id=1, started_at=old)
        state.add_session(session_id=2, started_at=old, status="active")

        assert (await ask("GET", "/sessions/1")).status == 404
        assert [each["sessionId"] for each in (await ask("GET", "/sessions", **START)).json()["sessions"]] == [2]


async def test_the_browser_is_sent_to_the_launch_page() -> None:
    """`GET /session` needs no credentials, answers 302, and a session has begun."""
    async with asking() as ask:
        query: dict[str, Any] = {"layout": "iFrame", "partnerObject": "9"}
        reply = await ask("GET", "/session", authorization=None, **START, **query)
        token = reply.headers["Location"].rpartition("=")[2]

        assert reply.status == 302
        assert reply.headers["Location"].startswith(ask.emulator.files_url)
        assert (await ask("GET", f"/sessions/{token}")).json()["partnerObject"] == 9


async def test_the_transcript_is_in_its_envelope() -> None:
    """A chat has its session, its times and its lines; a session without one is a 404."""
    async with asking() as ask:
        lines: list[Line | tuple[str, str]] = [Line(time=NOON, name="Robin", text="Hello"), ("Ada", "Hi")]
        ask.emulator.state.add_session(session_id=5, started_at=NOON, transcript=lines)
        ask.emulator.state.add_session(session_id=6)

        assert (await ask("GET", "/sessions/6/events")).status == 404
        assert (await ask("GET", "/sessions/5/events")).json() == {
            "sessionId": "5",
            "startTime": "2024-05-06T12:00:00Z",
            "endTime": "2024-05-06T12:09:00Z",
            "events": [
                {"timeStamp": "2024-05-06T12:00:00Z", "content": "Hello", "participantName": "Robin"},
                {"timeStamp": "2024-05-06T12:00:00Z", "content": "Hi", "participantName": "Ada"},
            ],
        }


async def test_a_session_can_go() -> None:
    """A removed session is found by neither name."""
    async with asking() as ask:
        session = ask.emulator.state.add_session(session_id=8)
        ask.emulator.state.remove_session(session)

        assert (await ask("GET", "/sessions/8")).status == 404
        assert (await ask("GET", f"/sessions/{session.session_token}")).status == 404


async def test_two_sessions_cannot_have_one_id() -> None:
    """A mistake in a test's data is said at once."""
    async with asking() as ask:
        ask.emulator.state.add_session(session_id=8)
        with pytest.raises(ValueError, match="there is a session 8 already"):
            ask.emulator.state.add_session(session_id=8)


async def test_a_session_that_is_launched_twice_keeps_its_id() -> None:
    """The second launch begins its lifecycle anew, under the same name."""
    async with asking(clock=EmulatorClock(NOON, frozen=True)) as ask:
        session = ask.emulator.state.sessions[await start(ask)]
        name = session.session_id
        ask.emulator.clock.advance(60)
        ask.emulator.state.launch(session)

        assert (session.session_id, session.begun_at) == (name, NOON + timedelta(seconds=60))


async def test_times_can_have_another_form() -> None:
    """Offset and fraction are switches, and a row's time may be in any zone."""
    async with asking() as ask:
        state = ask.emulator.state
        state.add_session(session_id=1, started_at=datetime(2024, 5, 6, 14, 0, 0, 123456, timezone(timedelta(hours=2))))
        state.shapes.offset, state.shapes.fraction = "+0000", 9

        assert (await ask("GET", "/sessions/1")).json()["startedAt"] == "2024-05-06T12:00:00.123456000+0000"
