"""What `g2a archive` tells on the way: rates, counts, lines that fit a terminal, and Ctrl-C within one process."""

import asyncio
import io
import signal
from collections.abc import AsyncGenerator

import pytest
import typer
from rich.console import Console

from g2a_async.archive import ArchiveEvent, ArchiveReport
from g2a_async.archive.records import Kind
from g2a_async.archive.words import HERE
from g2a_async.cli.board import Board
from g2a_async.cli.follow import Following
from g2a_async.cli.interrupts import Interrupts
from g2a_async.cli.options import Format
from g2a_async.cli.sizes import parse_rate
from g2a_async.cli.tally import Tally, span
from g2a_async.cli.trouble import show_report
from g2a_async.downloads.sink import Part


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("800000", 8e5),
        ("500k", 5e5),
        (" 1.5M ", 1.5e6),
        ("2G", 2e9),
        ("1Ki", 1024),
        ("10MiB/s", 10 << 20),
        ("3kb", 3e3),
    ],
)
def test_a_rate(text: str, rate: float) -> None:
    """Powers of 1000, and with an i of 1024."""
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["", "0", "0.0M", "-1", "5i", "1e6", "10 Mbit", "1,5M", "k", "\N{ARABIC-INDIC DIGIT ONE}"]
)
def test_no_rate(text: str) -> None:
    """Whatever else is refused."""
    with pytest.raises(typer.BadParameter, match="no number of bytes"):
        parse_rate(text)


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.04, "0.0s"), (4.23, "4.2s"), (59.7, "1m00s"), (192, "3m12s"), (18_420, "5h07m")]
)
def test_a_span(seconds: float, told: str) -> None:
    """As short as it can be read."""
    assert span(seconds) == told


def event(kind: Kind, number: int | None = 1, part: Part | None = "mp4", size: int = 0, **rest: object) -> ArchiveEvent:
    """Something that happens."""
    return ArchiveEvent(kind=kind, recording_id=number, part=part, bytes=size, path=f"{number}.{part}", **rest)  # type: ignore[arg-type]


def test_counts_follow_the_events() -> None:
    """Bytes that were announced give way to those that came; what another archiver took is no longer expected."""
    tally = Tally()
    for number in (1, 2, 3):
        tally.note(event("planned", number, total=100), 0.0)
        tally.note(event("planned", number, "events"), 0.0)
    assert (tally.planned, tally.ended, tally.expected) == (6, 0, 300)
    tally.note(event("started", 1, total=100), 0.0)
    tally.note(event("progress", 1, size=40, total=110), 1.0)
    assert (tally.bytes, tally.expected) == (40, 300)
    tally.note(event("started", 1, "events"), 2.0)
    assert [one.is_over for one in tally.in_hand.values()] == [True, False]
    tally.note(event("done", 1, size=110), 3.0)
    tally.note(event("failed", 1, "events", error="404"), 3.0)
    tally.note(event("skipped", 2, None, error="another archiver fetched it"), 3.0)
    assert (tally.bytes, tally.expected, tally.ended, tally.failed) == (110, 210, 4, 1)
    assert tally.in_hand == {}
    tally.note(event("skipped", 3, size=100, error="it was there already"), 3.0)
    tally.note(event("done", 3, "events", size=5), 3.0)
    assert (tally.bytes, tally.expected, tally.ended) == (115, 115, 6)


def test_a_summary() -> None:
    """Reasons with how often, the most frequent ones first, few of them; those that differ in time alone are one."""
    tally = Tally()
    for number in range(1, 8):
        tally.note(event("failed", number, error=f"the reason {min(number, 6)}"), 0.0)
    for seconds in ("1.01", "0.9", "2.3"):
        tally.note(event("failed", error=f"a web page (3 attempts, {seconds} s)"), 0.0)
    tally.note(event("failed", None, None, error="too many in one second"), 0.0)
    for number in range(2000):
        tally.note(event("skipped", number, None, error=HERE), 0.0)
    assert list(tally.summary(5.0)) == [
        "Fetched nothing.",
        "Skipped 2,000 recordings: already in the archive.",
        "Failed 3 files: a web page (3 attempts).",
        "Failed 2 files: the reason 6.",
        "Failed 1 file: the reason 1.",
        "Failed 1 file: the reason 2.",
        "Failed 1 file: the reason 3.",
        "Failed 3 more, for other reasons.",
    ]
    tally.note(event("done", 9, size=3_000_000), 0.0)
    assert next(tally.summary(2.0)) == "Fetched 1 file, 3.0 MB, in 2.0s (1.5 MB/s)."
    assert next(tally.summary(0.5)) == "Fetched 1 file, 3.0 MB, in 0.5s."


def busy() -> Tally:
    """Many files, ten of them in hand."""
    tally = Tally()
    for number in range(30_000):
        tally.note(event("planned", number, total=12_345_678), 0.0)
    for number in range(10):
        path = f"2026/05/01/{'x' * 60}/99999822536216596{number:02}.mp4"
        tally.note(ArchiveEvent(kind="started", recording_id=number, part="mp4", path=path, total=12_345_678), 0.0)
    return tally


