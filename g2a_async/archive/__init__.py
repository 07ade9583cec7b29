"""Recordings to a folder or an object store, each one whole and once. Needs the extra `archive`."""

from g2a_async.archive.archive import RecordingArchive
from g2a_async.archive.destinations import DestinationError
from g2a_async.archive.records import ArchiveEvent, ArchiveFailure, ArchiveReport
from g2a_async.downloads.sink import Part

__all__ = [
    "ArchiveEvent",
    "ArchiveFailure",
    "ArchiveReport",
    "DestinationError",
    "Part",
    "RecordingArchive",
]
