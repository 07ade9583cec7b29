"""The emulator's help desk."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from emulator_asking import asking

from g2a_async.emulator import Emulator, EmulatorClock

START = datetime(2024, 5, 6, 12, tzinfo=UTC)


def furnished(seed: int = 7) -> Emulator:
    """A help desk at a known time."""
    return Emulator(seed=seed, clock=EmulatorClock(START, frozen=True))


@pytest.mark.parametrize("seed", [0, 7, 2024])
def test_the_help_desk_has_what_was_promised(seed: int) -> None:
    """The numbers of things are the same for every seed."""
    state = furnished(seed).state

    assert (len(state.accounts), len(state.companies), len(state.sessions)) == (2, 120, 2000)
    assert (len(state.recordings), len(state.system_links), len(state.tickets)) == (1300, 2, 180)
    assert len({each.company_name for each in state.companies.values()}) == 120
    assert len({each.session_id for each in state.sessions.values()}) == 2000


def test_the_help_desk_can_be_believed() -> None:
    """Times are in order and of thirty days; some work is going on, and each status occurs."""
    state = furnished().state
    statuses = Counter(each.status for each in state.sessions.values())

    assert statuses.keys() == {"waiting", "active", "complete", "abandoned", "notStarted"}
    assert (statuses["waiting"], statuses["active"]) == (3, 5)
    for session in state.sessions.values():
        times = [session.begun_at, session.customer_joined_at, session.ended_at]
        given = [each for each in times if each is not None]
        assert given == sorted(given)
        assert START - timedelta(days=30) <= given[0]
        assert given[-1] <= START
        assert (session.ended_at is not None) == (session.status in {"complete", "abandoned"})


def test_the_help_desk_has_the_hard_cases() -> None:
    """More ready recordings than one list holds, IDs beyond 63 bits, pages of machines, and companies without any."""
    state = furnished().state
    ready = Counter(
        each.account_key for each in state.recordings.values() if state.is_ready(each) and not each.archived
    )
    machines = Counter(each.company_id for each in state.machines.values())

    assert ready[state.account_key] > 500
    assert 9_999_982_253_621_659_654 in state.recordings
    assert max(machines.values()) > 100
    assert state.companies.keys() - machines.keys()
    assert all(each.company_id is None or each.company_id in state.companies for each in state.recordings.values())


async def test_the_same_seed_gives_the_same_bytes() -> None:
    """At the same time on the clock, that is; another seed gives others."""

    async def everything(seed: int) -> bytes:
        async with asking(seed=seed, clock=EmulatorClock(START, frozen=True)) as ask:
            query: dict[str, Any] = {"accountKey": ask.emulator.state.account_key}
            replies = [
                await ask("GET", "/sessions", sessionType="SCREEN_SHARING"),
                await ask("GET", "/companies"),
                await ask("GET", "/archive/recordings", **query),
                await ask.partner("GET", userToken=ask.emulator.user_token),
            ]
            text = b"\n".join(each.body for each in replies)
            return text.replace(ask.emulator.files_url.encode(), b"")

    first, again, other = [await everything(each) for each in (1, 1, 2)]

    assert first == again
    assert first != other


async def test_all_sessions_come_in_one_answer() -> None:
    """The list has all 2,000, in order of start."""
    async with asking(seed=1) as ask:
        answer = json.loads((await ask("GET", "/sessions", sessionType="SCREEN_SHARING")).body)
        times = [each["startedAt"] for each in answer["sessions"] if "startedAt" in each]

        assert answer["totalNumSessions"] == len(answer["sessions"]) == 2000
        assert times == sorted(times)


def test_the_links_of_the_help_desk_belong_to_its_experts() -> None:
    """The users who registered the partner system are experts who hosted sessions."""
    state = furnished().state

    assert {each.user_email for each in state.system_links} <= {each.expert_email for each in state.sessions.values()}
