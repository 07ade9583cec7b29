"""Processes killed in the middle of a download, again and again: the file is whole in the end, and paid for once."""

import random
import signal
from pathlib import Path

import pytest
from tools.host import Version, film, left
from tools.kills import Meter, life

pytestmark = pytest.mark.system

SIZE = 16 << 20
LOST = 4 << 20
"""Bytes that a killed process had not written yet, at most: what it had gathered, and what was on its way."""


@pytest.mark.parametrize("seed", range(2))
async def test_downloads_that_are_killed(tmp_path: Path, seed: int) -> None:
    """Until the file is whole it is not there, kills at the very end included; and little is sent twice."""
    chance, version, path = random.Random(seed), Version(film(SIZE, seed)), tmp_path / "a.mp4"
    kills = 0
    async with Meter(version) as host:
        while not path.exists():
            is_spared = kills == 20
            moment = None if is_spared else chance.randrange(1 << 20, 3 << 20)
            code = await life(host, path, moment, late=chance.choice([0.0, chance.uniform(0, 0.004)]))
            assert code == 0 or (code == -signal.SIGKILL and not is_spared)
            kills += code == -signal.SIGKILL
        assert path.read_bytes() == version.content
        assert await life(host, path, None) == 0  # clears what a kill just after the end may have left
        assert left(tmp_path) == ["a.mp4"]
        assert kills > 3
        assert host.sent <= 2 * SIZE + kills * LOST
