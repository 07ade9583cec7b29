"""The commands of `g2a`, against an emulated service: what they ask, what they say, and what they exit with."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tools.cli import Command

from g2a_async.emulator import Emulator
from g2a_async.emulator.rows import Lifecycle

pytest_plugins = ("tools.fixtures",)


def rows(out: str) -> list[dict[str, Any]]:
    """Lines of JSON."""
    return [json.loads(line) for line in out.splitlines()]


def test_sessions_of_a_range(emulator: Emulator, g2a: Command) -> None:
    """The range is asked for in UTC, a day back unless told; statuses and --limit choose among what comes."""
    for status in ("active", "complete", "active", "waiting"):
        emulator.state.add_session(status=status)
    code, out, _ = g2a("sessions", "list", "--since", "2026-05-01T12:00:00+02:00", "--status", "ACTIVE", "--limit", "1")
    assert code == 0
    assert [row["status"] for row in rows(out)] == ["active"]
    query = dict(emulator.journal.of("GET /sessions")[0].query)
    assert query["fromTime"] == "2026-05-01T10:00:00Z"
    assert "toTime" not in query
    assert len(rows(g2a("sessions", "list", "--status", "active", "--status", "waiting")[1])) == 3
    asked = datetime.fromisoformat(dict(emulator.journal.of("GET /sessions")[1].query)["fromTime"])
    assert abs(datetime.now(UTC) - timedelta(days=1) - asked) < timedelta(minutes=1)


def test_sessions_in_slices(emulator: Emulator, g2a: Command) -> None:
    """With --window there is a request for each slice, and each session comes once."""
    emulator.state.add_session()
    code, out, _ = g2a("sessions", "list", "--since", "3h", "--window", "90m")
    assert (code, len(rows(out))) == (0, 1)
    assert 2 <= emulator.journal.count("GET /sessions") <= 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sessions", "list", "--status", "done"), "none of waiting, active, complete, abandoned, notStarted"),
        (("sessions", "list", "--since", "yesterday"), "is no time"),
        (("sessions", "list", "--since", "1h", "--until", "2h"), "later than --until"),
        (("sessions", "list", "--limit", "0"), "--limit"),
        (("sessions", "wait", "1", "--until", "done"), "none of waiting"),
        (("sessions", "watch", "--interval", "soon"), "no length of time"),
        (("sessions", "start", "--machine-uuid", ""), "machine_uuid must name a machine"),
        (("companies", "list", "--sort", "size"), "none of companyId, companyName"),
        (("machines", "list", "north"), "a company's number"),
        (("recordings", "list"), "--account-key"),
        (("recordings", "list", "--user-key", "1", "--kind", "both"), "none of attended, unattended"),
        (("recordings", "list", "--user-key", "1", "--state", "done"), "none of readyForDownload, readyForTranscode"),
        (("recordings", "urls", "1x"), "a recording ID is a whole number"),
        (("recordings", "urls"), "Missing argument"),
        (("links", "list"), "Missing argument"),
        (("demo", "--folder", " "), "names no folder"),
        (("emulator", "--port", "65536"), "--port"),
        (("emulator", "--rate", "-1"), "above zero"),
    ],
)
def test_wrong_usage_is_told_and_nothing_sent(
    emulator: Emulator, g2a: Command, arguments: tuple[str, ...], said: str
) -> None:
    """Exit code 2, the reason on stderr, nothing on stdout; choices are listed."""
    code, out, err = g2a(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert len(emulator.journal) == 0


def test_some_sessions(emulator: Emulator, g2a: Command) -> None:
    """One is an object; of several, those that fail are told, the others come, and the exit code is 5."""
    one, two = (emulator.state.add_session() for _ in range(2))
    assert json.loads(g2a("sessions", "get", str(one.session_id), "-o", "json")[1])["sessionId"] == one.session_id
    code, out, err = g2a("sessions", "get", str(one.session_id), "404", str(two.session_id))
    assert code == 5
    assert {row["sessionId"] for row in rows(out)} == {one.session_id, two.session_id}
    assert err.startswith("g2a: 404 on GET ")
    assert err.count("\n") == 1
    code, out, err = g2a("sessions", "get", "404", "405", "-o", "json")
    assert (code, out) == (1, "[]\n")
    assert err.count("\n") == 2


def test_a_session_from_start_to_end(emulator: Emulator, g2a: Command) -> None:
    """What `start` shows goes through a pipe into `wait`, so that its token is in nobody's arguments."""
    emulator.state.lifecycle = Lifecycle(active=0.0, complete=0.05)
    code, out, err = g2a("sessions", "start", "--customer-name", "Ada", "--partner-object", "4711")
    assert (code, err) == (0, "")
    started = rows(out)[0]
    assert started["launchUrl"].endswith(started["sessionToken"])
    assert json.loads(emulator.journal.of("POST /sessions")[0].body) == {
        "sessionType": "SCREEN_SHARING",
        "customerName": "Ada",
        "partnerObject": "4711",
    }
    code, waited, _ = g2a("sessions", "wait", "-", "--interval", "0.05", "--timeout", "10", stdin=out)
    assert code == 0
    assert rows(waited)[0]["status"] == "complete"


