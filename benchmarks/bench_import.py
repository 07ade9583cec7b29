"""How long the package takes to import, and until there is a client, beside what it imports.

`python benchmarks/bench_import.py [--rounds N] [--smoke]`
"""

import subprocess
import sys
import time

from rounds import Column, Rounds, options

PYTHON, AIOHTTP, PARTS, OURS, CLIENT = (
    "python",
    "aiohttp",
    "aiohttp, attrs, cattrs, msgspec",
    "g2a_async",
    "g2a_async and a client",
)
STACKS = {
    PYTHON: "pass",
    AIOHTTP: "import aiohttp",
    PARTS: "import aiohttp, attrs, cattrs, msgspec",
    OURS: "import g2a_async",
    CLIENT: "from g2a_async import G2AClient; G2AClient('token')",
}


def measure(code: str) -> float:
    """Milliseconds of a new interpreter that runs *code*; what is installed counts, not what lies here."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-P", "-c", code], check=True)
    return (time.perf_counter() - began) * 1e3


def main() -> None:
    """Measure and print."""
    rounds = Rounds(options(__doc__, 15))
    bare = 0.0
    for name, code in rounds.turns(STACKS):
        whole = measure(code)
        bare = whole if name == PYTHON else bare
        rounds.add(name, whole=whole, net=whole - bare)
    columns = [Column("ms", "whole"), Column("net", "net"), Column("x aiohttp", "net", AIOHTTP)]
    rounds.table("import", [*columns, Column("x its parts", "net", PARTS)], [*STACKS][1:])
    rounds.judge("import and a client to aiohttp's import", rounds.ratio(CLIENT, "net", AIOHTTP), most=1.2)
    rounds.judge("import to aiohttp's import", rounds.ratio(OURS, "net", AIOHTTP), most=0.4)


if __name__ == "__main__":
    main()
