"""What each call makes of every shape of answer that the reference tolerates."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import pytest
from tools.calls import BY_NAME, CALLBACKS, FROM, LINK, SESSION, TO, client_for, names, rows, says
from tools.peer import Answer, Peer, Seen, reply

from g2a_async import G2AClient

BIG = 99999822536216596540  # 20 digits: over 64 bits
MOMENT = "2021-04-30T06:00:00Z"
AT = datetime(2021, 4, 30, 6, tzinfo=UTC)
SECRET_URL = "https://files.example/5.mp4?secret=b6d1e7"

Make = Callable[[G2AClient, str], Any]


async def ask(name: str, answer: Any) -> Any:
    """Make a call that is answered so, and give its unreduced result."""
    async with Peer(says(answer) if isinstance(answer, dict | list) else answer) as peer, client_for(peer) as client:
        return await BY_NAME[name].make(client, peer.origin + "/desk/g2a")


# One row: the call, the answer, what is looked at, what is seen there.
ids, statuses = names("session_id"), names("status")
urls_ids, link_names, ticket_ids = names("recording_id"), names("system_name"), names("id")
uuids, company_ids = names("machine_uuid"), names("company_id")
FILE = {"recordingId": 5, "recordingUrl": SECRET_URL}
MACHINE = {"machineUuid": "m-1", "machineName": "One", "machineStatus": "ONLINE", "companyId": "9"}
EVENT = {"timeStamp": MOMENT, "content": "Hi", "participantName": "Ann"}
SHAPES: list[tuple[str, Any, Callable[[Any], Any], Any]] = [
    ("sessions.get", SESSION | {"sessionId": BIG}, attrgetter("session_id"), str(BIG)),
    ("sessions.get", SESSION | {"sessionId": str(BIG)}, attrgetter("session_id"), str(BIG)),
    ("sessions.get", SESSION | {"accountKey": BIG}, attrgetter("account_key"), BIG),
    ("sessions.get", SESSION | {"accountKey": str(BIG)}, attrgetter("account_key"), BIG),
    ("sessions.get", SESSION | {"partnerObject": BIG}, attrgetter("partner_object"), str(BIG)),
    ("sessions.get", SESSION | {"partnerObject": "x"}, attrgetter("partner_object"), "x"),
    ("sessions.get", SESSION | {"sessionStartToken": BIG}, attrgetter("session_start_token"), str(BIG)),
    ("sessions.get", SESSION | {"expertName": None}, attrgetter("expert_name"), None),
    ("sessions.get", SESSION, attrgetter("customer_name"), None),
    ("sessions.get", SESSION | {"collaborators": None}, attrgetter("collaborators"), ()),
    ("sessions.get", SESSION | {"collaborators": ["Bo"]}, attrgetter("collaborators"), ("Bo",)),
    ("sessions.get", SESSION | {"collaborators": [{"a": BIG}]}, attrgetter("collaborators"), ({"a": BIG},)),
    ("sessions.get", SESSION | {"newThing": {"x": [BIG]}}, lambda s: dict(s.extra), {"newThing": {"x": [BIG]}}),
    ("sessions.get", SESSION | {"status": "onHold"}, attrgetter("status", "status.is_known"), ("onHold", False)),
    ("sessions.get", SESSION | {"status": "notStarted"}, attrgetter("status.is_known"), True),
    ("sessions.get", SESSION | {"sessionType": "SCREEN_SHARING"}, lambda s: s.session_type.lower(), "screen_sharing"),
    ("sessions.list", {"totalNumSessions": 2, "sessions": [SESSION, SESSION | {"sessionId": 2}]}, ids, ["4217", "2"]),
    ("sessions.list", {"sessions": [SESSION | {"status": "gone"}]}, statuses, ["gone"]),
    ("sessions.list", {"totalNumSessions": "1", "sessions": [SESSION], "new": 1}, ids, ["4217"]),
    ("sessions.list", {"totalNumSessions": 0, "sessions": None}, ids, []),
    ("sessions.list", {"totalNumSessions": 0, "sessions": []}, ids, []),
    ("sessions.list", [SESSION], ids, ["4217"]),
    ("sessions.transcript", [EVENT], lambda t: [(e.time_stamp, e.content) for e in t.events], [(AT, "Hi")]),
    ("sessions.transcript", {"chat": [EVENT], "sessionId": 7}, lambda t: (t.session_id, len(t.events)), ("7", 1)),
    ("sessions.transcript", {"events": [], "startTime": MOMENT}, attrgetter("start_time", "events"), (AT, ())),
    (
        "companies.list",
        rows([{"companyId": 1}, {"companyId": "2"}], "companies", "totalNumCompanies"),
        company_ids,
        [1, 2],
    ),
    ("companies.list", rows([{"companyId": 1, "companyName": "A"}], "companies"), company_ids, [1]),
    ("companies.list", rows([{"companyId": BIG, "companyName": "A"}]), company_ids, [BIG]),
    ("companies.list", {"totalNumCompanies": 0, "companies": None}, company_ids, []),
    ("companies.list", Answer(status=404), company_ids, []),
    ("companies.machines", Answer(status=404, body=b"<h1>none</h1>"), uuids, []),
    ("companies.machines", {"totalNumMachines": 0, "machines": None}, uuids, []),
    ("companies.machines", {"totalNumMachines": 0, "machines": {}}, uuids, []),
    ("companies.machines", {"totalNumMachines": 1, "machines": {"m-1": MACHINE}}, uuids, ["m-1"]),
    ("companies.machines", {"totalNumMachines": 1, "machines": [MACHINE]}, lambda m: str(m[0].company_id), "9"),
    (
        "companies.machines",
        {"totalNumMachines": 1, "machines": [MACHINE | {"companyId": 9}]},
        lambda m: str(m[0].company_id),
        "9",
    ),
    (
        "companies.machines",
        {"totalNumMachines": 1, "machines": [MACHINE | {"machineStatus": "ASLEEP"}]},
        lambda m: (m[0].machine_status, m[0].machine_status.is_known),
        ("ASLEEP", False),
    ),
    (
        "recordings.available",
        {"readyForTranscode": None, "readyForDownload": [str(BIG), 2]},
        attrgetter("ready_for_transcode", "ready_for_download", "truncated"),
        ((), (BIG, 2), False),
    ),
    ("recordings.available", {"readyForDownload": list(range(500))}, attrgetter("truncated"), True),
    ("recordings.available", {"readyForTranscode": list(range(499))}, attrgetter("truncated"), False),
    ("recordings.urls", [FILE], urls_ids, [5]),
    ("recordings.urls", {"recordings": [FILE]}, urls_ids, [5]),
    ("recordings.urls", {"whatever": [FILE | {"recordingId": "5"}], "count": 1}, urls_ids, [5]),
    ("recordings.urls", [FILE | {"recordingSize": str(BIG)}], lambda f: f[0].recording_size, BIG),
    ("recordings.urls", [FILE | {"recordingSize": 7}], lambda f: f[0].recording_size, 7),
    (
        "recordings.urls",
        [FILE],
        lambda f: (f[0].recording_size, f[0].events_url, f[0].recording_start_time),
        (None,) * 3,
    ),
    ("recordings.urls", [], urls_ids, []),
    ("system_links.list", [LINK], link_names, ["Desk"]),
    ("system_links.list", {"links": [LINK, LINK]}, link_names, ["Desk", "Desk"]),
    ("system_links.list", {"systemLinks": None}, link_names, []),
    (
        "system_links.list",
        [LINK | {"supportedCallbacks": {"createObject": "true", "searchObjects": True, "associateObject": "false"}}],
        lambda links: links[0].to_dict()["supportedCallbacks"],
        CALLBACKS,
    ),
    ("tickets.search", rows([{"id": 1}, {"id": "b"}]), ticket_ids, ["1", "b"]),
    ("tickets.search", rows([{"id": BIG, "title": "T"}], "tickets", "total"), ticket_ids, [str(BIG)]),
    ("tickets.search", rows([{"id": 1}], "anything"), ticket_ids, ["1"]),
    ("tickets.search", rows([{"id": 1, "mine": True}]), lambda t: dict(t[0].extra), {"mine": True}),
    ("tickets.search", rows([{"id": 1, "sessionIds": [BIG, "x"]}]), lambda t: t[0].session_ids, (str(BIG), "x")),
    ("tickets.create", Answer(status=201), lambda ticket: ticket, None),
    ("tickets.create", Answer(status=204), lambda ticket: ticket, None),
    ("tickets.create", reply({"id": BIG}, 201), attrgetter("id"), str(BIG)),
]


@pytest.mark.parametrize(
    ("name", "answer", "look", "seen"), SHAPES, ids=lambda value: value if isinstance(value, str) else ""
)
async def test_takes_every_shape(name: str, answer: Any, look: Callable[[Any], Any], seen: Any) -> None:
    """Each tolerated shape of an answer gives the right record, exact to the last digit."""
    script = (lambda _: answer) if isinstance(answer, Answer) else answer
    found = look(await ask(name, script))
    assert found == seen
    assert type(found) is type(seen) or isinstance(seen, str)


TIMES = {
    "": None,
    "2021-04-30T06:00:00Z": AT,
    "2021-04-30T06:00:00+00:00": AT,
    "2021-04-30T06:00:00+0000": AT,
    "2021-04-30T08:00:00+02:00": AT,
    "2021-04-30T08:00:00.5+0200": AT.replace(microsecond=500_000),
    "2021-04-30T00:30:00-05:30": AT,
    "2021-04-30T06:00:00": AT,
    "2021-04-30T06:00:00.25": AT.replace(microsecond=250_000),
    **{
        f"2021-04-30T06:00:00.{'120340560'[:digits]}Z": AT.replace(
            microsecond=int("120340560"[:digits].ljust(6, "0")[:6])
        )
        for digits in range(1, 10)
    },
}


@pytest.mark.parametrize(("text", "moment"), TIMES.items(), ids=TIMES)
async def test_reads_times(text: str, moment: datetime | None) -> None:
    """Every form of time that was seen becomes an aware one of UTC; an empty one is None."""
    session = await ask("sessions.get", SESSION | {"startedAt": text, "endedAt": None})
    assert session.started_at == moment
    assert session.ended_at is None
    if moment is not None:
        assert session.started_at.utcoffset() == AT.utcoffset()


WHOLE_SESSION = SESSION | {
    "accountKey": BIG,
    "accountName": "Acme",
    "expertName": "Ex",
    "expertEmail": "ex@example.com",
    "expertUserKey": "77",
    "partnerObject": "17",
    "partnerObjectUrl": "https://desk.example/17",
    "startedAt": MOMENT,
    "customerJoinedAt": MOMENT,
    "endedAt": "2021-04-30T07:01:02Z",
    "unattendedMachineName": "One",
    "unattendedMachineUuid": "m-1",
    "customerName": "Ann",
    "customerEmail": "ann@example.com",
    "customerJoinUrl": "https://join.example/1",
    "sessionStartToken": "123",
    "notes": "none",
    "sessionRecordingUrl": "https://rec.example/1",
    "collaborators": ["Bo", {"name": "Cy"}],
    "somethingNew": {"deep_key": [1, None, "x"]},
    "snake_new": BIG,
}
WHOLE: list[tuple[str, Any, Callable[[Any], Any], dict[str, Any]]] = [
    ("sessions.get", WHOLE_SESSION, lambda session: session, WHOLE_SESSION),
    ("companies.list", [{"companyId": BIG, "companyName": "A", "new": 1}], lambda found: found[0], {}),
    (
        "companies.machines",
        [MACHINE | {"dnsName": "d", "ipAddresses": "10.0.0.1, ::1", "new": 1}],
        lambda found: found[0],
        {},
    ),
    (
        "recordings.urls",
        [
            FILE
            | {"recordingStartTime": MOMENT, "eventsUrl": "https://e", "thumbnailUrl": "https://t"}
            | {"recordingSize": str(BIG), "new": 1}
        ],
        lambda found: found[0],
        {},
    ),
    ("recordings.available", {"readyForTranscode": [1], "readyForDownload": [BIG]}, lambda found: found, {}),
    ("system_links.list", [LINK | {"supportedCallbacks": CALLBACKS, "new": 1}], lambda found: found[0], {}),
    (
        "tickets.search",
        [
            {"id": "1", "title": "T", "body": "B", "url": "https://d/1", "requesterName": "R", "status": "open"}
            | {"createdAt": MOMENT, "sessionIds": ["1"], "new": {"a_b": True}}
        ],
        lambda found: found[0],
        {},
    ),
    (
        "sessions.transcript",
        {"sessionId": "1", "startTime": MOMENT, "endTime": MOMENT, "events": [EVENT]},
        lambda t: t,
        {},
    ),
]


@pytest.mark.parametrize(("name", "answer", "pick", "wire"), WHOLE, ids=[row[0] for row in WHOLE])
async def test_gives_the_wire_form_back(name: str, answer: Any, pick: Callable[[Any], Any], wire: Any) -> None:
    """`to_dict()` is what the service sent: its names, times as text, sizes as text, and what is new to us."""
    script = rows(answer) if name in {"companies.list", "companies.machines", "tickets.search"} else answer
    record = pick(await ask(name, script))
    assert record.to_dict() == (wire or (answer[0] if isinstance(answer, list) else answer))


async def test_records_are_frozen() -> None:
    """A record cannot be changed."""
    session = await ask("sessions.get", WHOLE_SESSION)
    with pytest.raises(AttributeError):
        session.status = "active"


WITH_QUERY = "https://launch.getgo.com/launch.html?a=1&token=T3"
STARTED: dict[str, tuple[Any, str | None]] = {
    "inner": ({"startScreenSharing": {"launchUrl": WITH_QUERY, "sessionToken": "T1"}, "sessionToken": "T2"}, "T1"),
    "outer": ({"startScreenSharing": {"launchUrl": WITH_QUERY}, "sessionToken": "T2"}, "T2"),
    "launch URL": ({"startScreenSharing": {"launchUrl": WITH_QUERY}}, "T3"),
    "encoded": ({"startScreenSharing": {"launchUrl": "https://l.example/?token=a%2Bb%3D"}}, "a+b="),
    "a number": ({"startScreenSharing": {"launchUrl": WITH_QUERY, "sessionToken": BIG}}, str(BIG)),
    "null, then outer": (
        {"startScreenSharing": {"launchUrl": WITH_QUERY, "sessionToken": None}, "sessionToken": "T2"},
        "T2",
    ),
    "nowhere": ({"startScreenSharing": {"launchUrl": "https://launch.getgo.com/"}}, None),
}


@pytest.mark.parametrize(("answer", "token"), STARTED.values(), ids=STARTED)
async def test_finds_the_session_token(answer: Any, token: str | None) -> None:
    """The session token is looked for in the inner object, the outer one, and the launch URL, in that order."""
    started = await ask("sessions.start", answer)
    assert started.session_token == token
    assert started.launch_url == answer["startScreenSharing"]["launchUrl"]


async def test_reads_compressed_answers() -> None:
    """An answer may come compressed, if the client said that it may."""

    def compressed(seen: Seen) -> Answer:
        assert "gzip" in (seen.header("Accept-Encoding") or "")
        plain = reply(SESSION)
        return Answer(headers=(*plain.headers, ("Content-Encoding", "gzip")), body=gzip.compress(plain.body))

    assert (await ask("sessions.get", compressed)).session_id == "4217"


async def test_an_error_in_one_of_many_is_an_outcome() -> None:
    """`get_many` gives each session or its error, and one bad answer does not stop the rest."""

    def script(seen: Seen) -> Answer:
        number = seen.path.rpartition("/")[2]
        return Answer(status=404) if number == "2" else reply(SESSION | {"sessionId": number})

    async with Peer(script) as peer, client_for(peer) as client:
        outcomes = {outcome.key: outcome async for outcome in client.sessions.get_many(["1", "2", "3"])}
    assert sorted(outcomes) == ["1", "2", "3"]
    assert type(outcomes["2"].error).__name__ == "NotFoundError"
    assert [outcomes[key].unwrap().session_id for key in ("1", "3")] == ["1", "3"]


async def test_the_total_of_a_page_is_the_service_s() -> None:
    """A page tells its place and the total that the service gave."""
    async with (
        Peer(lambda _: reply({"totalNumSessions": 1, "sessions": [SESSION]})) as peer,
        client_for(peer) as client,
    ):
        pages = [page async for page in client.sessions.list(FROM, TO).pages()]
    assert [(page.offset, page.total, len(page.items)) for page in pages] == [(0, 1, 1)]


async def test_what_is_not_ready_and_what_is_refused() -> None:
    """Recordings that the service leaves out are `missing`, the one it refuses is `rejected`, the others come."""

    def script(seen: Seen) -> Answer:
        wanted = [int(value) for _, value in seen.query]
        if 13 in wanted:
            return reply({"description": "invalid recording"}, 403)
        return reply([FILE | {"recordingId": number} for number in wanted if number != 7])

    async with Peer(script) as peer, client_for(peer) as client:
        urls = client.recordings.urls([5, 6, 7, 13, 20, 21])
        files = await urls.collect()
    assert sorted(file.recording_id for file in files) == [5, 6, 20, 21]
    assert (urls.missing, urls.rejected) == ((7,), (13,))
