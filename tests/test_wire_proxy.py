"""Each fault of the network between client and server, at each call."""

import asyncio

import pytest
from tools.calls import QUICK, REPEATABLE, Call, client_for, each
from tools.peer import Peer, reply
from tools.proxy import Fault, Proxy

from g2a_async import ConnectError, OutcomeUnknownError, RetryPolicy

PATIENT = RetryPolicy(attempts=200, base=0.001, cap=0.002)
FAULTS: dict[str, Fault] = {
    "reset at once": Fault(at="accept"),
    "closed at once": Fault(at="accept", act="fin"),
    "stalled at once": Fault(at="accept", act="stall"),
    "reset in the request": Fault(at="request", after=30),
    "closed in the request": Fault(at="request", after=30, act="fin"),
    "stalled in the request": Fault(at="request", after=30, act="stall"),
    "reset after the request": Fault(at="answer"),
    "closed after the request": Fault(at="answer", act="fin"),
    "stalled after the request": Fault(at="answer", act="stall"),
    "reset in the head": Fault(at="answer", after=15),
    "closed in the head": Fault(at="answer", after=15, act="fin"),
    "stalled in the head": Fault(at="answer", after=15, act="stall"),
}
REACHED = {name for name in FAULTS if "after" in name or "head" in name}
"""The faults that strike when the server has done its work."""


@pytest.mark.parametrize("name", FAULTS)
@each()
async def test_each_fault_at_each_call(call: Call, name: str) -> None:
    """A fault ends in the right result where the call may be repeated, and in the right error where not."""
    fault = FAULTS[name]
    async with (
        Peer(call.answer) as peer,
        Proxy(peer.port, [fault] * (1 if call.repeatable else PATIENT.attempts)) as proxy,
        client_for(proxy.origin, retry=PATIENT, attempt_timeout=0.05 if fault.act == "stall" else None) as client,
    ):
        if call.repeatable:
            assert await call.run(client, proxy.origin) == call.value
            # Where an attempt has so little time, a busy machine may need more, or not get as far as the server.
            assert fault.act == "stall" or len(peer.repeats) == (2 if name in REACHED else 1)
        else:
            with pytest.raises(OutcomeUnknownError):
                await call.run(client, proxy.origin)
            most = 1 if name in REACHED else 0
            assert len(peer.requests) in ({0, most} if fault.act == "stall" else {most})


@pytest.mark.parametrize("act", ["fin", "rst"])
@pytest.mark.parametrize("back", [1, 2, 20])
@each(REPEATABLE)
async def test_a_cut_body_is_never_taken_for_the_whole(call: Call, back: int, act: str) -> None:
    """However few bytes of an answer are missing, it is asked for again."""
    async with Peer(call.answer) as probe, client_for(probe) as client:
        await call.run(client, probe.origin)
        whole = len(call.answer(probe.requests[0]).wire())
    fault = Fault(at="answer", after=whole - back, act="fin" if act == "fin" else "rst")
    async with (
        Peer(call.answer) as peer,
        Proxy(peer.port, [fault]) as proxy,
        client_for(proxy.origin, retry=QUICK) as client,
    ):
        assert await call.run(client, proxy.origin) == call.value
    assert len(peer.repeats) == 2


@each()
async def test_a_slow_network_changes_nothing(call: Call) -> None:
    """An answer that comes late and byte by byte is the same answer, asked for once."""
    async with (
        Peer(call.answer) as peer,
        Proxy(peer.port, [Fault(delay=0.01, drip=1)]) as proxy,
        client_for(proxy.origin) as client,
    ):
        assert await call.run(client, proxy.origin) == call.value
    assert len(peer.repeats) == 1


@each()
async def test_a_server_that_comes_up_late(call: Call) -> None:
    """Refused connections prove that nothing was sent, so every call goes on until the server is there."""
    async with (
        Peer(call.answer) as peer,
        Proxy(peer.port, refuse=True) as proxy,
        client_for(proxy.origin, retry=PATIENT) as client,
    ):
        task = asyncio.ensure_future(call.run(client, proxy.origin))
        done, _ = await asyncio.wait({task}, timeout=0.01)
        assert done == set()
        await proxy.listen()
        assert await task == call.value
    assert len(peer.repeats) == 1


@each()
async def test_a_server_that_stays_away(call: Call) -> None:
    """Refused to the end is a ConnectError, and the server behind has heard nothing."""
    async with (
        Peer(call.answer) as peer,
        Proxy(peer.port, refuse=True) as proxy,
        client_for(proxy.origin, retry=QUICK) as client,
    ):
        with pytest.raises(ConnectError):
            await call.run(client, proxy.origin)
    assert peer.connections == 0


async def test_many_calls_through_a_bad_network() -> None:
    """Of many calls at once over failing connections, each gives its own answer."""
    faults = [list(FAULTS.values())[number % 12] if number % 3 else Fault() for number in range(60)]
    faults = [fault for fault in faults if fault.act != "stall"]
    async with (
        Peer(lambda seen: reply({"sessionId": seen.path.rpartition("/")[2], "status": "active"})) as peer,
        Proxy(peer.port, faults) as proxy,
        client_for(proxy.origin, retry=PATIENT) as client,
    ):
        sessions = await asyncio.gather(*(client.sessions.get(str(number)) for number in range(100)))
    assert [session.session_id for session in sessions] == [str(number) for number in range(100)]
