"""Amounts of bytes, as people type them."""

import re
from typing import Final

import typer

_RATE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?)(i?)(?:b?(?:/s)?)", re.IGNORECASE | re.ASCII)
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3}


def parse_rate(text: str) -> float:
    """Bytes a second, such as `500k`, `10M` or `1.5Mi`. BadParameter: it is none, or zero."""
    found = _RATE.fullmatch(text.strip())
    rate = float(found[1]) * (1024 if found[3] else 1000) ** _POWERS[found[2].lower()] if found else 0.0
    if not rate or (found and found[3] and not found[2]):
        raise typer.BadParameter(f"{text!r} is no number of bytes: write 800000, 500k, 10M, 1G, or 512Ki and 10Mi")
    return rate
