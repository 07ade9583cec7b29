"""Archiving 10,000 recordings of 50 KB and one of 4 GB beside aria2c, which takes the same files from the same nginx.

Both sides are whole processes, from start to end, on all processors, with as many connections: four jobs of one
connection each, and for the one large file also aria2c's four connections. They write to the same device: /dev/shm, or
where TMPDIR says. What aria2c has as a list of addresses we ask an API for, without quota. aria2c checks and keeps the
size of a file; we also hash it, wait for the disk (fsync), write what is known of the recording beside it, and keep a
manifest; and of the files that we know of, we begin with the largest. `lag` is how late a task of ours runs that wakes
every 5 ms.

`python benchmarks/bench_archive.py [--rounds N] [--smoke]`
"""

import asyncio
import filecmp
import json
import os
import random
import resource
import shutil
import socket
import subprocess
import sys
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from rounds import Column, Rounds, options
from service import dump, service

JOBS: Final = 4
BEGIN: Final = datetime(2018, 8, 1, tzinfo=UTC)
DAYS: Final = 30
CAP: Final = 500
TICK: Final = 0.005
PROGRAMS: Final = {"nginx": "nginx-light", "aria2c": "aria2"}
"""With their Debian packages."""
PATH: Final = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
NGINX: Final = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  types {{ video/mp4 mp4; }}
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {folder}; rewrite ^/([0-9]+)/ /$1.mp4; }}
}}
"""


class Load(NamedTuple):
    """So many recordings, the one in the middle of another size."""

    files: int
    size: int
    middle: int

    def size_of(self, number: int) -> int:
        """Bytes of a recording's file."""
        return self.middle if number == self.files // 2 else self.size

    def start_of(self, number: int) -> datetime:
        """When it began."""
        return BEGIN + timedelta(seconds=number * DAYS * 86_400 // self.files)

    def url_of(self, number: int, port: str) -> str:
        """Where nginx, on that port, has its file."""
        return f"http://127.0.0.1:{port}/{self.size_of(number)}/{number}.mp4"


def answer(target: str) -> bytes:
    """`/{count}/{size}/{middle}/{nginx's port}`: the lists and the addresses."""
    url = urlsplit(target)
    count, size, middle, port, *path = url.path.strip("/").split("/")
    load, query = Load(int(count), int(size), int(middle)), parse_qs(url.query)
    if path[-1] == "urls":
        return dump(
            [
                {
                    "recordingId": int(number),
                    "recordingUrl": load.url_of(int(number), port),
                    "recordingStartTime": load.start_of(int(number)).strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "recordingSize": str(load.size_of(int(number))),
                }
                for number in query["recordingIds"]
            ]
        )
    since, until = (datetime.fromisoformat(query[name][0]) for name in ("fromTime", "toTime"))
    found = range(bisect_left(starts(load), since), bisect_right(starts(load), until))
    return dump({"readyForTranscode": [], "readyForDownload": [*found[:CAP]]})


@cache
def starts(load: Load) -> list[datetime]:
    """When each recording began."""
    return [load.start_of(number) for number in range(load.files)]


def make(path: Path, size: int) -> None:
    """What begins as an MP4 does and is random for a while; the rest is a hole, which reads as zeros."""
    with path.open("wb") as file:
        file.write(b"\0\0\0\x18ftypmp42" + random.Random(size).randbytes(min(size, 50_000) - 12))
        file.truncate(size)


@contextmanager
def nginx(folder: Path) -> Iterator[int]:
    """The port where an nginx gives the files of *folder*, under any name."""
    with socket.create_server(("127.0.0.1", 0)) as listening:  # which nginx takes over
        port: int = listening.getsockname()[1]
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(NGINX.format(user=user, folder=folder, port=port), encoding="ascii")
        command = [shutil.which("nginx", path=PATH) or "", "-e", "stderr", "-p", str(folder), "-c", "nginx.conf"]
        env = {**os.environ, "NGINX": f"{listening.fileno()};"}
        process = subprocess.Popen(command, env=env, pass_fds=[listening.fileno()], stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(10)


def run(*command: str, **env: str) -> dict[str, float]:
    """What a process takes, in seconds, and what it says of itself."""
    env = {**os.environ, **env}
    began = time.perf_counter()
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[0]} ended with {process.returncode}: {told.decode(errors='replace')[-500:]}")
    return {"wall": wall, "cpu": used.ru_utime + used.ru_stime} | (json.loads(told) if told else {})


def aria2c(url: str, folder: Path, load: Load, connections: int) -> dict[str, float]:
    """By a list of addresses."""
    *_, port = url.split("/")
    addresses = folder.with_suffix(".txt")
    lines = [f"{load.url_of(number, port)}\n  out={number}.mp4\n" for number in range(load.files)]
    addresses.write_text("".join(lines), encoding="ascii")
    return run(
        shutil.which("aria2c", path=PATH) or "",
        "--no-conf",
        f"--input-file={addresses}",
        f"--dir={folder}",
        f"--max-concurrent-downloads={JOBS}",
        f"--max-connection-per-server={connections}",
        f"--split={connections}",
        "--min-split-size=1M",
        "--file-allocation=none",
        "--disable-ipv6=true",
        "--quiet=true",
    )


def g2a(url: str, folder: Path, _: Load) -> dict[str, float]:
    """The archive, in a process of its own."""
    code = "import sys, bench_archive; bench_archive.archive(*sys.argv[1:])"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    # Compiled, as it is from the second start on, whatever this machine's settings are.
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder.with_name("compiled"))}
    return run(sys.executable, "-c", code, url, str(folder), PYTHONPATH=path, **compiled)