def drawn(board: Board, tally: Tally, now: float, width: int) -> list[str]:
    """The lines."""
    screen = Console(width=width, file=io.StringIO())
    with screen.capture() as seen:
        screen.print(board.picture(tally, "Looking", now))
    return seen.get().splitlines()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_lines_fit_the_terminal(width: int) -> None:
    """All of it in one line, with speed and time left once these are known; then eight files, by their ends."""
    board, tally = Board(Console(width=width, file=io.StringIO())), busy()
    first = drawn(board, tally, 1.0, width)
    tally.note(event("progress", 0, size=6_000_000, total=12_345_678), 4.0)
    later = drawn(board, tally, 3.0, width)
    for lines in first, later:
        assert max(map(len, lines)) <= width
        assert len(lines) == 10
        assert "0 of 30,000 files" in lines[0]
        assert lines[-1] == "  and 2 more"
    assert ("3.0 MB/s" in later[0], "left" in later[0], "MB/s" in first[0]) == (width >= 80, width >= 80, False)
    if width >= 80:
        assert later[1].startswith("   48%  6.0 MB of 12.3 MB     ")
        assert later[1].endswith("9999982253621659600.mp4")
    board.note = "Finishing"
    assert drawn(board, tally, 3.1, width)[-1] == "Finishing"


def test_lines_while_there_is_nothing_to_fetch() -> None:
    """A word of what goes on; no file that has only just begun has a line."""
    board, tally = Board(Console(width=80, file=io.StringIO())), Tally()
    assert drawn(board, tally, 0.0, 80)[0].endswith("Looking")
    tally.note(event("planned", total=2000), 0.0)
    tally.note(event("started", total=2000), 1.0)
    assert len(drawn(board, tally, 1.1, 80)) == 1
    tally.note(event("done", size=2000), 1.2)
    assert drawn(board, tally, 1.2, 80)[0].endswith("Looking (1 of 1 file  2.0 kB)")


class Archive:
    """Runs until it is stopped."""

    def __init__(self) -> None:
        self.stops = 0

    def stop(self) -> None:
        """Count."""
        self.stops += 1

    async def events(self, interrupts: int) -> AsyncGenerator[ArchiveEvent]:
        """A file in hand, and so many Ctrl-C meanwhile."""
        yield event("started")
        for count in range(interrupts):
            signal.raise_signal(signal.SIGINT if count % 2 == 0 else signal.SIGTERM)
            for _ in range(3):
                await asyncio.sleep(0)
        yield event("done", size=10)


@pytest.mark.parametrize(("interrupts", "done"), [(1, 1), (2, 0)])
def test_ctrl_c(capfd: pytest.CaptureFixture[str], interrupts: int, done: int) -> None:
    """The first lets the file in hand end, the second does not; both end the command with 130 and an open mind."""
    before = signal.getsignal(signal.SIGINT)
    archive = Archive()
    following = Following(output=Format.NDJSON, again="g2a")
    code = asyncio.run(following.to_the_end(archive, archive.events(interrupts)))  # type: ignore[arg-type]
    out, err = capfd.readouterr()
    assert code == 130
    assert out.count('"done"') == done
    assert err.count("Ctrl-C again ends at once.") == 1
    assert err.endswith("Interrupted: the same command goes on from here.\n")
    assert signal.getsignal(signal.SIGINT) is before


def test_what_is_ignored_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by `nohup`, or in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:

        async def work() -> None:
            with Interrupts(lambda: None) as interrupts:
                signal.raise_signal(signal.SIGINT)
                await asyncio.sleep(0)
                assert not interrupts.came
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN

        asyncio.run(work())
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_error_keeps_what_was_written(capfd: pytest.CaptureFixture[str]) -> None:
    """What was done before a run broke off is told, and summed up; the list of json stays open."""

    async def events() -> AsyncGenerator[ArchiveEvent]:
        yield event("done", size=10)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        asyncio.run(Following(output=Format.JSON, again="g2a").to_the_end(Archive(), events()))  # type: ignore[arg-type]
    out, err = capfd.readouterr()
    assert out.startswith('[\n  {\n    "kind": "done"')
    assert not out.rstrip().endswith("]")
    assert err.startswith("Fetched 1 file, 10 bytes, in ")


def test_many_files_are_written_as_they_come(capfd: pytest.CaptureFixture[str]) -> None:
    """A run that is faster than its reader waits; all of it arrives, in order."""

    async def events() -> AsyncGenerator[ArchiveEvent]:
        for number in range(3000):
            yield event("done", number, size=1)

    assert asyncio.run(Following(output=Format.CSV, again="g2a").to_the_end(Archive(), events())) == 0  # type: ignore[arg-type]
    lines = capfd.readouterr()[0].splitlines()
    assert [line.split(",")[1] for line in lines[1:]] == [str(number) for number in range(3000)]


def test_what_is_left_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    """What was cut off or is not ready is no failure, and is told all the same; a table says what states mean."""
    report = ArchiveReport(counts={"done": 1, "planned": 2000, "waiting": 3}, bytes={"done": 10})
    assert show_report(report, Format.TABLE, "g2a") == 0
    out, err = capfd.readouterr()
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [
        ["done", "1"],
        ["planned", "2,000"],
        ["waiting", "3"],
    ]
    assert out.splitlines()[2].endswith("not fetched yet")
    assert err == (
        "1 file in the archive; none failed, missing or damaged; 2,000 not fetched yet, 3 not ready for download.\n"
    )
