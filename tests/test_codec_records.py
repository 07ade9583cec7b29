"""What comes out of the codec are real records, as if they had been made by hand."""

import copy
import pickle
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from g2a_async.codec import structure
from g2a_async.records import (
    AvailableRecordings,
    Company,
    Machine,
    MachineStatus,
    OpenEnum,
    Record,
    RecordingFiles,
    Session,
    SessionStatus,
    StartedSession,
    SupportedCallbacks,
    SystemLink,
    Ticket,
    Transcript,
    TranscriptEvent,
)

MINIMAL: dict[type[Record], dict[str, Any]] = {
    AvailableRecordings: {"readyForTranscode": [1], "readyForDownload": ["2"]},
    Company: {"companyId": 1},
    Machine: {"machineUuid": "m", "machineStatus": "ASLEEP"},
    RecordingFiles: {"recordingId": 1, "recordingUrl": "https://files.example/1"},
    Session: {"sessionId": 1, "status": "paused", "collaborators": [{"name": "Bo"}], "startedAt": 1},
    StartedSession: {"launchUrl": "https://launch.example/"},
    SupportedCallbacks: {},
    SystemLink: {"supportedCallbacks": {"createObject": "true"}},
    Ticket: {"id": 1, "sessionIds": [1]},
    Transcript: {"events": [{"content": "Hi"}]},
    TranscriptEvent: {},
}


each_record = pytest.mark.parametrize("kind", MINIMAL, ids=lambda kind: kind.__name__)


@each_record
def test_what_is_read_is_a_real_record(kind: type[Record]) -> None:
    """A record that was read is as one that was made by hand: frozen, equal, hashable, and free of a `__dict__`."""
    record: Any = structure({**MINIMAL[kind], "new": 1}, kind)
    fields = attrs.fields(kind)  # type: ignore[arg-type]  # every record is an attrs class
    made = kind(**{field.name: getattr(record, field.name) for field in fields})
    assert type(record) is kind
    assert (record, hash(record), repr(record)) == (made, hash(made), repr(made))
    assert not hasattr(record, "__dict__")
    assert len({record, made}) == 1
    for field in fields:
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(record, field.name, 1)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        delattr(record, "extra")


@each_record
def test_records_are_copied_and_pickled(kind: type[Record]) -> None:
    """A record goes through pickle, copy, deepcopy and evolve, its unknown attributes and enumerations included."""
    record: Any = structure({**MINIMAL[kind], "new": {"a": [1]}}, kind)
    copies = [copy.copy(record), copy.deepcopy(record), attrs.evolve(record)]
    copies += [pickle.loads(pickle.dumps(record, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)]
    for one in copies:
        assert (type(one), one, one.extra, hash(one)) == (kind, record, {"new": {"a": [1]}}, hash(record))
    assert attrs.evolve(record, extra={}) != record


@pytest.mark.parametrize("kind", [SessionStatus, MachineStatus])
@given(value=st.text())
def test_an_unknown_status_survives(kind: type[OpenEnum], value: str) -> None:
    """A status that this version does not know is itself, says so, and can be copied, compared and pickled."""
    status = kind(value)
    assert (status, status.value, str(status), type(status)) == (value, value, value, kind)
    assert status.is_known == (value in list(kind))
    for one in (copy.deepcopy(status), pickle.loads(pickle.dumps(status))):
        assert (one, type(one), one.is_known, hash(one)) == (value, kind, status.is_known, hash(status))
    assert value in list(kind) or len(kind) == {SessionStatus: 5, MachineStatus: 4}[kind]
