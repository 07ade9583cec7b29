"""The emulator's recordings, up to where they can be downloaded."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from emulator_asking import Asker, asking

from g2a_async.emulator import EmulatorClock

NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)
HUGE = 9_999_982_253_621_659_654


async def available(ask: Asker, **query: Any) -> dict[str, list[int]]:
    """Ask which recordings the account has."""
    reply = await ask("GET", "/archive/recordings", **{"accountKey": ask.emulator.state.account_key, **query})
    assert reply.status == 200
    found: dict[str, list[int]] = reply.json()
    return found


async def test_recordings_are_in_two_lists_in_order_of_start() -> None:
    """What is ready and what waits are apart, and an ID beyond 63 bits is exact."""
    async with asking() as ask:
        state = ask.emulator.state
        state.add_recording(recording_id=HUGE, started_at=NOON + timedelta(minutes=1))
        state.add_recording(recording_id=2, started_at=NOON)
        state.add_recording(recording_id=3, started_at=NOON, ready=False)

        assert await available(ask) == {"readyForTranscode": [3], "readyForDownload": [2, HUGE]}


async def test_each_list_ends_at_five_hundred() -> None:
    """The rest is only found in a narrower range."""
    async with asking() as ask:
        for number in range(1, 1003):
            start = NOON + timedelta(seconds=number // 2)
            ask.emulator.state.add_recording(recording_id=number, started_at=start, ready=number % 2 == 0)
        found = await available(ask)
        rest = await available(ask, fromTime="2024-05-06T12:08:20Z")

        assert [len(each) for each in found.values()] == [500, 500]
        assert found["readyForDownload"][-1] == 1000
        assert rest == {"readyForTranscode": [1001], "readyForDownload": [1000, 1002]}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [1, 2, 3]),
        ({"accountKey": 42}, [5]),
        ({"userKey": "u-2"}, [2]),
        ({"companyId": 9}, [3]),
        ({"sessionType": 0}, [1, 2]),
        ({"sessionType": 1}, [3]),
        ({"archived": 0}, [1, 2, 3]),
        ({"archived": 1}, [4]),
        ({"fromTime": "2024-05-05T12:00:00Z"}, [2, 3]),
        ({"fromTime": "2024-05-05T12:00:00.000001Z"}, [3]),
        ({"toTime": "2024-05-05T12:00:00+00:00"}, [1, 2]),
        ({"timePeriod": 1}, [2, 3]),
        ({"timePeriod": 2, "toTime": "2024-05-05T11:00:00Z"}, [1]),
    ],
)
async def test_each_filter_takes_its_part(query: dict[str, Any], expected: list[int]) -> None:
    """Both ends of a range are inclusive, and filters hold together."""
    async with asking(clock=EmulatorClock(NOON, frozen=True)) as ask:
        state, day = ask.emulator.state, timedelta(days=1)
        state.add_recording(recording_id=1, started_at=NOON - 2 * day)
        state.add_recording(recording_id=2, started_at=NOON - day, user_key="u-2")
        state.add_recording(recording_id=3, started_at=NOON - timedelta(hours=1), company_id=9)
        state.add_recording(recording_id=4, started_at=NOON, archived=True)
        state.add_recording(recording_id=5, started_at=NOON, account_key=42)

        assert (await available(ask, **query))["readyForDownload"] == expected


@pytest.mark.parametrize("query", [{"accountKey": 1}, {"userKey": "nobody"}, {"companyId": 1}])
async def test_a_key_that_the_user_cannot_reach_is_forbidden(query: dict[str, Any]) -> None:
    """An invalid key is a 403."""
    async with asking() as ask:
        assert (await ask("GET", "/archive/recordings", **query)).status == 403


async def test_urls_leave_out_what_is_not_ready() -> None:
    """The answer has the documented types, and says nothing of the others."""
    async with asking() as ask:
        state = ask.emulator.state
        state.add_recording(recording_id=HUGE, started_at=NOON)
        state.add_recording(recording_id=2, ready=False)
        [files] = (await ask("GET", "/archive/recordings/urls", recordingIds=[2, HUGE, HUGE])).json()["recordings"]

        assert files.keys() == {
            "recordingId",
            "recordingUrl",
            "recordingStartTime",
            "eventsUrl",
            "thumbnailUrl",
            "recordingSize",
        }
        assert (files["recordingId"], files["recordingStartTime"]) == (HUGE, "2024-05-06T12:00:00Z")
        assert files["recordingSize"] == str(len((await ask("GET", files["recordingUrl"])).body))


async def test_a_recording_may_lack_files_and_tell_another_size() -> None:
    """What a test leaves untold is not told, and the size is the one that the test declares."""
    async with asking() as ask:
        recording = ask.emulator.state.add_recording(recording_id=1)
        recording.untold, recording.declared = {"eventsUrl", "recordingStartTime"}, 5
        [files] = (await ask("GET", "/archive/recordings/urls", recordingIds=1)).json()["recordings"]

        assert files.keys() == {"recordingId", "recordingUrl", "thumbnailUrl", "recordingSize"}
        assert files["recordingSize"] == "5"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/archive/recordings/urls?recordingIds=1&recordingIds=2"),
        ("POST", "/archive/recordings/transcode/1,2"),
        ("PUT", "/archive/recordings/archived/1,2"),
    ],
)
async def test_one_unknown_id_fails_the_batch(method: str, path: str) -> None:
    """A 403, and the known one is as it was."""
    async with asking() as ask:
        recording = ask.emulator.state.add_recording(recording_id=1, ready=False)

        assert (await ask(method, path)).status == 403
        assert (recording.archived, recording.ready_at) == (False, None)


async def test_at_most_five_hundred_ids_at_once() -> None:
    """500 are answered; 501 are a 400, in the query and in the path."""
    async with asking() as ask:
        for number in range(1, 502):
            ask.emulator.state.add_recording(recording_id=number)
        ids = list(range(1, 502))
        most = await ask("GET", "/archive/recordings/urls?" + "&".join(f"recordingIds={each}" for each in ids[:500]))
        ask.emulator.state.max_url_bytes = 1 << 16
        more = await ask("GET", "/archive/recordings/urls", recordingIds=ids)
        path = await ask("PUT", f"/archive/recordings/archived/{','.join(map(str, ids))}")

        # 500 IDs of three digits already make a URL of more than 8 KiB.
        assert [most.status, more.status, path.status] == [414, 400, 400]
        assert len((await ask("GET", "/archive/recordings/urls", recordingIds=ids[:500])).json()["recordings"]) == 500


async def test_a_long_request_line_meets_the_reverse_proxy() -> None:
    """Past 8 KiB the answer is a 414 in HTML, and a byte less is none of its business."""
    async with asking() as ask:
        ask.emulator.state.add_company()
        spare = 8192 - len("GET /G2A/rest/v1/companies?q= HTTP/1.1")
        fits, long = [await ask("GET", f"/companies?q={'x' * length}") for length in (spare, spare + 1)]

        assert (fits.status, long.status, long.headers["Content-Type"]) == (404, 414, "text/html")


async def test_transcoding_takes_its_time() -> None:
    """Asked for, a recording leaves the first list at once and is in the second after its seconds."""
    async with asking(clock=EmulatorClock(NOON, frozen=True)) as ask:
        ask.emulator.state.add_recording(recording_id=1, ready=False)
        ask.emulator.state.add_recording(recording_id=2)
        reply = await ask("POST", "/archive/recordings/transcode/1,2")
        before = await available(ask)
        ask.emulator.clock.advance(1)

        assert (reply.status, reply.body) == (204, b"")
        assert before == {"readyForTranscode": [], "readyForDownload": [2]}
        assert await available(ask) == {"readyForTranscode": [], "readyForDownload": [1, 2]}


async def test_archived_recordings_are_listed_apart() -> None:
    """Marking is idempotent, and the recording moves to the other answer."""
    async with asking() as ask:
        ask.emulator.state.add_recording(recording_id=1)
        replies = [await ask("PUT", "/archive/recordings/archived/1") for _ in range(2)]

        assert [each.status for each in replies] == [204, 204]
        assert (await available(ask))["readyForDownload"] == []
        assert (await available(ask, archived=1))["readyForDownload"] == [1]


async def test_the_name_of_the_ids_can_be_another() -> None:
    """The table's name is a guess, so a service may have its own, and then knows only that."""
    async with asking() as ask:
        ask.emulator.state.add_recording(recording_id=1)
        ask.emulator.state.aliases["recordingIds"] = "id"

        assert (await ask("GET", "/archive/recordings/urls", id=[1, 1])).status == 200
        assert (await ask("GET", "/archive/recordings/urls", recordingIds=1)).status == 400


async def test_a_recording_of_a_session_takes_what_the_session_has() -> None:
    """Start, account, expert and chat are the session's, which links to its recording."""
    async with asking() as ask:
        state = ask.emulator.state
        session = state.add_session(session_id=1, account_key=42, expert_user_key="u-9", transcript=[("Ada", "Hi")])
        recording = state.add_recording(session=session)

        assert (recording.started_at, recording.account_key) == (session.started_at, 42)
        assert (recording.user_key, recording.events) == ("u-9", session.transcript)
        assert (await ask("GET", "/sessions/1")).json()["sessionRecordingUrl"].endswith(str(recording.recording_id))


async def test_made_up_ids_are_never_taken_ones() -> None:
    """An ID that a test chose is skipped when the next one is made up; accounts have names of their own."""
    async with asking() as ask:
        state = ask.emulator.state
        first = state.add_recording().recording_id
        state.add_recording(recording_id=first + 1)
        key = state.add_account("Harbor IT")

        assert state.add_recording().recording_id == first + 2
        assert state.accounts == {state.account_key: "Northwind Help", key: "Harbor IT"}
