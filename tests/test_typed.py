"""The fast way and the tolerant one give the same, whatever comes, and the fast one learns."""

import copy
import json
import pickle
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from g2a_async import Company, DecodeError, Machine, RecordingFiles, Session, codec
from g2a_async.codec import read, read_list, structure, total_of
from g2a_async.endpoints import LIST_COMPANIES, LIST_MACHINES, LIST_SESSIONS, RECORDING_URLS, Endpoint
from g2a_async.records import Record
from g2a_async.typed import MISSES, Typed

TIMES = st.sampled_from(
    [
        "2021-04-30T06:00:00Z",
        "2021-04-30T06:00:00+0000",
        "2021-04-30T06:00:00.1Z",
        "2021-04-30T06:00:00.123456789Z",
        "2021-04-30T08:00:00+02:00",
        "2021-04-30T06:00:00",
        "2021-04-30T06+01:00",
        "2021-04-30",
        "",
        "yesterday",
        "0001-01-01T00:00:00+05:00",
        1619762400,
        1619762400000,
        None,
    ]
)
TEXTS = st.sampled_from(["", "a", "Ünï", "12", 12, 99999999999999999999, None, True, 1.5, ["x"], {"a": 1}])
NUMBERS: st.SearchStrategy[Any] = st.sampled_from(
    [0, 7, -1, 9999982253621659654, 10**20, "7", "-7", "7.0", "0x7", 7.0, True, None, [], "\u0667"]
)
SHAPES: dict[type[Record], tuple[Endpoint, dict[str, Any], dict[str, st.SearchStrategy[Any]]]] = {
    Session: (
        LIST_SESSIONS,
        {"sessionId": "1", "status": "active"},
        {
            "sessionId": TEXTS,
            "status": st.sampled_from(["active", "notStarted", "paused", 1, None]),
            "startedAt": TIMES,
            "endedAt": TIMES,
            "accountKey": NUMBERS,
            "partnerObject": TEXTS,
            "notes": TEXTS,
            "collaborators": st.sampled_from([[], ["a", {"b": 1}], None, "a"]),
            "somethingNew": TEXTS,
            'odd "name"\n': TEXTS,
        },
    ),
    Company: (LIST_COMPANIES, {"companyId": 1}, {"companyId": NUMBERS, "companyName": TEXTS, "region": TEXTS}),
    Machine: (
        LIST_MACHINES,
        {"machineUuid": "u"},
        {"companyId": NUMBERS, "machineStatus": st.sampled_from(["ONLINE", "ASLEEP", None, 1]), "dnsName": TEXTS},
    ),
    RecordingFiles: (
        RECORDING_URLS,
        {"recordingId": 1, "recordingUrl": "u"},
        {"recordingId": NUMBERS, "recordingSize": NUMBERS, "recordingStartTime": TIMES, "eventsUrl": TEXTS},
    ),
}


def outcome(function: Any, *arguments: Any) -> Any:
    """What comes of it, or where it fails."""
    try:
        return function(*arguments)
    except DecodeError as error:
        return error.path, error.expected


TOTALS: st.SearchStrategy[Any] = st.sampled_from([3, "3", None, "many", [], 10**20])


@settings(deadline=None, max_examples=200)
@given(kind=st.sampled_from(list(SHAPES)), fresh=st.booleans(), data=st.data())
def test_both_ways_give_the_same(kind: type[Any], fresh: bool, data: st.DataObject) -> None:
    """A list gives the same records or the same error as its parts one by one: at first, and when learnt."""
    endpoint, least, attributes = SHAPES[kind]
    if fresh:
        codec._TYPED.pop(kind, None)
    rows = [
        least | data.draw(st.fixed_dictionaries({}, optional=attributes)) for _ in range(data.draw(st.integers(1, 4)))
    ]
    counts = {endpoint.total or "count": TOTALS, "totalCount": TOTALS, "other": st.just({"a": [1]})}
    wrapped = {endpoint.envelope or "list": rows} | data.draw(st.fixed_dictionaries({}, optional=counts))
    slow = [outcome(structure, row, kind) for row in rows]
    failed = [(index, told) for index, told in enumerate(slow) if isinstance(told, tuple)]
    for _ in range(2):
        fast = outcome(read_list, json.dumps(wrapped).encode(), kind, endpoint)
        if failed:
            index, (path, expected) = failed[0]
            assert fast == (f"$.{endpoint.envelope}[{index}]{path[1:]}", expected)
            continue
        assert list(fast[0]) == slow
        assert [record.extra for record in fast[0]] == [record.extra for record in slow]
        assert [record.to_dict() for record in fast[0]] == [record.to_dict() for record in slow]
        assert fast[1] == total_of(wrapped, endpoint)
        assert [outcome(read, json.dumps(row).encode(), kind, endpoint) for row in rows] == slow


