"""What `g2a` writes to stdout: each format, streamed, whole, and without secrets or anything that a terminal obeys."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from tools.cli import Command

from g2a_async import records
from g2a_async.cli import columns
from g2a_async.cli.options import Format, Kind, Status
from g2a_async.cli.output import Output
from g2a_async.cli.views import COMPANIES, LINKS, SESSIONS
from g2a_async.emulator import Emulator
from g2a_async.records.base import wire_name

pytest_plugins = ("tools.fixtures",)

HOSTILE = "Evil\x9b31m \u202eName\x1b]0;x\x07"


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch, emulator: Emulator) -> Emulator:
    """Run a service that the environment names."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("COLUMNS", raising=False)
    return emulator


@pytest.mark.parametrize(
    ("record", "names"),
    [
        (records.Session, columns.SESSION),
        (records.StartedSession, columns.STARTED),
        (records.Company, columns.COMPANY),
        (records.Machine, columns.MACHINE),
        (records.RecordingFiles, columns.FILES),
        (records.SystemLink, columns.LINK),
        (records.Ticket, columns.TICKET),
    ],
)
def test_csv_has_every_attribute_in_its_order(record: type[Any], names: tuple[str, ...]) -> None:
    """The documented columns are the record's attributes, none left out."""
    assert names == tuple(name for each in attrs.fields(record) if (name := wire_name(each)))


def test_help_knows_what_records_know() -> None:
    """The choices that help shows without loading the SDK are the SDK's own."""
    assert list(Status) == [one.value for one in records.SessionStatus]
    assert [one.upper() for one in Kind] == [one.name for one in records.SessionKind]


def test_every_format_has_the_same_records(emulator: Emulator, g2a: Command) -> None:
    """Through a pipe it is a line of JSON each, unless asked otherwise."""
    names = ["Alder, Bakery", 'The "Kestrel"', "=1+1", "Zoë\nand Sons"]
    for name in names:
        emulator.state.add_company(name)
    code, piped, err = g2a("companies", "list")
    assert (code, err) == (0, "")
    assert [json.loads(line)["companyName"] for line in piped.splitlines()] == names
    assert g2a("companies", "list", "-o", "NDJSON")[1] == piped
    assert [row["companyName"] for row in json.loads(g2a("companies", "list", "-o", "json")[1])] == names
    text = g2a("companies", "list", "-o", "csv")[1]
    rows = [*csv.reader(io.StringIO(text))]
    assert rows[0] == ["companyId", "companyName", "extra"]
    assert [row[1] for row in rows[1:]] == names
    table = g2a("companies", "list", "--output", "table")[1]
    assert all(name in table for name in names[:3])