def test_a_callback_address_is_in_no_argument(
    emulator: Emulator, g2a: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes from a file, from stdin or from a variable, in this order."""
    file = tmp_path / "url"
    file.write_text("https://a.example/file\n")
    monkeypatch.setenv("G2A_STATUS_CALLBACK_URL", "https://a.example/variable")
    g2a("sessions", "start")
    g2a("sessions", "start", "--callback-url-file", str(file))
    g2a("sessions", "start", "--callback-url-file", "-", stdin="https://a.example/stdin\n")
    sent = [json.loads(entry.body)["sessionStatusCallbackUrl"] for entry in emulator.journal.of("POST /sessions")]
    assert [url.rpartition("/")[2] for url in sent] == ["variable", "file", "stdin"]
    file.write_text(" \n")
    code, _, err = g2a("sessions", "start", "--callback-url-file", str(file))
    assert (code, err) == (3, f"g2a: {file} is empty: it should hold the callback URL\n")


def test_waiting_in_vain(emulator: Emulator, g2a: Command) -> None:
    """4 when the time is over, 1 when the session can no longer get there; both say why."""
    waiting, ended = emulator.state.add_session(status="waiting"), emulator.state.add_session(status="abandoned")
    options = "--interval", "0.02", "--timeout", "0.3"
    code, out, err = g2a("sessions", "wait", str(waiting.session_id), *options)
    assert (code, out) == (4, "")
    assert "not ended in time" in err
    code, out, err = g2a("sessions", "wait", str(ended.session_id), "--until", "complete", "--timeout", "60")
    assert (code, out) == (1, "")
    assert "ended as 'abandoned'" in err
    assert g2a("sessions", "wait", "-", stdin="1\n2\n")[0] == 2


def test_watching(emulator: Emulator, g2a: Command) -> None:
    """Changes with what was before; all of them until the time is over, named ones until they have ended or 4."""
    session = emulator.state.add_session(status="waiting")
    code, out, err = g2a("sessions", "watch", "--interval", "0.02", "--timeout", "0.3")
    assert (code, err) == (0, "")
    (change,) = rows(out)
    assert change["previous"] is None
    assert (change["session"]["status"], change["session"]["sessionStartToken"]) == ("waiting", "***")
    header, line = g2a("sessions", "watch", "--interval", "0.02", "--timeout", "0.3", "-o", "csv")[1].splitlines()
    assert header.startswith("previousStatus,sessionId,status,")
    assert line.startswith(f",{session.session_id},waiting,")
    assert g2a("sessions", "watch", str(session.session_id), "--interval", "0.02", "--timeout", "0.3")[0] == 4
    emulator.state.set_status(session, "complete")
    code, again, _ = g2a("sessions", "watch", "-", "--timeout", "60", stdin=out)
    assert (code, rows(again)[0]["session"]["status"]) == (0, "complete")


def test_companies_and_their_machines(emulator: Emulator, g2a: Command) -> None:
    """The search, the order and the limit are the service's business; more than a page is one list."""
    for number in range(59):
        emulator.state.add_company(f"North {number:02}")
    company = emulator.state.add_company("North 59")
    emulator.state.add_machine(company, "SRV-1", machine_status="OFFLINE")
    assert len(rows(g2a("companies", "list", "north")[1])) == 60
    emulator.journal.clear()
    code, out, _ = g2a("companies", "list", "north", "--sort", "companyName", "--order", "desc", "--limit", "2")
    assert (code, [row["companyName"] for row in rows(out)]) == (0, ["North 59", "North 58"])
    assert dict(emulator.journal.of("GET /companies")[0].query) | {"limit": "", "offset": ""} == {
        "q": "north",
        "sortField": "companyName",
        "sortOrder": "desc",
        "limit": "",
        "offset": "",
    }
    (machine,) = rows(g2a("machines", "list", str(company.company_id))[1])
    assert (machine["machineName"], machine["machineStatus"]) == ("SRV-1", "OFFLINE")


def test_recordings_through_a_pipe(emulator: Emulator, g2a: Command) -> None:
    """IDs of 64 bits go from `list` to `urls` as they are; what is not ready is told, and the exit code is 5."""
    ready = emulator.state.add_recording(recording_id=9_999_982_253_621_659_654)
    waiting = emulator.state.add_recording(ready=False)
    key = "--account-key", str(emulator.state.account_key)
    code, out, _ = g2a("recordings", "list", *key)
    assert (code, rows(out)) == (
        0,
        [
            {"recordingId": ready.recording_id, "state": "readyForDownload"},
            {"recordingId": waiting.recording_id, "state": "readyForTranscode"},
        ],
    )
    code, urls, err = g2a("recordings", "urls", "-", stdin=out)
    assert code == 5
    assert [row["recordingId"] for row in rows(urls)] == [ready.recording_id]
    assert "signature=" in rows(urls)[0]["recordingUrl"]
    assert err == f"g2a: {waiting.recording_id} is not ready: try `g2a recordings transcode`\n"
    chosen = g2a("recordings", "list", *key, "--state", "readyForTranscode", "--kind", "attended")[1]
    assert [row["recordingId"] for row in rows(chosen)] == [waiting.recording_id]
    emulator.state.transcoding = 0.0
    assert g2a("recordings", "transcode", "-", stdin=chosen)[0] == 0
    assert g2a("recordings", "urls", str(waiting.recording_id))[0] == 0


@pytest.mark.system
def test_more_than_the_service_lists(emulator: Emulator, g2a: Command) -> None:
    """More than 500 of one second cannot all be found: those that are found come, and the exit code is 5."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    for _ in range(501):
        emulator.state.add_recording(started_at=start)
    code, out, err = g2a("recordings", "list", "--user-key", emulator.state.user_key, "--since", "2h")
    assert (code, len(rows(out))) == (5, 500)
    assert "a single second holds more" in err
    code, out, err = g2a("recordings", "urls", "-", stdin=out)
    assert (code, err) == (0, "")
    assert len({row["recordingId"] for row in rows(out)}) == 500


def test_addresses_for_people_can_be_copied(emulator: Emulator, g2a: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """However narrow the terminal, an address is in one piece."""
    monkeypatch.setenv("COLUMNS", "40")
    one = emulator.state.add_recording()
    url = rows(g2a("recordings", "urls", str(one.recording_id))[1])[0]["recordingUrl"]
    out = g2a("recordings", "urls", str(one.recording_id), "-o", "table")[1]
    assert url.partition("&expires")[0] in out
    assert "signature=" in next(line for line in out.splitlines() if line.startswith("recordingUrl"))


def test_refused_recordings(emulator: Emulator, g2a: Command) -> None:
    """Those that the service refuses are named; the rest goes through, and the exit code is 5. All refused is 1."""
    one = emulator.state.add_recording(ready=False)
    code, _, err = g2a("recordings", "transcode", "1", str(one.recording_id))
    assert code == 5
    assert err == "g2a: 1 is refused by the service\nAsked for 1 recordings to be transcoded.\n"
    assert g2a("recordings", "transcode", "1")[0] == 1
    assert g2a("recordings", "urls", "1") == (5, "", "g2a: 1 is refused by the service\n")


def test_nothing_through_a_pipe_is_nothing_to_do(emulator: Emulator, g2a: Command) -> None:
    """An empty list asks for nothing; a line that names no ID is told."""
    assert g2a("recordings", "urls", "-") == (0, "", "")
    assert g2a("sessions", "watch", "-") == (0, "", "")
    for line in '{"companyId": 1}', "{torn", '{"session": null}':
        code, _, err = g2a("recordings", "urls", "-", stdin=f"\n{line}\n")
        assert (code, err) == (2, "g2a: line 2 of stdin is JSON without recordingId\n")
    assert len(emulator.journal) == 0


REGISTER = (
    "links",
    "register",
    "--name",
    "Desk",
    "--domain",
    "desk.example",
    "--user-email",
    "r@desk.example",
    "--callback-url",
    "https://desk.example/g2a",
    "--search",
)


def test_a_link_and_its_token(
    emulator: Emulator, g2a: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The user's token comes from a file, stdin or a variable, is sent, and is not shown."""
    file = tmp_path / "token"
    file.write_text("t0ken-file\n")
    code, out, err = g2a(*REGISTER)
    assert (code, out) == (3, "")
    assert "set G2A_USER_TOKEN" in err
    monkeypatch.setenv("G2A_USER_TOKEN", "t0ken-variable")
    shown = [
        g2a(*REGISTER),
        g2a(*REGISTER, "--token-file", str(file)),
        g2a(*REGISTER, "--token-file", "-", stdin="t0ken-in"),
    ]
    assert [result[0] for result in shown] == [0, 0, 0]
    assert "t0ken" not in str(shown)
    sent = [json.loads(entry.body) for entry in emulator.journal.of("POST /systemLinks")]
    assert [body["userToken"] for body in sent] == ["t0ken-variable", "t0ken-file", "t0ken-in"]
    assert sent[0]["supportedCallbacks"] == {"createObject": False, "searchObjects": True, "associateObject": False}
    out = g2a("links", "list", "desk.example", "-o", "table")[1]
    assert "https://desk.example/g2a" in out
    assert "t0ken" not in out


def test_tickets_need_no_login(emulator: Emulator, g2a: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The partner system knows the user by its own token, and is sent no other."""
    monkeypatch.delenv("G2A_ACCESS_TOKEN")
    monkeypatch.setenv("G2A_CALLBACK_URL", emulator.callback_url)
    monkeypatch.setenv("G2A_USER_TOKEN", emulator.user_token)
    for number in range(12):
        emulator.state.add_ticket(f"Printer {number}")
    code, out, _ = g2a("tickets", "search", "printer")
    assert (code, len(rows(out))) == (0, 12)
    assert len(rows(g2a("tickets", "search", "--limit", "3")[1])) == 3
    assert all(entry.authorization is None for entry in emulator.journal)


def test_what_kind_of_failure(emulator: Emulator, g2a: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials are 3, a quota that asks for too long is 4, anything else that the service refuses is 1."""
    emulator.faults.add("GET /sessions", status=400)
    assert g2a("sessions", "list")[0] == 1
    monkeypatch.setenv("G2A_BASE_URL", "nowhere")
    assert g2a("sessions", "list")[::2] == (
        3,
        "g2a: G2A_BASE_URL must be an http or https address without query, fragment or spaces\n",
    )
    monkeypatch.setenv("G2A_BASE_URL", emulator.url)
    emulator.faults.add("GET /companies", status=429, headers={"Retry-After": "3000"})
    code, out, err = g2a("companies", "list")
    assert (code, out) == (4, "")
    assert err.startswith("g2a: 429 on GET ")


def test_a_verbose_failure_is_what_support_wants(
    emulator: Emulator, g2a: Command, caplog: pytest.LogCaptureFixture
) -> None:
    """With --verbose every request is logged, and a failure is told as the vendor's support asks for it."""
    emulator.faults.add("GET /sessions", status=400)
    code, out, err = g2a("--verbose", "sessions", "list")
    assert (code, out) == (1, "")
    assert "Response headers:" in err
    assert emulator.access_token not in err
    assert any("400 in" in text for text in caplog.messages)
