"""Times and lengths of time, as people type them."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import typer

from g2a_async.cli.times import check_range, parse_seconds, parse_span, parse_time


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", timedelta(seconds=90)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        (" 7D ", timedelta(days=7)),
        ("2w", timedelta(days=14)),
        ("0.5h", timedelta(minutes=30)),
        ("1m1m", timedelta(minutes=2)),
    ],
)
def test_spans(text: str, span: timedelta) -> None:
    """Numbers with units, one after the other, in any case."""
    assert parse_span(text) == span


@pytest.mark.parametrize("text", ["", "5", "h", "1y", "-1h", "0s", "1.2.3h", "1 h", "9" * 20 + "w", "٣h", "nan"])
def test_what_is_no_span(text: str) -> None:
    """Is told together with what would be one; so is nothing, and more than a calendar holds."""
    with pytest.raises(typer.BadParameter, match="90s, 30m"):
        parse_span(text)


@pytest.mark.parametrize(("text", "seconds"), [("5", 5), (" 0.5 ", 0.5), ("2m", 120), ("1d", 86_400)])
def test_seconds(text: str, seconds: float) -> None:
    """A number alone is in seconds."""
    assert parse_seconds(text) == seconds


def test_how_long_ago() -> None:
    """A length is counted back from now."""
    assert abs(parse_time("2h") - (datetime.now(UTC) - timedelta(hours=2))) < timedelta(seconds=5)
    assert abs(parse_time("now") - datetime.now(UTC)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-01T12:00:00Z", datetime(2026, 5, 1, 12, tzinfo=UTC)),
        ("2026-05-01T12:00:00+02:00", datetime(2026, 5, 1, 10, tzinfo=UTC)),
        ("2026-05-01", datetime(2026, 4, 30, 18, 30, tzinfo=UTC)),
        ("2026-05-01T12:00", datetime(2026, 5, 1, 6, 30, tzinfo=UTC)),
        ("2026-05-01 12:00", datetime(2026, 5, 1, 6, 30, tzinfo=UTC)),
    ],
)
def test_moments(text: str, moment: datetime, local_zone: Callable[[str], None]) -> None:
    """A zone counts where there is one; otherwise it is local time, and a date its midnight."""
    local_zone("UTC-05:30")  # as POSIX writes what is five and a half hours ahead
    assert parse_time(text) == moment
    assert time.timezone == -19_800


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01", "2026-05-01T25:00", "999999w", "0001-01-01T00:00+23:00"]
)
def test_what_is_no_moment(text: str) -> None:
    """Is told together with what would be one."""
    with pytest.raises(typer.BadParameter, match="is no time: write 2026-05-01"):
        parse_time(text)


def test_a_range_has_an_order() -> None:
    """One that ends before it begins, or begins in the future without an end, is told."""
    now = datetime.now(UTC)
    check_range(now - timedelta(hours=1), None)
    for since, until in (now, now - timedelta(hours=1)), (now + timedelta(hours=1), None):
        with pytest.raises(ValueError, match=r"--since is later than (now|--until)"):
            check_range(since, until)
