"""What all benchmarks share: options, processors, samples taken in turn, tables of medians and ratios.

The ways of doing a thing take turns, A B C A B C, and a ratio is the median of the ratios of the rounds: whatever slows
the machine down for a while slows all of them. Services run on one processor, clients on another, where there are two.
"""

import argparse
import gc
import multiprocessing
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

SPAWN: Final = multiprocessing.get_context("spawn")
"""New interpreters, which inherit nothing."""


def options(doc: str | None, rounds: int, *needs: str, **numbers: int) -> argparse.Namespace:
    """The command line: `--rounds`, `--smoke`, and *numbers* with their defaults; pins this process.

    Ends the program with one line if a module of *needs* is not installed.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds)
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--smoke", action="store_true", help="one small round, to see that it runs")
    chosen = parser.parse_args()
    if missing := [name for name in needs if find_spec(name) is None]:
        sys.exit(f"missing: {', '.join(missing)}; pip install '.[bench]' brings what the benchmarks need")
    if chosen.smoke:
        chosen.rounds = 1
    pin(-1)
    return chosen


def pin(which: int) -> None:
    """Keep this process on one processor: 0 is the services', -1 the clients'. Nothing where there is but one."""
    if hasattr(os, "sched_setaffinity"):
        processors = range(os.cpu_count() or 1)
        with suppress(OSError):  # it is not ours to use
            os.sched_setaffinity(0, {processors[which]})


def fresh(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What *work*, a function of a module, gives in a new interpreter."""
    with ProcessPoolExecutor(1, mp_context=SPAWN, initializer=pin, initargs=(-1,)) as pool:
        return pool.submit(work, *args, **kwargs).result()


class Memory:
    """Memory of this process above what it has now, in MiB; zeros where there is no /proc."""

    def __init__(self) -> None:
        gc.collect()
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
        self.idle = self._read("VmRSS")

    @property
    def peak(self) -> float:
        """The most that there was."""
        return self._read("VmHWM") - self.idle

    @property
    def held(self) -> float:
        """What there is now."""
        gc.collect()
        return self._read("VmRSS") - self.idle

    @staticmethod
    def _read(name: str) -> float:
        try:
            status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        except OSError:
            return 0.0
        found = re.search(rf"{name}:\s+(\d+) kB", status)
        return int(found[1]) / 1024 if found else 0.0


class Column(NamedTuple):
    """A column of a table: medians of a quantity, or with *to* medians of its ratios to that way's."""

    head: str
    quantity: str
    to: str | None = None
    spec: str = ",.1f"


class Rounds:
    """Samples of several ways, taken in turn."""

    def __init__(self, chosen: argparse.Namespace, *, warm_up: int = 1) -> None:
        self.rounds: int = chosen.rounds
        self._smoke: bool = chosen.smoke
        self._warm_up = 0 if chosen.smoke else warm_up
        self._keeps = True
        self._samples: dict[str, dict[str, list[float]]] = {}

    def turns(self, ways: Mapping[str, T]) -> Iterator[tuple[str, T]]:
        """Each way in each round, in turn. What is added in the first rounds, which warm up, is not kept."""
        for turn in range(self._warm_up + self.rounds):
            self._keeps = turn >= self._warm_up
            yield from ways.items()

    def add(self, way: str, **values: float) -> None:
        """A sample of each of these quantities."""
        if self._keeps:
            for quantity, value in values.items():
                self._samples.setdefault(way, {}).setdefault(quantity, []).append(value)

    @contextmanager
    def timed(self, way: str, times: int = 1, prefix: str = "") -> Iterator[None]:
        """Adds `cpu` and `wall`, in microseconds, and `rate`, a second, of one of the *times* that are done inside."""
        gc.collect()
        began, busy = time.perf_counter(), time.process_time()
        yield
        cpu, wall = (time.process_time() - busy) / times, (time.perf_counter() - began) / times
        self.add(way, **{f"{prefix}cpu": cpu * 1e6, f"{prefix}wall": wall * 1e6, f"{prefix}rate": 1 / wall})

    def of(self, way: str, quantity: str) -> list[float]:
        """All samples."""
        return self._samples[way][quantity]

    def median(self, way: str, quantity: str) -> float:
        """The median."""
        return statistics.median(self.of(way, quantity))

    def ratio(self, way: str, quantity: str, to: str, other: str | None = None) -> float:
        """The median of each round's ratio to what *to* took in it."""
        pairs = zip(self.of(way, quantity), self.of(to, other or quantity), strict=True)
        return statistics.median(one / another if another else float("nan") for one, another in pairs)

    def table(self, title: str, columns: Sequence[Column], ways: Sequence[str] | None = None) -> None:
        """Print a line for each way."""
        ways = [*self._samples] if ways is None else ways
        width = max(len(way) for way in [title, *ways]) + 2
        print(f"{title:{width}}" + "".join(f"{column.head:>13}" for column in columns))
        for way in ways:
            cells = []
            for _, quantity, to, spec in columns:
                if quantity not in self._samples[way] or (to and quantity not in self._samples[to]):
                    cells.append("")
                elif to:
                    cells.append(f"{self.ratio(way, quantity, to):.2f}")
                else:
                    cells.append(f"{self.median(way, quantity):{spec}}")
            print(f"{way:{width}}" + "".join(f"{cell:>13}" for cell in cells), flush=True)

    def judge(self, what: str, seen: float, *, most: float | None = None, least: float | None = None) -> None:
        """Print a target and whether it holds; of a smoke run nothing can be said."""
        if not self._smoke:
            holds = (most is None or seen <= most) and (least is None or seen >= least)
            limit = f"<= {most:g}" if most is not None else f">= {least:g}"
            print(f"  {'holds ' if holds else 'MISSED'}  {what}: {seen:.2f}, to be {limit}", flush=True)
