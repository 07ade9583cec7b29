"""The clients that are compared, with one interface: `c`, `d`, httpx with pydantic, one that is generated, and ours.

What a client imports it imports when it is opened, so that a process has only what it measures.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any, Final, Protocol

HERE: Final = Path(__file__).parent
SINCE: Final = datetime(2018, 8, 1, tzinfo=UTC)
UNTIL: Final = SINCE + timedelta(days=31)
HEADERS: Final = {"Authorization": "Bearer token", "Accept": "application/json"}
RANGE: Final = {
    "sessionType": "SCREEN_SHARING",
    "fromTime": f"{SINCE:%Y-%m-%dT%H:%M:%SZ}",
    "toTime": f"{UNTIL:%Y-%m-%dT%H:%M:%SZ}",
}
C, D, HTTPX, BARE_HTTPX, GENERATED, OURS = (
    "c: aiohttp + json.loads",
    "d: aiohttp + msgspec.Struct",
    "httpx + pydantic + sniffio",
    "httpx + pydantic",
    "openapi-generator asyncio",
    "g2a_async",
)


class Client(Protocol):
    """What all of them can do."""

    async def get(self, session_id: str) -> Any:
        """A session."""
        ...

    async def list(self) -> Sequence[Any]:
        """All sessions of a range."""
        ...

    async def walk(self) -> int:
        """The companies, page by page, one request after the other; how many."""
        ...


class _Raw:
    """aiohttp as one uses it by hand."""

    def __init__(self, url: str, http: Any, reads: Any) -> None:
        self._url = url
        self._http = http
        self._reads = reads

    async def _ask(self, path: str, read: Any, query: dict[str, str] | None = None) -> Any:
        async with self._http.get(self._url + path, params=query) as response:
            if response.status != 200:
                raise RuntimeError(response.status)
            return read(await response.read())

    async def get(self, session_id: str) -> Any:
        return await self._ask(f"/sessions/{session_id}", self._reads[0])

    async def list(self) -> Sequence[Any]:
        answer = await self._ask("/sessions", self._reads[1], RANGE)
        found: Sequence[Any] = answer["sessions"] if isinstance(answer, dict) else answer.sessions
        return found

    async def walk(self) -> int:
        offset, total = 0, 1
        while offset < total:
            page = await self._ask("/companies", self._reads[2], {"limit": "50", "offset": str(offset)})
            if isinstance(page, dict):
                rows, total = page["companies"], page["totalNumCompanies"]
            else:
                rows, total = page.companies, page.total_num_companies
            offset += len(rows)
        return offset


@asynccontextmanager
async def raw(url: str, *reads: Any) -> AsyncIterator[Client]:
    """aiohttp, and *reads* for a session, a list of them and a page of companies: `json.loads` if nothing is said."""
    aiohttp = import_module("aiohttp")
    async with aiohttp.ClientSession(headers=HEADERS) as http:
        yield _Raw(url, http, reads or [json.loads] * 3)


@asynccontextmanager
async def structs(url: str) -> AsyncIterator[Client]:
    """Aiohttp and msgspec.Struct."""
    peer = import_module("peer_msgspec")
    async with raw(url, peer.read_session, peer.read_sessions, peer.read_companies) as client:
        yield client


class _Absent:
    """Makes a module as absent as if it were not installed: what is not there is searched for again and again."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name == "sniffio":
            PathFinder.find_spec("sniffio_is_absent", path, target)
            raise ModuleNotFoundError(name)
        return None


class _Httpx:
    """httpx, which as it installs today searches for sniffio in each request."""

    def __init__(self, http: Any, *, sniffio: bool) -> None:
        self._http = http
        self._sniffio = sniffio
        self._peer = import_module("peer_pydantic")

    async def _ask(self, path: str, kind: Any, query: dict[str, str] | None = None) -> Any:
        if not self._sniffio and _Absent not in sys.meta_path:
            sys.modules.pop("sniffio", None)
            sys.meta_path.insert(0, _Absent)
        elif self._sniffio and _Absent in sys.meta_path:
            sys.meta_path.remove(_Absent)
        response = await self._http.get(path, params=query)
        response.raise_for_status()
        return kind.model_validate_json(response.content)

    async def get(self, session_id: str) -> Any:
        return await self._ask(f"/sessions/{session_id}", self._peer.Session)

    async def list(self) -> Sequence[Any]:
        found: Sequence[Any] = (await self._ask("/sessions", self._peer.Sessions, RANGE)).sessions
        return found

    async def walk(self) -> int:
        offset, total = 0, 1
        while offset < total:
            page = await self._ask("/companies", self._peer.Companies, {"limit": "50", "offset": str(offset)})
            offset, total = offset + len(page.companies), page.total_num_companies
        return offset


