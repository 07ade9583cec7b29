"""Bytes to records and back: tolerant where the service is, exact always, and never another error than DecodeError."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from types import NoneType
from typing import Any, get_args

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from g2a_async import DecodeError, endpoints
from g2a_async.codec import encode, parse, read, read_list, structure
from g2a_async.records import (
    AvailableRecordings,
    Company,
    Machine,
    OpenEnum,
    Record,
    RecordingFiles,
    Session,
    StartedSession,
    SupportedCallbacks,
    SystemLink,
    Ticket,
    Transcript,
    TranscriptEvent,
)
from g2a_async.records.base import wire_name
from g2a_async.scalars import MismatchError, moment, text, truth, whole

RECORDS: tuple[type[Record], ...] = (
    AvailableRecordings,
    Company,
    Machine,
    RecordingFiles,
    Session,
    StartedSession,
    SupportedCallbacks,
    SystemLink,
    Ticket,
    Transcript,
    TranscriptEvent,
)
each_record = pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
NO_MOMENT = "not a moment in time"

ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(ATOMS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=6)
BIG = st.integers(0, 2**70)
OFFSETS = st.sampled_from(["", "Z", "+00:00", "+0000", "-05:30", "+0530", "+14:00", "-12:00"])


def fields_of(kind: type[Record]) -> dict[str, Any]:
    """The attributes that are on the wire, by their names there."""
    fields = attrs.fields(kind)  # type: ignore[arg-type]  # every record is an attrs class
    return {key: field for field in fields if (key := wire_name(field)) is not None}


def bare(kind: Any) -> Any:
    """The type without its None."""
    return next((part for part in get_args(kind) if part is not NoneType), kind) if NoneType in get_args(kind) else kind


def told(work: Callable[[], object]) -> DecodeError | None:
    """Do it; the DecodeError, if that is how it ends."""
    try:
        work()
    except DecodeError as error:
        return error
    return None


@st.composite
def iso_times(draw: st.DrawFn) -> tuple[str, datetime]:
    """A time as it may be written, and the instant that it means, to the microsecond."""
    local = draw(st.datetimes(datetime(1970, 1, 3), datetime(2200, 1, 1))).replace(microsecond=0)  # noqa: DTZ001
    digits = draw(st.text("0123456789", max_size=9))
    offset = draw(OFFSETS)
    written = local.isoformat() + (f".{digits}" if digits else "") + offset
    sign = -1 if offset.startswith("-") else 1
    hours, minutes = (int(offset[1:3]), int(offset[-2:])) if len(offset) > 1 else (0, 0)
    zone = timezone(sign * timedelta(hours=hours, minutes=minutes))
    return written, local.replace(microsecond=int(digits[:6].ljust(6, "0")), tzinfo=zone)


def wire_values(kind: Any) -> st.SearchStrategy[Any]:
    """What the service may send for an attribute of this type."""
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: st.text() | BIG,
        int: BIG | BIG.map(str),
        bool: st.booleans() | st.sampled_from(["true", "false", "True", "FALSE"]),
        datetime: iso_times().map(lambda pair: pair[0]),
        Any: JSON,
    }
    if kind in plain:
        return plain[kind]
    if issubclass_of(kind, OpenEnum):
        return st.sampled_from([one.value for one in kind]) | st.text()
    if issubclass_of(kind, Record):
        return wire_objects(kind)
    return st.lists(wire_values(get_args(kind)[0]), max_size=3)


def issubclass_of(kind: Any, base: type) -> bool:
    """Whether this is a class of that family."""
    return isinstance(kind, type) and issubclass(kind, base)


def wire_objects(kind: type[Record]) -> st.SearchStrategy[dict[str, Any]]:
    """What the service may send for a record, with attributes that nobody knows yet."""
    required, optional = {}, {}
    for key, field in fields_of(kind).items():
        if field.default is attrs.NOTHING:
            required[key] = wire_values(bare(field.type))
        else:
            optional[key] = st.none() | wire_values(bare(field.type))
    unknown = st.dictionaries(st.text(min_size=1).map(lambda name: f"new{name}"), JSON, max_size=2)
    return st.builds(lambda known, new: new | known, st.fixed_dictionaries(required, optional=optional), unknown)


@given(iso_times())
@settings(deadline=None)
def test_every_form_of_time_is_the_same_instant(time: tuple[str, datetime]) -> None:
    """Fractions of 0 to 9 digits, every form of offset, none for UTC: the right instant, aware, in UTC."""
    written, expected = time
    found = structure({"timeStamp": written}, TranscriptEvent).time_stamp
    assert found is not None
    assert (found, found.tzinfo) == (expected, UTC)
    again = structure(structure({"timeStamp": written}, TranscriptEvent).to_dict(), TranscriptEvent)
    assert again.time_stamp == found


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", None),
        ("  ", None),
        (1_619_762_400, datetime(2021, 4, 30, 6, tzinfo=UTC)),
        (1_619_762_400_500, datetime(2021, 4, 30, 6, microsecond=500_000, tzinfo=UTC)),
        ("2021-04-30 06:00:00Z", datetime(2021, 4, 30, 6, tzinfo=UTC)),
        ("2021-04-30", datetime(2021, 4, 30, tzinfo=UTC)),
        ("20210430T060000Z", datetime(2021, 4, 30, 6, tzinfo=UTC)),
        ("soon", NO_MOMENT),
        ("2021-13-30T06:00:00Z", NO_MOMENT),
        ("0001-01-01T00:00:00+14:00", NO_MOMENT),
        (True, NO_MOMENT),
        (10**30, NO_MOMENT),
        (float("nan"), NO_MOMENT),
        (float("inf"), NO_MOMENT),
        ([], NO_MOMENT),
    ],
)
def test_other_times(value: Any, expected: Any) -> None:
    """Empty text is no time, numbers count from 1970, and what is no time is told as that."""
    if expected is NO_MOMENT:
        with pytest.raises(MismatchError):
            moment(value)
    else:
        assert moment(value) == expected


@given(st.integers(-(2**80), 2**80))
def test_identifiers_are_exact(number: int) -> None:
    """A whole number of any size comes out as itself, sent as a number or as digits, and goes back as itself."""
    for body in (f'{{"companyId": {number}}}', f'{{"companyId": "{number}"}}'):
        company = read(body.encode(), Company, endpoints.LIST_COMPANIES)
        assert company.company_id == number
        assert type(company.company_id) is int
        assert json.loads(encode(company)) == {"companyId": number}
    assert read(f'{{"id": {number}}}'.encode(), Ticket, endpoints.CREATE_TICKET).id == str(number)


@pytest.mark.parametrize("value", [True, False, 1.0, None, [], {}, ["a"], b"a"], ids=repr)
def test_text_is_not_made_up(value: Any) -> None:
    """Neither a truth value nor a fraction, nothing or a container becomes text."""
    with pytest.raises(MismatchError):
        text(value)


@pytest.mark.parametrize(
    "value",
    [True, 1.0, 1e3, None, "1.0", " 1", "1 ", "", "-", "--1", "+1", "1_0", "0x1", "１", "²", "1" * 41, [], [1], {}],  # noqa: RUF001
    ids=repr,
)
def test_numbers_are_not_made_up(value: Any) -> None:
    """Only a whole number, or its decimal digits, is a whole number."""
    with pytest.raises(MismatchError):
        whole(value)


@pytest.mark.parametrize("value", [0, 1, "yes", "1", "", "None", None, 1.0, [], ["true"], {}], ids=repr)
def test_truth_is_not_made_up(value: Any) -> None:
    """Only true and false, also as text, are truth values."""
    with pytest.raises(MismatchError):
        truth(value)


@each_record
@given(st.data())
@settings(deadline=None, max_examples=15)
def test_a_record_survives_the_way_to_the_wire_and_back(kind: type[Record], data: st.DataObject) -> None:
    """Whatever tolerated form came in: `to_dict()` is read as an equal record, and loses no unknown attribute."""
    sent = data.draw(wire_objects(kind))
    record = structure(sent, kind)
    assert structure(record.to_dict(), kind) == record
    assert read(encode(record), kind, endpoints.GET_SESSION) == record
    unknown = {key: value for key, value in sent.items() if key not in fields_of(kind)}
    assert record.extra == unknown  # type: ignore[attr-defined]  # every record has it
    assert {key: record.to_dict()[key] for key in unknown} == unknown


@each_record
@given(st.data())
@settings(deadline=None, max_examples=30)
def test_any_value_in_any_place_is_read_or_told(kind: type[Record], data: st.DataObject) -> None:
    """Any JSON in place of any attribute: a record, or a DecodeError that says where, and never what was there."""
    sent = data.draw(wire_objects(kind))
    key = data.draw(st.sampled_from(sorted(fields_of(kind))))
    junk = data.draw(JSON | st.just("s3cr3t-value"))
    error = told(lambda: structure(structure({**sent, key: junk}, kind, "sessions.get").to_dict(), kind))
    if error is not None:
        assert error.path == f"$.{key}" or error.path.startswith((f"$.{key}.", f"$.{key}["))
        assert error.expected
        assert error.operation == "sessions.get"
        assert "s3cr3t" not in f"{error} {error!r}"


@each_record
@given(junk=JSON)
@settings(deadline=None, max_examples=15)
def test_any_answer_is_read_or_told(kind: type[Record], junk: Any) -> None:
    """Any JSON as an answer, single or as a list: records, or a DecodeError."""
    body = json.dumps(junk).encode()
    for call in (endpoints.LIST_COMPANIES, endpoints.LIST_MACHINES, endpoints.GET_TRANSCRIPT):
        single = told(partial(read, body, kind, call))
        many = told(partial(read_list, body, kind, call, by=call.map_key))
        for error in filter(None, (single, many)):
            assert error.path.startswith("$")
            assert error.operation == call.name


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_json_or_told(body: bytes) -> None:
    """Bytes are JSON, or a DecodeError."""
    error = told(partial(parse, body))
    assert error is None or error.path == "$"


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 200_000, b"1" * 10_000, b'"\\ud800"', b"\xff\xfe", b""])
def test_hostile_json_is_told(body: bytes) -> None:
    """Bottomless nesting, endless digits, half characters and nothing at all are DecodeErrors."""
    with pytest.raises(DecodeError):
        parse(body)


@given(st.lists(wire_objects(Company), max_size=4), st.text().filter(lambda name: not name.lower().startswith("total")))
@settings(deadline=None, max_examples=40)
def test_a_list_is_found_bare_or_wrapped(rows: list[Any], name: str) -> None:
    """A list is the same bare, under the published name, or under any other as the only list."""
    call = endpoints.LIST_COMPANIES
    expected = tuple(structure(row, Company) for row in rows)
    for data in (rows, {"companies": rows, "others": []}, {name: rows, "totalNumCompanies": "9"}):
        items, total = read_list(json.dumps(data).encode(), Company, call)
        assert items == expected
        assert total == (9 if "totalNumCompanies" in data else None)


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"companies": [{"companyId": 1}, {"companyId": []}]}, "$.companies[1].companyId"),
        ([{"companyId": 1}, {}], "$[1].companyId"),
        ({"rows": [3]}, "$.rows[0]"),
        ({"companies": 3}, "$.companies"),
        ({"a": [], "b": []}, "$"),
        ({}, "$"),
        (3, "$"),
    ],
)
def test_a_list_that_is_none_says_where(data: Any, path: str) -> None:
    """The path leads through the envelope and the index to the attribute."""
    with pytest.raises(DecodeError) as caught:
        read_list(json.dumps(data).encode(), Company, endpoints.LIST_COMPANIES)
    assert (caught.value.path, caught.value.operation) == (path, "companies.list")


@pytest.mark.parametrize(
    "data", [{"tickets": [{"id": 1}], "totalPages": 3}, {"tickets": [{"id": 1}], "total_shown": 1}]
)
def test_a_count_of_something_else_is_no_total(data: Any) -> None:
    """A number of pages is not taken for the number of records: the walk would end after the first page."""
    assert read_list(json.dumps(data).encode(), Ticket, endpoints.SEARCH_TICKETS)[1] is None


@pytest.mark.parametrize(
    "value", [object(), {"a": object()}, "\ud800", {"a": {1, object()}}, [float("nan")]], ids=[*"abcde"]
)
def test_what_json_cannot_hold_is_a_value_error(value: Any) -> None:
    """A body that cannot be written is refused as a bad argument."""
    with pytest.raises(ValueError, match="JSON"):
        encode(value)
