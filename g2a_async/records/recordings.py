"""Recordings: which there are, and where their files are."""

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from typing import Any

from attrs import field, frozen

from g2a_async.records.base import WIRE_NAME, WIRE_TYPE, Record, masked


class SessionKind(IntEnum):
    """The kinds of session, as the recordings calls number them."""

    ATTENDED = 0
    """A customer was there."""
    UNATTENDED = 1
    """Nobody was there."""


@frozen(kw_only=True, weakref_slot=False)
class AvailableRecordings(Record):
    """IDs of recordings, in order of their start."""

    ready_for_transcode: tuple[int, ...]
    """Must be transcoded before they can be downloaded."""
    ready_for_download: tuple[int, ...]
    """Can be downloaded."""
    truncated: bool = field(default=False, metadata={WIRE_NAME: None})
    """A list is full: there may be more in this range."""
    extra: Mapping[str, Any] = field(factory=dict, hash=False, repr=False)
    """Attributes that this version does not know."""


@frozen(kw_only=True, weakref_slot=False)
class RecordingFiles(Record):
    """Where the files of a recording are, for at least 48 hours. The addresses carry their own secret."""

    recording_id: int
    """The recording."""
    recording_url: str = field(repr=masked)
    """The MP4."""
    events_url: str | None = field(default=None, repr=masked)
    """What happened when."""
    thumbnail_url: str | None = field(default=None, repr=masked)
    """A picture."""
    recording_start_time: datetime | None = None
    """When the recording began; UTC."""
    recording_size: int | None = field(default=None, metadata={WIRE_TYPE: str})
    """Bytes of the MP4; a string on the wire."""
    extra: Mapping[str, Any] = field(factory=dict, hash=False, repr=False)
    """Attributes that this version does not know."""
