"""Whether bytes are what a file should be: an error page is never saved as a recording. No I/O here."""

import json
import re
from typing import Final

from g2a_async.downloads.sink import Part

HEAD: Final = 12
"""Bytes of a file that tell what it is."""
WHOLE: Final = 1 << 20
"""Bytes up to which a file is looked at as a whole, where its kind needs that."""

_PICTURES: Final = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8|RIFF....WEBP", re.DOTALL)
_MARKUP: Final = re.compile(
    rb"\s*(?:<!--.*?-->\s*)*(?:<\?xml[^>]*>\s*)?<(?:!doctype html|html|head|body|error)\b", re.IGNORECASE | re.DOTALL
)
_ERRORS: Final = frozenset({"error", "errors", "errorcode", "int_err_code"})
_ABOUT_ERRORS: Final = frozenset({"message", "msg", "code", "status", "description", "detail", "incident", "requestid"})
"""What an object that has nothing else in it tells is an error, too."""


def flaw_of_head(kind: Part, content_type: str, head: bytes) -> str | None:
    """What is wrong with a file of this *kind* that begins so. None: nothing."""
    media = content_type.partition(";")[0].strip().lower()
    if media in {"text/html", "application/xhtml+xml"}:
        return "what came is a web page"
    if kind == "mp4":
        return None if head[4:8] == b"ftyp" and not media.endswith("json") else "what came is not an MP4"
    if kind == "thumbnail":
        return None if _PICTURES.match(head) and not media.endswith("json") else "what came is not a picture"
    return None


def flaw_of_whole(kind: Part, content_type: str, content: bytes) -> str | None:
    """What is wrong with this whole, small file. The form of events is unpublished: only what they cannot be is."""
    if kind != "events":
        return None
    if not content.strip():
        return "what came is empty"
    if _MARKUP.match(content):
        return "what came is a web page or an error"
    is_json = content_type.partition(";")[0].strip().lower().endswith("json") or content.lstrip()[:1] in {b"{", b"["}
    try:
        value = json.loads(content) if is_json else None
    except (ValueError, RecursionError):
        return "what came is not whole JSON"
    names = {name.lower() for name in value} if isinstance(value, dict) else set[str]()
    is_error = not names.isdisjoint(_ERRORS) or (names and names <= _ABOUT_ERRORS)
    return "what came is an error" if is_error else None
