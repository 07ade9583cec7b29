"""Names of files: from a template, valid on Linux, Windows and macOS, and never outside the root."""

import re
import string
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

from attrs import frozen

from g2a_async.downloads.sink import Part

try:
    from pathvalidate import sanitize_filename
except ModuleNotFoundError:
    raise ImportError("the archive needs what its extra brings: pip install 'g2a-async[archive]'") from None

UNDATED: Final = "undated"
"""What stands for the start of a recording whose start nobody knows."""
KEYS: Final = ("account_key", "user_key", "company_id")
"""Fields that a run is given: the service does not tell them of a recording."""

_FIELDS: Final = frozenset({"started", "recording_id", *KEYS})
_EXTENSIONS: Final[Mapping[Part, str]] = {"mp4": ".mp4", "events": ".events.json", "thumbnail": ".png"}
_SIDECAR: Final = ".json"
_OURS: Final = (".mp4", ".events", ".json", ".png", ".jpg", ".part", ".tmp")
_OWN: Final = ".g2a-archive"
_MOST_BYTES: Final = 180
"""Of a component: file systems take 255, and extensions follow."""
_MOST_OF_A_VALUE: Final = 80
_ANY: Final = 10_000
"""Characters that need not be counted yet."""
_MOST: Final = 180
"""Characters of a path: Windows takes 260, with the folder that it is in."""
_DIRECTIVES: Final[Mapping[str, Callable[[datetime], str]]] = {
    "Y": lambda time: f"{time.year:04}",
    "y": lambda time: f"{time.year % 100:02}",
    "m": lambda time: f"{time.month:02}",
    "d": lambda time: f"{time.day:02}",
    "j": lambda time: f"{time.timetuple().tm_yday:03}",
    "H": lambda time: f"{time.hour:02}",
    "M": lambda time: f"{time.minute:02}",
    "S": lambda time: f"{time.second:02}",
    "G": lambda time: f"{time.isocalendar().year:04}",
    "V": lambda time: f"{time.isocalendar().week:02}",
    "u": lambda time: f"{time.isoweekday()}",
}
"""Numbers alone: names of months and days depend on the machine."""
_DIRECTIVE: Final = re.compile(r"%(.?)", re.DOTALL)
_SAMPLE: Final = datetime(2024, 12, 30, 23, 59, 59, tzinfo=UTC)


@frozen
class Template:
    """How recordings are called: text with fields in braces, `{started:%Y/%m/%d}/{recording_id}`.

    ValueError: it is none, or names something that is not valid everywhere.
    """

    text: str
    """As it was given; an extension `.mp4` counts for nothing."""

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text:
            raise ValueError("template must be a text such as {started:%Y/%m/%d}/{recording_id}")
        tokens = self._tokens
        if "recording_id" not in {name for _, name, _ in tokens}:
            raise ValueError("template must hold {recording_id}, or two recordings could have one name")
        sample = self._joined(9_999_999_999_999_999_999, _SAMPLE, dict.fromkeys(KEYS, "9" * 20))
        safe = "/".join(map(_component, sample.split("/")))
        if safe != sample:
            raise ValueError(
                f"template gives {sample!r}, which is not a path that is valid on every system: {safe!r} would be"
            )
        if len(sample) > _MOST:
            raise ValueError(f"template gives a path of {len(sample)} characters: more than {_MOST} are too many")

    @property
    def fields(self) -> frozenset[str]:
        """The names of its fields."""
        return frozenset(name for _, name, _ in self._tokens if name)

    def stem(self, recording_id: int, started: datetime | None, keys: Mapping[str, str | None]) -> str:
        """The path of a recording's files, without their extensions."""
        return "/".join(map(_component, self._joined(recording_id, started, keys).split("/")))

    def _joined(self, recording_id: int, started: datetime | None, keys: Mapping[str, str | None]) -> str:
        pieces = []
        for literal, name, spec in self._tokens:
            pieces.append(literal)
            if name == "started":
                pieces.append(UNDATED if started is None else _dated(started.astimezone(UTC), spec))
            elif name == "recording_id":
                pieces.append(str(recording_id))
            elif name:
                pieces.append(_value(keys.get(name) or "none"))
        return "".join(pieces)

    @cached_property
    def _tokens(self) -> list[tuple[str, str, str]]:
        """Its literal texts, each with the field that follows and the field's format."""
        text = unicodedata.normalize("NFC", self.text)
        text = text[:-4] if text[-4:].lower() == ".mp4" else text
        try:
            tokens = list(string.Formatter().parse(text))
        except ValueError as error:
            raise ValueError(f"template {self.text!r} cannot be read: {error}") from None
        for _, name, spec, conversion in tokens:
            if name is None:
                continue
            if name not in _FIELDS or conversion:
                raise ValueError(f"template has no field {{{name}}}; there are {', '.join(sorted(_FIELDS))}")
            if "{" in (spec or ""):
                raise ValueError(f"template's field {{{name}}} has a field in its format")
            if spec and name != "started":
                raise ValueError(f"template's field {{{name}}} takes no format; only {{started}} does")
            for directive in _DIRECTIVE.findall(spec or ""):
                if directive not in _DIRECTIVES:
                    known = ", ".join(f"%{one}" for one in _DIRECTIVES)
                    raise ValueError(f"template's {{started}} has %{directive}; there are {known}")
        return [(literal, name or "", spec or "") for literal, name, spec, _ in tokens]


def path_of(stem: str, part: Part, url: str = "") -> str:
    """Where a part of the recording goes; its *url* may tell that a picture is a JPEG."""
    if part == "thumbnail" and urlsplit(url).path.lower().endswith((".jpg", ".jpeg")):
        return f"{stem}.jpg"
    return stem + _EXTENSIONS[part]


def sidecar_of(stem: str) -> str:
    """Where what is known of the recording goes."""
    return stem + _SIDECAR


def same(stem: str) -> str:
    """What two stems have in common that are one name on a file system which ignores case."""
    return unicodedata.normalize("NFC", stem.casefold())


def _dated(time: datetime, spec: str) -> str:
    return _DIRECTIVE.sub(lambda found: _DIRECTIVES[found[1]](time), spec or "%Y%m%dT%H%M%SZ")


def _value(value: str) -> str:
    """A value as part of a name: it brings no folders."""
    text = re.sub(r"[/\\]", "_", value)
    return text if len(text) <= _MOST_OF_A_VALUE else f"{text[: _MOST_OF_A_VALUE - 9]}-{_digest(value)}"


def _digest(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]


def _component(text: str) -> str:
    """*text* as the name of a file or folder: itself, where it is valid everywhere."""
    if text.isascii() and text.isdigit() and len(text) <= _MOST_BYTES:
        return text  # an ID: to hold it against every rule takes as long as a small file's request
    return _valid(text)


@lru_cache(1024)
def _valid(text: str) -> str:
    plain = "".join("_" if unicodedata.category(one)[0] == "C" else one for one in text)
    plain = unicodedata.normalize("NFC", plain).strip().rstrip(". ")
    safe = str(sanitize_filename(plain, replacement_text="_", platform="universal", max_len=_ANY))
    safe = safe.strip().rstrip(". ") or "_"
    if safe.casefold().startswith(_OWN) or re.fullmatch(r"(?i)con(in|out)\$(\..*)?", safe):
        safe = f"_{safe}"
    if safe.casefold().endswith(_OURS):
        safe += "_"
    if len(safe.encode()) > _MOST_BYTES:
        cut = safe.encode()[: _MOST_BYTES - 10].decode(errors="ignore")
        safe = f"{cut.rstrip('. ')}-{_digest(text)}"
    return safe
