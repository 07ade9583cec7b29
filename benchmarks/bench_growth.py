"""What walking, watching and listing cost at 10, 100, 1,000 and 10,000 records: requests, the processor's time, memory.

Writes `growth.svg` beside itself; a smoke run draws it and throws it away. Each sample is a new process, which has made
its client and one call before; memory is the peak above what it had then.

`python benchmarks/bench_growth.py [--rounds N] [--smoke]`
"""

import asyncio
import math
import os
import platform
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from bench_watch import TICKS, answer
from peers import SINCE, UNTIL
from rounds import Column, Memory, Rounds, fresh, options
from service import asked, canned, service

SIZES: Final = (10, 100, 1_000, 10_000)
WALK, WATCH, LIST = "walk companies, 50 a page", f"watch sessions, {TICKS} ticks", "list sessions"
SIGNS: Final = {WALK: "circle", WATCH: "square", LIST: "triangle"}
PANELS: Final = {"requests": "requests", "cpu": "processor time, ms", "peak": "memory above idle, MiB"}
TITLE: Final = "What g2a_async costs as the records grow"
STYLE: Final = """
  svg { font: 12px system-ui, sans-serif; --back: #fff; --ink: #1f2328; --faint: #d1d9e0;
        --circle: #0969da; --square: #bc4c00; --triangle: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    svg { --back: #0d1117; --ink: #f0f6fc; --faint: #3d444d; --circle: #58a6ff; --square: #f0883e; --triangle: #56d364 }
  }
  text { fill: var(--ink) } .back { fill: var(--back) } .grid { stroke: var(--faint) } .head { font-weight: 600 }
  .circle { color: var(--circle) } .square { color: var(--square) } .triangle { color: var(--triangle) }
  .line { fill: none; stroke: currentColor; stroke-width: 2 } .sign { fill: currentColor }
"""


def serve(target: str) -> bytes:
    """The lists of a watch, and everything else."""
    return answer(target) if "/still/" in target and "/sessions?" in target else canned(target)


async def sample(work: str, url: str, size: int) -> dict[str, float]:
    """One piece of work."""
    g2a_async = import_module("g2a_async")
    base = f"{url}/{size}/still/{time.time_ns()}" if work == WATCH else f"{url}/{size}"
    settings = g2a_async.Settings(base_url=base, requests_per_second=None)
    async with g2a_async.G2AClient("token", settings=settings) as g2a:
        await g2a.request("GET", "/companies", query={"limit": 1})
        asked(url)
        memory, busy, seen = Memory(), time.process_time(), 0
        found: Any = {
            WALK: g2a.companies.list(),
            WATCH: g2a.sessions.watch(interval=0.001, since=SINCE, timeout=60),
            LIST: g2a.sessions.list(SINCE, UNTIL),
        }[work]
        if work == LIST:
            seen = len(await found.collect())
        else:
            async for one in found:
                seen += 1
                if work == WATCH and one.session.has_ended:
                    break
        cpu = (time.process_time() - busy) * 1e3
        peak = memory.peak
        if work == WATCH:
            await found.aclose()
        assert seen >= size
        return {"requests": asked(url).total(), "cpu": cpu, "peak": peak}


def run(work: str, url: str, size: int) -> dict[str, float]:
    """A process."""
    return asyncio.run(sample(work, url, size))


def machine() -> str:
    """What this ran on, and when."""
    try:
        found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        found = None
    name = found[1] if found else platform.processor() or platform.machine()
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {name}, {os.cpu_count()} processors, {platform.system()}, "
        f"Python {platform.python_version()}"
    )


def short(value: float) -> str:
    """A decade."""
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def sign(kind: str, x: float, y: float) -> str:
    """What tells a line from the others without its colour."""
    shapes = {
        "circle": f'<circle class="sign" cx="{x:.1f}" cy="{y:.1f}" r="4"/>',
        "square": f'<rect class="sign" x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7"/>',
        "triangle": f'<path class="sign" d="M{x:.1f} {y - 5:.1f}l4.5 8h-9z"/>',
    }
    return shapes[kind]


