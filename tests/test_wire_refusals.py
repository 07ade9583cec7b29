"""What is never sent: what cannot be right, and what would lead elsewhere."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest
from tools.calls import FROM, SESSION, client_for
from tools.peer import BASE, Peer, reply

from g2a_async import G2AClient

Make = Callable[[G2AClient], Any]
NAIVE = datetime(2021, 4, 30, 6)  # noqa: DTZ001  the point of it


@pytest.mark.parametrize("session_id", ["", ".", "..", "../companies", "./x"])
async def test_an_odd_id_is_not_another_call(session_id: str) -> None:
    """An ID that is empty or made of dots is refused or encoded: it never turns into another call's path."""
    async with Peer(lambda _: reply(SESSION)) as peer, client_for(peer) as client:
        try:
            await client.sessions.get(session_id)
        except ValueError:
            assert peer.requests == []
        else:
            segment = peer.last.raw_path.removeprefix(BASE + "/sessions/")
            assert segment not in {"", ".", ".."}
            assert "/" not in segment


NO_IDS: dict[str, Make] = {
    "urls": lambda client: client.recordings.urls([]).collect(),
    "transcode": lambda client: client.recordings.transcode([]),
    "mark_archived": lambda client: client.recordings.mark_archived(iter(())),
}


@pytest.mark.parametrize("make", NO_IDS.values(), ids=NO_IDS)
async def test_no_ids_no_request(make: Make) -> None:
    """A batch call for no recordings sends nothing, and is done."""
    async with Peer(lambda _: reply({})) as peer, client_for(peer) as client:
        assert not await make(client)
    assert peer.requests == []


REFUSED: dict[str, Make] = {
    "naive from, sessions": lambda client: client.sessions.list(NAIVE).collect(),
    "naive to, sessions": lambda client: client.sessions.list(FROM, NAIVE).collect(),
    "naive from, available": lambda client: client.recordings.available(account_key=1, from_time=NAIVE),
    "naive to, available": lambda client: client.recordings.available(account_key=1, to_time=NAIVE),
    "naive from, all_available": lambda client: client.recordings.all_available(account_key=1, from_time=NAIVE),
    "naive to, all_available": lambda client: client.recordings.all_available(
        account_key=1, from_time=FROM, to_time=NAIVE
    ),
    "companies of 0": lambda client: client.companies.list(page_size=0).collect(),
    "companies of 51": lambda client: client.companies.list(page_size=51).collect(),
    "machines of 0": lambda client: client.companies.machines(1, page_size=0).collect(),
    "machines of 51": lambda client: client.companies.machines(1, page_size=51).collect(),
    "available without a key": lambda client: client.recordings.available(from_time=FROM),
    "all_available without a key": lambda client: client.recordings.all_available(from_time=FROM),
}


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
async def test_refuses_before_it_sends(make: Callable[[G2AClient], Awaitable[Any]]) -> None:
    """What cannot be right raises ValueError, and nothing is sent."""
    async with Peer(lambda _: reply({})) as peer, client_for(peer) as client:
        with pytest.raises(ValueError, match=r"."):
            await make(client)
    assert peer.requests == []


@pytest.mark.parametrize("path", ["http://{other}/x", "//{other}/x", "@{other}/x", "/../../x", "\\\\{other}/x"])
async def test_no_path_leads_elsewhere(path: str) -> None:
    """`request()` keeps to the API's address, and its token with it, whatever the path."""
    async with Peer(lambda _: reply({})) as other, Peer(lambda _: reply({})) as peer, client_for(peer) as client:
        try:
            await client.request("GET", path.format(other=f"127.0.0.1:{other.port}"))
        except ValueError:
            assert peer.requests == []
        else:
            assert peer.last.raw_path.startswith(BASE + "/")
    assert other.connections == 0