def test_a_variable_names_the_format(emulator: Emulator, g2a: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """G2A_OUTPUT counts where --output is not given; a format that is none is told with those that are."""
    monkeypatch.setenv("G2A_OUTPUT", "csv")
    assert g2a("companies", "list")[1] == "companyId,companyName,extra\n"
    assert g2a("companies", "list", "-o", "json")[1] == "[]\n"
    monkeypatch.setenv("G2A_OUTPUT", "yaml")
    code, out, err = g2a("companies", "list")
    assert (code, out) == (2, "")
    assert "'yaml' is none of table, json, ndjson, csv" in err


def test_no_rows_are_told_on_stderr(emulator: Emulator, g2a: Command) -> None:
    """A table without rows says so beside the data; the other formats are simply empty."""
    assert g2a("companies", "list", "-o", "table") == (0, "", "No companies.\n")
    assert g2a("companies", "list", "-o", "ndjson") == (0, "", "")


def test_json_holds_nothing_that_a_terminal_obeys(emulator: Emulator, g2a: Command) -> None:
    """Control and direction characters are escaped in JSON, which stays the same to a program."""
    emulator.state.add_company(HOSTILE)
    for output in "json", "ndjson":
        text = g2a("companies", "list", "-o", output)[1]
        assert all(one.isprintable() or one == "\n" for one in text)
        found = json.loads(text)
        assert (found[0] if output == "json" else found)["companyName"] == HOSTILE
    assert (
        g2a("companies", "list", "-o", "table")[1].splitlines()[1].endswith("Evil\ufffd31m \ufffdName\ufffd]0;x\ufffd")
    )


def test_what_is_new_in_the_service_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """Unknown attributes are in JSON as they came, and in csv's last column."""
    company = records.Company(company_id=1, company_name="A", extra={"tier": {"level": 2}})
    with Output(COMPANIES, Format.CSV) as shown:
        shown.write([company])
    assert [*csv.reader(io.StringIO(capsys.readouterr().out))][1] == ["1", "A", '{"tier": {"level": 2}}']
    with Output(COMPANIES, Format.NDJSON) as shown:
        shown.write([company])
    assert json.loads(capsys.readouterr().out) == company.to_dict()


def test_secrets_are_hidden_unless_asked_for(emulator: Emulator, g2a: Command) -> None:
    """Tokens and join addresses are *** in every format; with --show-secrets JSON is the record's own form."""
    session = emulator.state.add_session(status="waiting")
    for output in Format:
        text = g2a("sessions", "list", "-o", output)[1]
        assert session.session_token not in text
    masked = json.loads(g2a("sessions", "list")[1])
    shown = json.loads(g2a("sessions", "list", "--show-secrets")[1])
    assert masked["sessionStartToken"] == masked["customerJoinUrl"] == "***"
    assert shown["sessionStartToken"] == session.session_token
    assert shown["customerJoinUrl"].startswith("http")
    assert shown | {"sessionStartToken": "***", "customerJoinUrl": "***"} == masked


@pytest.mark.parametrize("width", ["40", "80", "200"])
def test_ids_are_never_cut(emulator: Emulator, g2a: Command, monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    """However narrow, IDs are whole; other texts fold within the width and lose nothing."""
    monkeypatch.setenv("COLUMNS", width)
    company = emulator.state.add_company("x")
    machine = emulator.state.add_machine(company, "FRONTDESK-" * 9)
    out = g2a("machines", "list", str(company.company_id), "-o", "table")[1]
    assert machine.machine_uuid in out
    assert "".join(line[47:].strip() for line in out.splitlines()[1:]).startswith(
        "FRONTDESK-" * (9 if width != "200" else 1)
    )
    if width != "40":
        assert max(map(len, out.splitlines())) <= int(width)


def test_a_longer_id_later_is_whole_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The first rows decide the widths, and what comes later than those is not cut either."""
    monkeypatch.setenv("COLUMNS", "60")
    rows = [records.Session(session_id=text, status=records.SessionStatus.ACTIVE) for text in ("1", "2" * 30)]
    with Output(SESSIONS, Format.TABLE) as shown:
        for row in rows:
            shown.write([row])
    out = capsys.readouterr().out
    assert "2" * 30 in out
    assert out.count("SESSION ID") == 1


def test_tables_have_local_times(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, local_zone: Callable[[str], None]
) -> None:
    """What people read is in their own time, what programs read in UTC."""
    local_zone("UTC-05:30")  # as POSIX writes what is five and a half hours ahead
    session = records.Session(
        session_id="1", status=records.SessionStatus.ACTIVE, started_at=datetime(2026, 5, 1, 22, tzinfo=UTC)
    )
    with Output(SESSIONS, Format.TABLE) as shown:
        shown.write([session])
    assert "2026-05-02 03:30" in capsys.readouterr().out
    with Output(SESSIONS, Format.TABLE, one=True) as shown:
        shown.write([session])
    assert "2026-05-02 03:30:00" in capsys.readouterr().out
    with Output(SESSIONS, Format.NDJSON) as shown:
        shown.write([session])
    assert "2026-05-01T22:00:00Z" in capsys.readouterr().out


def test_what_a_table_makes_of_sessions_and_links(capsys: pytest.CaptureFixture[str]) -> None:
    """How long a session lasted, whom it was with, and what a partner system can do, in few words."""
    start = datetime(2026, 5, 1, tzinfo=UTC)
    ends = {"7m": timedelta(minutes=7), "1h05m": timedelta(minutes=65)}
    with Output(SESSIONS, Format.TABLE) as shown:
        shown.write(
            records.Session(
                session_id=words,
                status=records.SessionStatus.COMPLETE,
                started_at=start,
                ended_at=start + length,
                unattended_machine_name="SRV-1",
            )
            for words, length in ends.items()
        )
    assert [line.split()[0] == line.split()[4] for line in capsys.readouterr().out.splitlines()[1:]] == [True, True]
    can = [None, records.SupportedCallbacks(), records.SupportedCallbacks(create_object=True, search_objects=True)]
    with Output(LINKS, Format.TABLE) as shown:
        shown.write(records.SystemLink(system_name="Desk", supported_callbacks=one) for one in can)
    assert [line.split()[1:] for line in capsys.readouterr().out.splitlines()[1:]] == [
        [],
        ["nothing"],
        ["create,", "search"],
    ]


def test_a_list_that_broke_off_is_not_taken_for_a_whole_one(capsys: pytest.CaptureFixture[str]) -> None:
    """After an error the JSON list stays open; after Ctrl-C it is closed, as that is how a watch ends."""

    def written(error: BaseException) -> str:
        def fail() -> None:
            with Output(COMPANIES, Format.JSON) as shown:
                shown.write([records.Company(company_id=1)])
                raise error

        with pytest.raises(type(error)):
            fail()
        return capsys.readouterr().out

    assert json.loads(written(KeyboardInterrupt())) == [{"companyId": 1}]
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(written(OSError("cut")))


def test_a_secret_is_not_shown_by_its_details(emulator: Emulator, g2a: Command) -> None:
    """One session, for people, has every attribute but the secret ones, and links show no user token."""
    session = emulator.state.add_session(status="waiting", notes="line one\nline two")
    out = g2a("sessions", "get", str(session.session_id), "-o", "table")[1]
    assert "customerJoinUrl" in out
    assert "***" in out
    assert session.session_token not in out
    link = emulator.state.add_system_link(user_token="user-t0ken")
    for output in Format:
        assert "user-t0ken" not in g2a("links", "list", link.system_domain, "-o", output)[1]
    assert json.loads(g2a("links", "list", link.system_domain, "--show-secrets")[1])["userToken"] == "user-t0ken"