@asynccontextmanager
async def httpx(url: str, *, sniffio: bool = True) -> AsyncIterator[Client]:
    """Httpx and pydantic."""
    async with import_module("httpx").AsyncClient(headers=HEADERS, base_url=url) as http:
        yield _Httpx(http, sniffio=sniffio)


def httpx_alone(url: str) -> AbstractAsyncContextManager[Client]:
    """Httpx and pydantic, without the module that httpx no longer brings along."""
    return httpx(url, sniffio=False)


@contextmanager
def generated() -> Iterator[str]:
    """Why there is no generated client; or nothing, and it can be imported as `g2a_generated` until the end."""
    with tempfile.TemporaryDirectory() as folder:
        run = "from openapi_generator_cli import cli; cli()"
        command = [sys.executable, "-c", run, "generate", "-g", "python", "-o", folder]
        command += ["-i", str(HERE / "g2a.openapi.yaml")]
        command += ["--additional-properties=library=asyncio,packageName=g2a_generated"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        except (OSError, subprocess.SubprocessError) as error:
            yield str(error)
            return
        if done.returncode:
            yield (done.stderr.strip().splitlines() or ["openapi-generator-cli failed"])[0]
            return
        sys.path.insert(0, folder)
        try:
            yield ""
        finally:
            sys.path.remove(folder)


class _Generated:
    """What openapi-generator makes of the API's description."""

    def __init__(self, module: Any, client: Any) -> None:
        self._sessions = module.SessionsApi(client)
        self._companies = module.CompaniesApi(client)

    async def get(self, session_id: str) -> Any:
        return await self._sessions.get_session(session_id)

    async def list(self) -> Sequence[Any]:
        found: Sequence[Any] = (await self._sessions.list_sessions("SCREEN_SHARING", SINCE, UNTIL)).sessions
        return found

    async def walk(self) -> int:
        offset, total = 0, 1
        while offset < total:
            page = await self._companies.list_companies(limit=50, offset=offset)
            offset, total = offset + len(page.companies), page.total_num_companies
        return offset


@asynccontextmanager
async def generator(url: str) -> AsyncIterator[Client]:
    """The generated client; inside `generated()`."""
    module = import_module("g2a_generated")
    async with module.ApiClient(module.Configuration(host=url, access_token="token")) as client:
        yield _Generated(module, client)


class _Ours:
    """This package."""

    def __init__(self, g2a: Any) -> None:
        self._g2a = g2a

    async def get(self, session_id: str) -> Any:
        return await self._g2a.sessions.get(session_id)

    async def list(self) -> Sequence[Any]:
        found: Sequence[Any] = await self._g2a.sessions.list(SINCE, UNTIL).collect()
        return found

    async def walk(self) -> int:
        count = 0
        async for page in self._g2a.companies.list().pages():
            count += len(page.items)
        return count


@asynccontextmanager
async def ours(url: str) -> AsyncIterator[Client]:
    """This package with everything on: a quota that never holds anybody up, deadline, repeats, errors, records."""
    g2a_async = import_module("g2a_async")
    settings = g2a_async.Settings(base_url=url, requests_per_second=None)
    async with g2a_async.G2AClient("token", settings=settings, limiter=g2a_async.Quota(1e9)) as g2a:
        yield _Ours(g2a)


CLIENTS: Final = {C: raw, D: structs, OURS: ours, HTTPX: httpx, BARE_HTTPX: httpx_alone, GENERATED: generator}
"""How each is opened, with the address of the service."""
