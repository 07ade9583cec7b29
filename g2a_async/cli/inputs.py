"""What a command is given besides its options: IDs, from its arguments or stdin, and secrets, never from arguments."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from g2a_async.errors import ConfigError

STDIN = "-"


def ids(values: Sequence[str], *keys: str) -> list[str]:
    """*values*; `-` stands for what stdin has: an ID a line, or JSON lines that name it as one of *keys*.

    ValueError: a line has none.
    """
    return [one for value in values for one in (_lines(keys) if value == STDIN else [value])]


def _lines(keys: Sequence[str]) -> Iterator[str]:
    for number, line in enumerate(sys.stdin, 1):
        text = line.strip()
        if text.startswith("{"):
            yield _named(text, keys, number)
        elif text:
            yield text


def _named(text: str, keys: Sequence[str], number: int) -> str:
    try:
        row = json.loads(text)
    except ValueError:
        row = {}
    row |= row.get("session") or {}  # a line of `sessions watch`
    found = next((row[key] for key in keys if row.get(key) is not None), None)
    if found is None:
        raise ValueError(f"line {number} of stdin is JSON without {' or '.join(keys)}")
    return str(found)


def secret(variable: str, meaning: str, file: Path | None = None) -> str:
    """*meaning*: from *file* (`-`: stdin), from the variable, or as the user types it, hidden. ConfigError: nowhere."""
    if file is not None:
        text = sys.stdin.readline() if str(file) == STDIN else file.read_text(encoding="utf-8")
        if not text.strip():
            raise ConfigError(f"{'stdin' if str(file) == STDIN else file} is empty: it should hold {meaning}")
        return text.strip()
    if text := os.environ.get(variable, "").strip():
        return text
    if not sys.stdin.isatty():
        raise ConfigError(f"set {variable}: there is no terminal to ask on")
    return hidden(f"{meaning[:1].upper()}{meaning[1:]} (it stays hidden): ")


def hidden(prompt: str) -> str:
    """What the user types, unseen. ConfigError: nothing."""
    import getpass  # noqa: PLC0415  seldom needed

    try:
        text = getpass.getpass(prompt, stream=sys.stderr).strip()
    except EOFError:
        text = ""
    if not text:
        raise ConfigError("nothing was given")
    return text
