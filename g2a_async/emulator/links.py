"""Download URLs: signed, expiring, and valid only byte for byte as they were given."""

import hmac
from base64 import b64encode
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Literal
from urllib.parse import parse_qs, quote

from attrs import define, field

from g2a_async.emulator.wire import read_time, refuse, write_time

Part = Literal["mp4", "events", "thumbnail"]

_EXTENSIONS: Final[dict[Part, str]] = {"mp4": "mp4", "events": "events", "thumbnail": "png"}
_PARTS: Final[dict[str, Part]] = {extension: part for part, extension in _EXTENSIONS.items()}
_FOLDER: Final = "/files/"


@define(kw_only=True)
class Links:
    """Makes addresses on the foreign origin."""

    origin: str = ""
    """Where files, launch pages and the partner system are."""
    secret: bytes = field(repr=False)

    def launch(self, token: str) -> str:
        """The page that starts a session."""
        return f"{self.origin}/launch.html?token={quote(token)}"

    def file(self, recording_id: int, part: Part, now: datetime, lifetime: float) -> str:
        """Where a file of a recording is, for *lifetime* seconds.

        The query holds escapes that a client which normalizes URLs would change, and so break the signature.
        """
        name = f"{recording_id}.{_EXTENSIONS[part]}"
        expires = quote(write_time(now + timedelta(seconds=lifetime)), safe="")
        disposition = quote(f'attachment; filename="{name}"', safe="")
        path = f"{_FOLDER}{name}?disposition={disposition}&scope=recordings%2F{recording_id}%7Er&expires={expires}"
        return f"{self.origin}{path}&signature={self._sign(path)}"

    def open(self, target: str, now: datetime) -> tuple[int, Part]:
        """Which file *target* (path and query) is: the recording's ID and the part."""
        path, _, signature = target.partition("&signature=")
        if not hmac.compare_digest(self._sign(path).encode(), signature.encode()):
            refuse(403, "SignatureDoesNotMatch", "The URL is not one that was given out")
        plain, _, query = path.partition("?")
        if now >= read_time(parse_qs(query)["expires"][0]):
            refuse(403, "AccessDenied", "The URL has expired")
        number, _, extension = plain.removeprefix(_FOLDER).partition(".")
        return int(number), _PARTS[extension]

    def _sign(self, path: str) -> str:
        return quote(b64encode(hmac.digest(self.secret, path.encode(), sha256)).decode(), safe="")
