"""What an answer to a request for a file, or for the rest of one, means (RFC 9110, sections 13 and 14). No I/O here.

Nothing is believed that the answer does not show: a server may leave out `If-Range`, and still answer with 206.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Final

from attrs import frozen

from g2a_async.downloads.sink import Validators
from g2a_async.exchange import http_date

_STRONG: Final = re.compile(r'"[\x21\x23-\x7e]*"')
_RANGE: Final = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(?:(\d{1,18})|\*)", re.IGNORECASE)
_SETTLED: Final = timedelta(minutes=1)
"""A file that was changed less than this before the answer may change once more and show the same time of change."""

_date: Final = lru_cache(256)(http_date)
"""Files of one second, or made by one copy, have the same."""


@frozen
class Body:
    """Bytes of the file follow."""

    start: int
    """Where in the file the first of them belongs."""
    stop: int | None
    """Where they end; None: where the body does."""
    validators: Validators
    """Whose bytes they are."""
    is_whole: bool
    """Whether they are the whole file, from its first byte on, whatever is held of it."""
    ends_itself: bool
    """Whether a body that was cut shows: it has a length, or comes in chunks."""


@frozen
class Complete:
    """What is held is the whole file."""


@frozen
class Misfit:
    """The answer does not fit what is held: the file is asked for anew, all of it."""

    reason: str


def can_resume(validators: Validators | None) -> bool:
    """Whether the rest of this version of a file can be asked for, and told from that of another one."""
    return validators is not None and bool(validators.etag or validators.last_modified)


def request_headers(held: int, validators: Validators | None) -> dict[str, str]:
    """The headers that ask for all but the first *held* bytes; none when nothing can be gone on from."""
    if not held or validators is None or not can_resume(validators):
        return {}
    return {"Range": f"bytes={held}-", "If-Range": validators.etag or validators.last_modified or ""}


def judge(
    status: int, headers: Mapping[str, str], held: int, validators: Validators | None
) -> Body | Complete | Misfit:
    """What 200, or 206 or 416 after `request_headers(held, validators)`, with these headers means."""
    known, found = validators or Validators(), _validators(headers)
    if status == 200:  # noqa: PLR2004
        return Body(0, found.total, found, is_whole=True, ends_itself=_has_length(headers))
    written = _RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if written is None:
        return Misfit("the answer does not tell which part of the file it is")
    first, last, total = (None if text is None else int(text) for text in written.groups())
    if total is not None and known.total not in {None, total}:
        return Misfit("the file has another size than before")
    if not _same(known, found):
        return Misfit("the answer does not show that it is the same file as before")
    if status == 416:  # noqa: PLR2004
        return Complete() if total == held else Misfit("the file ends before what there is of it")
    told = Validators(known.etag, known.last_modified, known.total if total is None else total)
    return _part(first, last, held, told, found.total, headers)


def _part(
    first: int | None, last: int | None, held: int, told: Validators, length: int | None, headers: Mapping[str, str]
) -> Body | Misfit:
    if first is None or last is None or _is_encoded(headers):
        return Misfit("the answer is no plain part of the file")
    fits = first <= held <= last and (told.total is None or last < told.total)
    if not fits or length not in {None, last + 1 - first}:
        return Misfit("the answer is another part of the file than was asked for")
    return Body(first, last + 1, told, is_whole=False, ends_itself=True)


def _validators(headers: Mapping[str, str]) -> Validators:
    etag, changed = headers.get("ETag", "").strip(), headers.get("Last-Modified", "").strip()
    length = headers.get("Content-Length", "").strip()
    at, now = _date(changed), _date(headers.get("Date", ""))
    settled = changed.isascii() and changed.isprintable() and at and now and now - at >= _SETTLED
    encoded = _is_encoded(headers)  # then they are of what the bytes were made into
    return Validators(
        etag if _STRONG.fullmatch(etag) and not encoded else None,
        changed if settled and not encoded else None,
        int(length) if re.fullmatch(r"\d{1,18}", length) and not encoded else None,
    )


def _same(known: Validators, found: Validators) -> bool:
    """Whether both are of one version, and something shows it."""
    pairs = ((known.etag, found.etag), (known.last_modified, found.last_modified))
    both = [one == other for one, other in pairs if one and other]
    return bool(both) and all(both)


def _is_encoded(headers: Mapping[str, str]) -> bool:
    return headers.get("Content-Encoding", "").strip().lower() not in {"", "identity"}


def _has_length(headers: Mapping[str, str]) -> bool:
    return "Content-Length" in headers or "chunked" in headers.get("Transfer-Encoding", "").lower()
