"""How long the package takes to import, beside what it imports. Prints medians of interleaved rounds, and ratios.

`python benchmarks/bench_import.py [--rounds N] [--smoke]`
"""

import argparse
import statistics
import subprocess
import sys
import time

STACKS = {
    "python": "pass",
    "aiohttp": "import aiohttp",
    "aiohttp, attrs, cattrs": "import aiohttp, attrs, cattrs",
    "g2a_async": "import g2a_async",
    "g2a_async.G2AClient": "from g2a_async import G2AClient; G2AClient('token')",
}


def measure(code: str) -> float:
    """Milliseconds of a new interpreter that runs *code*."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--smoke", action="store_true", help="one round, to see that it runs")
    chosen = options.parse_args()
    times: dict[str, list[float]] = {name: [] for name in STACKS}
    for code in STACKS.values():
        measure(code)  # compiles what is not compiled yet
    for _ in range(1 if chosen.smoke else chosen.rounds):
        for name, code in STACKS.items():
            times[name].append(measure(code))
    bare = statistics.median(times["python"])
    net = {name: statistics.median(values) - bare for name, values in times.items()}
    print(f"{'':26}{'ms':>8}{'net':>8}{'x aiohttp':>11}{'x its parts':>13}")
    for name, values in times.items():
        ratios = net[name] / net["aiohttp"], net[name] / net["aiohttp, attrs, cattrs"]
        print(f"{name:26}{statistics.median(values):8.1f}{net[name]:8.1f}{ratios[0]:11.2f}{ratios[1]:13.2f}")


if __name__ == "__main__":
    main()