def panel(head: str, left: float, values: Mapping[str, Sequence[float]]) -> list[str]:
    """A plot of *values* at the sizes, both axes logarithmic."""
    width, height, top = 230, 220, 100
    everything = [value for line in values.values() for value in line]
    low, high = math.floor(math.log10(min(everything))), math.ceil(math.log10(max(everything)) + 1e-9)

    def x(size: float) -> float:
        return left + width * (math.log10(size) - 0.85) / 3.3

    def y(value: float) -> float:
        return top + height * (high - math.log10(value)) / (high - low)

    parts = [f'<text class="head" x="{left}" y="{top - 14}">{head}</text>']
    for power in range(low, high + 1):
        at = y(10**power)
        parts += [
            f'<path class="grid" d="M{left} {at:.1f}h{width}"/>',
            f'<text x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">{short(10**power)}</text>',
        ]
    for size in SIZES:
        parts += [
            f'<path class="grid" d="M{x(size):.1f} {top}v{height}"/>',
            f'<text x="{x(size):.1f}" y="{top + height + 18}" text-anchor="middle">{size:,}</text>',
        ]
    parts.append(f'<text x="{left + width / 2}" y="{top + height + 38}" text-anchor="middle">records</text>')
    for name, line in values.items():
        points = [(x(size), y(value)) for size, value in zip(SIZES, line, strict=True)]
        path = " ".join(f"{one:.1f},{other:.1f}" for one, other in points)
        parts.append(f'<g class="{SIGNS[name]}"><polyline class="line" points="{path}"/>')
        parts += [sign(SIGNS[name], *point) for point in points]
        parts.append("</g>")
    return parts


def draw(value: Callable[[str, str, int], float], rounds: int) -> str:
    """The picture: a panel for each quantity."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 920 396" role="img" aria-label="{TITLE}, by records">',
        f"<style>{STYLE}</style>",
        '<rect class="back" width="920" height="396" rx="6"/>',
        f'<text class="head" x="50" y="30">{TITLE}</text>',
    ]
    for index, (name, kind) in enumerate(SIGNS.items()):
        at = 50 + index * 220
        parts.append(f'<g class="{kind}"><path class="line" d="M{at} 54h24"/>{sign(kind, at + 12, 54)}</g>')
        parts.append(f'<text x="{at + 32}" y="58">{name}</text>')
    for index, (quantity, head) in enumerate(PANELS.items()):
        values = {name: [value(name, quantity, size) for size in SIZES] for name in SIGNS}
        parts += panel(head, 60 + index * 298, values)
    told = f"{machine()}; medians of {rounds} processes each; loopback, no quota"
    parts.append(f'<text x="50" y="382" font-size="11">{escape(told)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Measure, print and draw."""
    chosen = options(__doc__, 3)
    rounds = Rounds(chosen, warm_up=0)
    sizes = SIZES[:1] if chosen.smoke else SIZES
    with service(answer=serve) as url:
        for name, (work, size) in rounds.turns({f"{size:6,} {work}": (work, size) for work in SIGNS for size in sizes}):
            rounds.add(name, **fresh(run, work, url, size))

    def value(work: str, quantity: str, size: int) -> float:
        return max(rounds.median(f"{min(size, sizes[-1]):6,} {work}", quantity), 0.01)  # which a logarithm needs

    columns = [Column("requests", "requests", spec=",.0f"), Column("cpu ms", "cpu"), Column("peak MiB", "peak")]
    rounds.table("records", columns)
    picture = draw(value, chosen.rounds)
    if chosen.smoke:
        return
    (Path(__file__).parent / "growth.svg").write_text(picture, encoding="utf-8")
    for work in SIGNS:
        for quantity in PANELS:
            least = value(work, quantity, SIZES[-2])
            if least >= 1:  # below a MiB, memory is a matter of luck
                times = value(work, quantity, SIZES[-1]) / least
                rounds.judge(f"{work}: {quantity} for ten times 1,000 records", times, most=12)


if __name__ == "__main__":
    main()