ODD: list[dict[str, Any]] = [
    {"sessionId": 1},
    {"sessionId": "1", "startedAt": "2021-04-30T06:00:00"},
    {"sessionId": "1", "startedAt": "2021-04-30T06:00:00.123456789Z"},
    {"sessionId": "1", "startedAt": "2021-04-30T08:00:00+02:00"},
    {"sessionId": "1", "startedAt": 1619762400},
    {"sessionId": "1", "startedAt": ""},
    {"sessionId": "1", "accountKey": "12"},
    {"sessionId": "1", "notes": 5},
    {"sessionId": "1", "collaborators": None},
    {"sessionId": "1", "region": {"a": 1}},
]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_an_odd_record_costs_nothing_but_itself(odd: dict[str, Any]) -> None:
    """Of a list of a hundred only the odd one goes the tolerant way, and when it has been learnt not even that."""
    plain = {"sessionId": "2", "status": "active", "startedAt": "2021-04-30T06:00:00Z"}
    rows = [plain] * 50 + [odd | {"status": "active"}] + [plain] * 50
    body = json.dumps({"totalNumSessions": 101, "sessions": rows}).encode()
    seen: list[Any] = []

    def tolerant(raw: msgspec.Raw) -> Session:
        seen.append(msgspec.json.decode(raw))
        return structure(seen[-1], Session)

    typed = Typed(Session)
    with pytest.raises(MISSES):
        typed.many(body, LIST_SESSIONS)
    records, total = typed.each(body, LIST_SESSIONS, tolerant)
    assert (seen, total) == ([rows[50]], 101)
    assert records == tuple(structure(row, Session) for row in rows)
    typed.learn(seen)
    assert typed.many(body, LIST_SESSIONS) == (records, 101)


def test_it_learns_what_the_service_adds() -> None:
    """An attribute that nobody knew is left to the tolerant way once; then it is read in the fast one."""
    typed = Typed(Session)
    body = b'[{"sessionId": "1", "status": "active", "device": {"os": "x"}}, {"sessionId": "2", "status": "waiting"}]'
    with pytest.raises(MISSES):
        typed.many(body, LIST_SESSIONS)
    typed.learn([{"sessionId": "1", "status": "active", "device": 1}])
    (first, second), total = typed.many(body, LIST_SESSIONS)
    assert (first.extra, second.extra, total) == ({"device": {"os": "x"}}, {}, None)


def test_it_does_not_follow_a_service_that_invents_names() -> None:
    """Many new names at once are not learnt: each answer would be another kind of record."""
    typed = Typed(Company)
    typed.learn([{"companyId": 1} | {f"x{number}": 1 for number in range(100)}])
    with pytest.raises(MISSES):
        typed.one(b'{"companyId": 1, "x1": 1}')


def test_records_of_the_fast_way_are_records() -> None:
    """They are frozen, hashable, equal to others, and they pickle and copy."""
    (session,), _ = read_list(b'[{"sessionId": "1", "status": "active"}]', Session, LIST_SESSIONS)
    assert type(session) is Session
    assert session == structure({"sessionId": "1", "status": "active"}, Session)
    assert {session: 1}[copy.deepcopy(session)] == 1
    assert pickle.loads(pickle.dumps(session)) == session
    assert pickle.loads(pickle.dumps(session)).extra == {}
    with pytest.raises(AttributeError):
        session.status = "x"  # type: ignore[misc,assignment]
    with pytest.raises(TypeError):
        session.extra["x"] = 1  # type: ignore[index]
    assert session.extra == {}
