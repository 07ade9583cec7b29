"""Finding 2,600 recordings of 30 days past the cap of 500 a list: how many lists are asked for, as the service counts.

Each sample has its recordings at other random times; one list of each day would be 30 requests.

`python benchmarks/bench_recordings.py [--rounds N] [--smoke]`
"""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from urllib.parse import parse_qs, urlsplit

from rounds import Column, Rounds, options
from service import asked, dump, service

from g2a_async import G2AClient, Settings

CAP, COUNT, DAYS = 500, 2_600, 30
BEGIN = datetime(2018, 8, 1, tzinfo=UTC)
EVEN, HALVES, OFFICE = "evenly, all in one list", "evenly, half in each list", "on weekdays from 8 to 18"


def _even(chance: random.Random) -> int:
    return chance.randrange(DAYS * 86_400)


def _office(chance: random.Random) -> int:
    day = chance.choice([day for day in range(DAYS) if (BEGIN + timedelta(days=day)).weekday() < 5])
    return day * 86_400 + 8 * 3600 + chance.randrange(36_000)


SPREADS: dict[str, Callable[[random.Random], int]] = {EVEN: _even, HALVES: _even, OFFICE: _office}


@cache
def _recordings(spread: str, seed: int) -> list[tuple[datetime, int]]:
    """Starts and IDs, in order; even ones are to be transcoded where they are halved."""
    chance = random.Random(seed)
    starts = sorted(SPREADS[spread](chance) for _ in range(COUNT))
    return [(BEGIN + timedelta(seconds=start), number) for number, start in enumerate(starts)]


def answer(target: str) -> bytes:
    """`/{which spread}/{seed}/archive/recordings`: the first 500 of each list that began in the range."""
    url = urlsplit(target)
    which, seed, *_ = url.path.strip("/").split("/")
    spread = [*SPREADS][int(which)]
    query = parse_qs(url.query)
    since, until = (datetime.fromisoformat(query[name][0]) for name in ("fromTime", "toTime"))
    found = [number for start, number in _recordings(spread, int(seed)) if since <= start <= until]
    parts = ([one for one in found if one % 2 == which_half] for which_half in (0, 1))
    transcode, download = parts if spread == HALVES else ([], found)
    return dump({"readyForTranscode": transcode[:CAP], "readyForDownload": download[:CAP]})


async def find(url: str, which: int, seed: int) -> int:
    """Requests, once everything has been found."""
    settings = Settings(base_url=f"{url}/{which}/{seed}", requests_per_second=None)
    asked(url)
    async with G2AClient("token", settings=settings) as g2a:
        found = await g2a.recordings.all_available(account_key=1, from_time=BEGIN, to_time=BEGIN + timedelta(days=DAYS))
    assert not found.truncated
    assert sorted(found.ready_for_transcode + found.ready_for_download) == [*range(COUNT)]
    return asked(url).total()


def main() -> None:
    """Measure and print."""
    chosen = options(__doc__, 50)
    rounds = Rounds(chosen, warm_up=0)
    with service(answer=answer) as url:
        for seed, (name, _) in enumerate(rounds.turns(SPREADS)):
            rounds.add(name, requests=asyncio.run(find(url, [*SPREADS].index(name), seed)))
    for name in SPREADS:
        rounds.add(name, most=max(rounds.of(name, "requests")), least=min(rounds.of(name, "requests")))
    columns = [
        Column(head, quantity, spec=",.0f")
        for head, quantity in {"fewest": "least", "median": "requests", "most": "most"}.items()
    ]
    rounds.table(f"requests for {COUNT:,} recordings", columns)
    rounds.judge("requests at most, spread evenly", max(rounds.of(EVEN, "requests")), most=16)


if __name__ == "__main__":
    main()