def archive(url: str, folder: str) -> None:
    """That process."""
    told = asyncio.run(_archive(url, folder))
    print(json.dumps(told | {"rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


async def _archive(url: str, folder: str) -> dict[str, float]:
    from g2a_async import G2AClient, Settings  # noqa: PLC0415  not for the processes that serve
    from g2a_async.archive import RecordingArchive  # noqa: PLC0415

    late: list[float] = []

    async def wake() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(TICK)
            late.append(time.perf_counter() - began - TICK)

    waking = asyncio.create_task(wake())
    async with G2AClient("token", settings=Settings(base_url=url, requests_per_second=None)) as client:
        recordings = RecordingArchive(client, folder, parts=["mp4"], jobs=JOBS)
        async for event in recordings.run(since=BEGIN, until=BEGIN + timedelta(days=DAYS), account_key=1):
            if event.kind == "failed":
                sys.exit(f"{event.path}: {event.error}")
    waking.cancel()
    late.sort()
    return {"lag": late[len(late) * 99 // 100] * 1e3, "worst": late[-1] * 1e3}


def check(folder: Path, sources: Path, load: Load) -> None:
    """All files are there, and are what nginx gave."""
    found = [*folder.rglob("*.mp4")]
    assert len(found) == load.files, (len(found), load)
    for one in found:
        assert filecmp.cmp(one, sources / f"{load.size_of(int(one.stem))}.mp4", shallow=False), one


def main() -> None:
    """Measure and print."""
    chosen = options(__doc__, 5)
    if missing := [name for name in PROGRAMS if not shutil.which(name, path=PATH)]:
        sys.exit(f"missing: {', '.join(missing)}; apt-get install {' '.join(PROGRAMS[name] for name in missing)}")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))  # threads are a part of what is compared
    rounds = Rounds(chosen, warm_up=0)
    small, large = (50_000, 20_000_000) if chosen.smoke else (50_000, 4_000_000_000)
    count = 20 if chosen.smoke else 10_000
    loads = {
        f"{count:,} x 50 KB and one": Load(count + 1, small, large),
        f"{count:,} x 50 KB": Load(count, small, small),
        f"one of {large // 1_000_000:,} MB": Load(1, large, large),
    }
    ways: dict[str, tuple[Load, Callable[[str, Path, Load], dict[str, float]]]] = {}
    for name, load in loads.items():
        ways[f"{name}, aria2c"] = (load, partial(aria2c, connections=1))
        if load.middle == large:
            ways[f"{name}, aria2c -x4"] = (load, partial(aria2c, connections=4))
        ways[f"{name}, g2a_async"] = (load, g2a)
    shm = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with (
        TemporaryDirectory(dir=os.environ.get("TMPDIR") or shm) as name,
        nginx(Path(name)) as port,
        service(answer=answer) as url,
    ):
        for size in (small, large):
            make(Path(name, f"{size}.mp4"), size)
        folder = Path(name, "taken")
        g2a(f"{url}/1/{small}/{small}/{port}", folder, Load(1, small, small))  # which compiles
        shutil.rmtree(folder)
        for way, (load, take) in rounds.turns(ways):
            rounds.add(way, **take(f"{url}/{load.files}/{load.size}/{load.middle}/{port}", folder, load))
            check(folder, Path(name), load)
            shutil.rmtree(folder)
    for name in loads:
        columns = [
            Column("wall s", "wall", spec=",.2f"),
            Column("x aria2c", "wall", f"{name}, aria2c"),
            Column("cpu s", "cpu", spec=",.2f"),
            Column("x aria2c", "cpu", f"{name}, aria2c"),
            Column("peak MiB", "rss"),
            Column("lag 99 %, ms", "lag"),
            Column("longest, ms", "worst"),
        ]
        rounds.table(name, columns, [way for way in ways if way.startswith(f"{name},")])
        ours = f"{name}, g2a_async"
        rounds.judge(f"{name}: wall time to aria2c's", rounds.ratio(ours, "wall", f"{name}, aria2c"), most=1.25)
        rounds.judge(f"{name}: peak of memory, MiB", max(rounds.of(ours, "rss")), most=150)


if __name__ == "__main__":
    main()
