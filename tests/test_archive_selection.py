"""Which recordings a run finds: all of them, once, however many there are."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tools.archives import FILES, LISTED, URLS, archiving, asked, errors, kinds, ran, rows

from g2a_async.emulator import Emulator

MOST = 500


async def test_more_than_the_service_lists(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """1,300 recordings behind lists that are full in every window: none missed, none twice, few requests."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=20)
    for number in range(1300):
        g2a_emulator.state.add_recording(recording_id=number + 1, started_at=start + timedelta(seconds=number * 40))
    async with archiving(g2a_emulator, tmp_path, parts=["mp4"], jobs=16) as archive:
        events = await ran(archive, g2a_emulator, since=start, until=start + timedelta(hours=16))
    done = Counter(event.recording_id for event in events if event.kind == "done")
    fetched = Counter(entry.target.partition("?")[0] for entry in g2a_emulator.journal.of(FILES))

    assert done == dict.fromkeys(range(1, 1301), 1)
    assert set(fetched.values()) == {1}
    # One for the whole, two halves that are full, four quarters that are not: 325 each.
    assert asked(g2a_emulator)[LISTED] == 7
    assert asked(g2a_emulator)[URLS] == 3


async def test_a_second_with_more_than_the_service_lists(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """What no range can tell apart is said: the run is not taken for complete."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    for _ in range(MOST + 1):
        g2a_emulator.state.add_recording(started_at=start)
    async with archiving(g2a_emulator, tmp_path) as archive:
        events = await ran(archive, g2a_emulator, dry_run=True)
    assert "more recordings begin in one second" in str(errors(events)[None, None])
    assert kinds(events)["planned"] == MOST * 3


async def test_every_night_again(g2a_emulator: Emulator, tmp_path: Path) -> None:
    """A nightly run over the last two days fetches what is new, and asks for the addresses of nothing else."""
    now = datetime.now(UTC).replace(microsecond=0)
    found = []
    async with archiving(g2a_emulator, tmp_path) as archive:
        for night in range(4):
            until = now - timedelta(days=10 - night)
            for number in range(3):
                g2a_emulator.state.add_recording(started_at=until - timedelta(hours=number + 1))
            g2a_emulator.journal.clear()
            events = await ran(archive, g2a_emulator, since=until - timedelta(days=2), until=until)
            found.append((kinds(events)["done"], asked(g2a_emulator)))
    assert found == [(9, {LISTED: 1, URLS: 1, FILES: 9})] * 4
    assert rows(tmp_path, "SELECT count(*), sum(attempts) FROM parts") == [(36, 36)]
