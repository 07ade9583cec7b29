"""The README: its recipes run as they stand, and its table is the API's."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import pytest
import uvicorn
from aiohttp import web

from g2a_async.emulator import Emulator
from g2a_async.endpoints import ENDPOINTS

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^### (.+?)\n.*?^```python\n(.+?)^```$", README, re.MULTILINE | re.DOTALL))
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(?:(?!^##).)*?^```python\n(.+?)^```$", README, re.MULTILINE | re.DOTALL))
SCRIPTS = [name for name, code in RECIPES.items() if "asyncio.run(" in code]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A furnished service, which the variables name."""
    with Emulator(seed=3) as emulator:
        monkeypatch.setenv("G2A_BASE_URL", emulator.url)
        monkeypatch.setenv("G2A_ACCESS_TOKEN", emulator.access_token)
        tokens = [emulator.state.secret("access") for _ in range(50)]
        emulator.state.oauth.access_tokens |= dict.fromkeys(tokens)
        monkeypatch.setenv("G2A_ACCESS_TOKENS", " ".join(tokens))
        monkeypatch.setenv("G2A_CLIENT_ID", emulator.client_id)
        monkeypatch.setenv("G2A_CLIENT_SECRET", emulator.client_secret)
        monkeypatch.setenv("G2A_ACCOUNT_KEY", str(emulator.state.account_key))
        yield emulator


def names_of(name: str) -> dict[str, Any]:
    """What a recipe that is no script defines."""
    module = sys.modules["recipe"] = ModuleType("recipe")  # taskiq looks its functions up there
    exec(compile((RECIPES | SECTIONS)[name], name, "exec"), vars(module))
    return vars(module)


def run(script: str, folder: Path) -> str:
    """What a script prints that runs to its end without a word on stderr."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_there_are_ten_recipes() -> None:
    """The README keeps its promise of ten."""
    assert len(RECIPES) == 10


@pytest.mark.parametrize("recipe", SCRIPTS)
def test_a_script_runs_as_it_stands(recipe: str, desk: Emulator, tmp_path: Path) -> None:
    """A recipe that is a script runs to its end, asks the service, and prints something."""
    assert run(RECIPES[recipe], tmp_path).strip()
    assert len(desk.journal) > 0


@pytest.mark.system
def test_the_archive_section_archives(desk: Emulator, tmp_path: Path) -> None:
    """The archive of the README holds what is ready, and running it again fetches nothing."""
    printed = run(SECTIONS["Archiving"], tmp_path)
    assert "done" in printed
    assert "nothing failed" in printed
    assert list((tmp_path / "recordings").rglob("*.mp4"))
    fetched = desk.journal.count("GET /files")
    assert "done " not in run(SECTIONS["Archiving"], tmp_path)
    assert desk.journal.count("GET /files") == fetched


async def test_the_login_of_a_web_service_works(
    desk: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The login of the README ends with a stored token, and one that was not begun there is refused."""
    monkeypatch.chdir(tmp_path)
    names = names_of("Logins, hooks and spans")
    auth = names["auth"]
    auth._token_url, auth._authorize_url = desk.token_url, desk.authorize_url
    async with on_loopback(names["app"]) as url, aiohttp.ClientSession() as http:
        async with http.get(f"{url}/g2a/callback?code=1&state=") as refused:
            assert refused.status == 400
        async with http.get(f"{url}/g2a/login", allow_redirects=False) as begun:
            state = begun.cookies["g2a_state"].value
            async with http.get(begun.headers["Location"], allow_redirects=False) as agreed:
                back = agreed.headers["Location"].replace("https://desk.example", url)
        async with http.get(back, cookies={"g2a_state": state}) as done:
            assert (done.status, "logged in as" in await done.text()) == (200, True)
    assert (await auth.store.load()) is not None


def test_the_recipe_of_many_accounts_asks_for_each(desk: Emulator, tmp_path: Path) -> None:
    """50 access tokens are 50 clients, each of which asks with its own."""
    assert run(RECIPES["Your own ClientSession"], tmp_path).startswith("50 accounts")
    asked = [entry.authorization for entry in desk.journal]
    assert len(asked) == len(set(asked)) == 50


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """An ASGI application on a free port."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws="none"))
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def on_loopback(app: web.Application) -> AsyncIterator[str]:
    """An aiohttp application on a free port."""
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_the_fastapi_recipe_serves(desk: Emulator) -> None:
    """The FastAPI recipe tells a session's status, and that there is no such session."""
    session = desk.state.add_session()
    app = names_of("FastAPI")["app"]
    async with serving(app) as url, aiohttp.ClientSession() as http:
        async with http.get(f"{url}/support/{session.session_id}") as known:
            assert (known.status, (await known.json())["status"]) == (200, session.status)
        async with http.get(f"{url}/support/1") as unknown:
            assert unknown.status == 404


async def test_the_aiohttp_recipe_serves(desk: Emulator) -> None:
    """The aiohttp recipe lists companies in the wire's form."""
    async with (
        on_loopback(names_of("aiohttp")["app"]) as url,
        aiohttp.ClientSession() as http,
        http.get(f"{url}/companies") as found,
    ):
        assert len(await found.json()) == 20


async def test_the_taskiq_recipe_works(desk: Emulator) -> None:
    """The worker of the taskiq recipe opens its client, does a task, and closes it."""
    names = names_of("A taskiq worker")
    account = next(iter(desk.state.sessions.values())).account_key
    broker = names["broker"]
    broker.is_worker_process = True
    await broker.startup()
    try:
        task = await names["ready_recordings"].kiq(account, 30)
        result = await task.wait_result(timeout=5)
        assert not result.is_err, result.error
        assert len(result.return_value) > 0
    finally:
        await broker.shutdown()


def test_the_example_test_passes(tmp_path: Path) -> None:
    """The test that the README shows runs as it stands in a project of its own."""
    (shown,) = re.findall(r"^## For your own tests\n.*?^```python\n(.+?)^```$", README, re.MULTILINE | re.DOTALL)
    (tmp_path / "test_shown.py").write_text(shown, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:xdist", str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=50,
    )
    assert "3 passed" in done.stdout, done.stdout


def test_the_table_is_the_api() -> None:
    """Each call of the API has its row, with its method, path and whether it is repeated."""
    rows = set(re.findall(r"^\| `(.+?)` \| `(.+?)` \| (.+?) \| (yes|no) \|$", README, re.MULTILINE))
    assert rows == {
        (
            row.name.replace("tickets.", "tickets(…)."),
            f"{row.method} {'{callbackURL}' if row.partner else ''}{row.path}",
            row.meaning,
            "yes" if row.repeatable else "no",
        )
        for row in ENDPOINTS
    }
