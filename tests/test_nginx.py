"""Against a real nginx: its limits, its error pages, and its way with connections."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tools.calls import BY_NAME, CALLS, QUICK, Call, client_for, each
from tools.nginx import Nginx
from tools.peer import Answer, Peer, Seen, drop, reply
from tools.proxy import Proxy

from g2a_async import OutcomeUnknownError, ServerError, StatusError

pytestmark = pytest.mark.system

IDS = [9_100_000_000_000_000_000 + number for number in range(1_200)]

Start = Callable[..., Nginx]


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Start]:
    """Start an nginx in front of a port; without the program, the test fails."""
    with ExitStack() as stack:
        yield lambda port, *directives: stack.enter_context(Nginx(tmp_path, port, *directives))


def files(seen: Seen) -> Answer:
    """Answer with a file for each recording that is asked for."""
    return reply(
        [
            {"recordingId": int(number), "recordingUrl": f"https://files.example/{number}.mp4"}
            for _, number in seen.query
        ]
    )


def wanted(peer: Peer) -> list[int]:
    """Collect the recordings that were asked for, in all requests that came through."""
    return [int(number) for seen in peer.requests for _, number in seen.query]


async def test_1200_recordings_within_the_default_limits(nginx: Start) -> None:
    """The URLs of 1,200 recordings come in as few requests as nginx's limits allow, and all of them come."""
    async with Peer(files) as peer:
        proxy = nginx(peer.port)
        async with client_for(proxy.origin) as client:
            urls = client.recordings.urls(IDS)
            found = await urls.collect()
    assert sorted(file.recording_id for file in found) == IDS
    assert (urls.missing, urls.rejected) == ((), ())
    assert sorted(wanted(peer)) == IDS
    assert all(len(seen.query) <= 500 for seen in peer.requests)
    assert all(len(proxy.origin + seen.target) <= 8_000 for seen in peer.requests)
    assert len(peer.requests) <= 6


async def test_short_ids_are_counted() -> None:
    """IDs that are short enough for more are still asked for by 500."""
    async with Peer(files) as peer, client_for(peer, recording_ids_param="i") as client:
        assert len(await client.recordings.urls(range(1_000, 2_200)).collect()) == 1_200
    assert sorted(len(seen.query) for seen in peer.requests) == [200, 500, 500]


async def test_a_smaller_limit_splits_again(nginx: Start) -> None:
    """Where nginx answers 414, the batch is split until it fits, and nothing is lost or asked for twice."""
    async with Peer(files) as peer:
        proxy = nginx(peer.port, "client_header_buffer_size 1k", "large_client_header_buffers 2 2k")
        async with client_for(proxy.origin) as client:
            found = await client.recordings.urls(IDS).collect()
    assert sorted(file.recording_id for file in found) == IDS
    assert sorted(wanted(peer)) == IDS
    assert all(len(seen.target) <= 2_048 for seen in peer.requests)


async def test_a_limit_that_nothing_fits() -> None:
    """A single recording that is too long for a server ends the call with the server's 414."""
    async with Peer(lambda _: Answer(status=414)) as peer, client_for(peer) as client:
        with pytest.raises(StatusError) as caught:
            await client.recordings.urls([1, 2, 3]).collect()
    assert caught.value.status == 414
    assert len(peer.requests) <= 6


PATHS: dict[str, Callable[[Any], Any]] = {
    "transcode": lambda client: client.recordings.transcode(IDS),
    "archived": lambda client: client.recordings.mark_archived(IDS),
}


@pytest.mark.parametrize("limits", [(), ("client_header_buffer_size 1k", "large_client_header_buffers 2 2k")])
@pytest.mark.parametrize("name", PATHS)
async def test_1200_ids_in_paths(nginx: Start, name: str, limits: tuple[str, ...]) -> None:
    """IDs in a path keep to the same limits, and each is sent once."""
    async with Peer(lambda _: Answer(status=204)) as peer, client_for(nginx(peer.port, *limits).origin) as client:
        await PATHS[name](client)
    batches = [[int(number) for number in seen.path.rpartition("/")[2].split(",")] for seen in peer.requests]
    assert sorted(number for batch in batches for number in batch) == IDS
    assert all(len(batch) <= 500 for batch in batches)
    assert all(len("http://127.0.0.1:65535" + seen.target) <= 8_000 for seen in peer.requests)


@each()
async def test_no_upstream(call: Call, nginx: Start) -> None:
    """Nginx's own page, in HTML, becomes a ServerError that keeps it."""
    async with Proxy(0, refuse=True) as nobody, client_for((proxy := nginx(nobody.port)).origin) as client:
        with pytest.raises(ServerError) as caught:
            await call.run(client, proxy.origin)
    assert caught.value.status == 502
    assert "<h1>502 Bad Gateway</h1>" in caught.value.body
    assert (caught.value.code, caught.value.headers.get("Server", "nginx")[:5]) == (None, "nginx")


async def test_a_slow_upstream(nginx: Start) -> None:
    """Nginx's 504 becomes a ServerError after repeats, and is not repeated for a call that creates."""
    async with (
        Peer(lambda _: drop("stall")) as peer,
        client_for(nginx(peer.port, "proxy_read_timeout 10ms").origin, retry=QUICK) as client,
    ):
        for name, attempts in (("sessions.get", 4), ("sessions.start", 1)):
            count = len(peer.requests)
            with pytest.raises(ServerError) as caught:
                await BY_NAME[name].run(client, peer.origin)
            assert (caught.value.status, caught.value.attempts) == (504, attempts)
            assert len(peer.requests) - count == attempts


async def test_every_call_passes_through(nginx: Start) -> None:
    """Each call means the same behind nginx, which takes its own view of paths and queries."""
    for call in CALLS:
        async with Peer(call.answer) as direct, client_for(direct, token="t") as client:
            await call.run(client, direct.origin)
        async with Peer(call.answer) as peer:
            proxy = nginx(peer.port)
            async with client_for(proxy.origin, token="t") as client:
                assert await call.run(client, proxy.origin) == call.value
        assert peer.last.target == direct.last.target
        assert peer.last.body == direct.last.body
        assert peer.last.all("Authorization") == direct.last.all("Authorization")


async def test_one_request_a_connection(nginx: Start) -> None:
    """An nginx that ends each connection after one answer does no harm, not even to calls that create."""
    start = BY_NAME["sessions.start"]
    async with Peer(start.answer) as peer:
        proxy = nginx(peer.port, "keepalive_requests 1")
        async with client_for(proxy.origin, retry=QUICK) as client:
            results = await asyncio.gather(*(start.run(client, proxy.origin) for _ in range(20)))
            results += [await start.run(client, proxy.origin) for _ in range(20)]
    assert results == [start.value] * 40
    assert len(peer.requests) == 40


@pytest.mark.parametrize("name", ["sessions.get", "sessions.start"])
async def test_connections_that_are_soon_dropped(nginx: Start, name: str) -> None:
    """An nginx that drops idle connections at any moment costs a repeat at most, and doubles nothing."""
    call = BY_NAME[name]
    done = unknown = 0
    async with Peer(call.answer) as peer:
        proxy = nginx(peer.port, "keepalive_timeout 2ms")
        async with client_for(proxy.origin, retry=QUICK) as client:
            for _ in range(20):
                await asyncio.sleep(0.002)
                try:
                    assert await call.run(client, proxy.origin) == call.value
                    done += 1
                except OutcomeUnknownError:
                    unknown += 1
    assert done + unknown == 20
    assert done <= len(peer.requests) <= 20 if name == "sessions.start" else done == 20
