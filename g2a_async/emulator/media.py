"""The files of a recording, made from its ID when they are asked for: a playable MP4, a picture, the chat."""

import zlib
from hashlib import shake_128
from struct import pack
from typing import Any, Final

from g2a_async.emulator.rows import Recording
from g2a_async.emulator.wire import dumps, write_time

_WIDTH: Final = 64
_HEIGHT: Final = 48
_SPS: Final = bytes.fromhex("6742c00ad9047b011000000300100000030020f1226480")
_PPS: Final = bytes.fromhex("68cb83cb20")
_FRAME: Final = bytes.fromhex("0000001d658884057c4628000aefc700010218e00024a72727275d75d75d75d780")
"""One green picture in H.264, its length first."""

_SECOND: Final = 1000
_UNITY: Final = pack(">9I", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return pack(">I4s", len(body) + 8, kind) + body


def _full(kind: bytes, *parts: bytes, flags: int = 0) -> bytes:
    return _box(kind, pack(">I", flags), *parts)


_FTYP: Final = _box(b"ftyp", b"isom", pack(">I", 512), b"isomiso2avc1mp41")


def _sample_table(frames: int, offset: int) -> bytes:
    parameters = _box(
        b"avcC",
        b"\x01" + _SPS[1:4] + b"\xff\xe1",
        pack(">H", len(_SPS)) + _SPS,
        b"\x01" + pack(">H", len(_PPS)) + _PPS,
    )
    picture = pack(">6xH16xHH2I4xH32xHh", 1, _WIDTH, _HEIGHT, 72 << 16, 72 << 16, 1, 24, -1)
    return _box(
        b"stbl",
        _full(b"stsd", pack(">I", 1), _box(b"avc1", picture, parameters)),
        _full(b"stts", pack(">3I", 1, frames, _SECOND)),
        _full(b"stsc", pack(">4I", 1, 1, frames, 1)),
        _full(b"stsz", pack(">2I", len(_FRAME), frames)),
        _full(b"stco", pack(">2I", 1, offset)),
    )


def _moov(frames: int, offset: int) -> bytes:
    """The description of *frames* pictures, one a second, that start at *offset*."""
    length = frames * _SECOND
    media = _box(
        b"mdia",
        _full(b"mdhd", pack(">4I2H", 0, 0, _SECOND, length, 0x55C4, 0)),
        _full(b"hdlr", pack(">4x4s12x", b"vide"), b"Screen\0"),
        _box(
            b"minf",
            _full(b"vmhd", bytes(8), flags=1),
            _box(b"dinf", _full(b"dref", pack(">I", 1), _full(b"url ", flags=1))),
            _sample_table(frames, offset),
        ),
    )
    header = pack(">5I8x4H", 0, 0, 1, 0, length, 0, 0, 0, 0) + _UNITY + pack(">2I", _WIDTH << 16, _HEIGHT << 16)
    movie = pack(">5IH10x", 0, 0, _SECOND, length, 1 << 16, 1 << 8) + _UNITY + pack(">24xI", 2)
    return _box(b"moov", _full(b"mvhd", movie), _box(b"trak", _full(b"tkhd", header, flags=3), media))


_FIXED: Final = len(_FTYP) + len(_moov(1, 0)) + 16


def frames(recording: Recording) -> int:
    """Its length in seconds, which is as many pictures."""
    return 3 + recording.recording_id % 8


def mp4_size(recording: Recording) -> int:
    """How many bytes `mp4` gives."""
    return _FIXED + recording.padding + frames(recording) * len(_FRAME)


def mp4(recording: Recording) -> bytes:
    """A playable file whose bytes differ with the ID."""
    count = frames(recording)
    offset = _FIXED + recording.padding
    noise = shake_128(str(recording.recording_id).encode()).digest(recording.padding)
    return b"".join((_FTYP, _moov(count, offset), _box(b"free", noise), _box(b"mdat", _FRAME * count)))


def thumbnail(recording: Recording) -> bytes:
    """A PNG of one colour."""
    colour = shake_128(str(recording.recording_id).encode()).digest(3)
    rows = (b"\0" + colour * _WIDTH) * _HEIGHT
    chunks = (
        (b"IHDR", pack(">2I5B", _WIDTH, _HEIGHT, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def events(recording: Recording) -> bytes:
    """What happened in the session, as JSON."""
    lines: list[dict[str, Any]] = [
        {"timeStamp": write_time(line.time), "participantName": line.name, "content": line.text}
        for line in recording.events
    ]
    start = write_time(recording.started_at)
    return dumps({"recordingId": recording.recording_id, "startTime": start, "events": lines}).encode()
