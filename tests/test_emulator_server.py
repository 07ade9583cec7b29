"""How the emulator runs: listeners, thread, clock, journal, command line, and the plugin's fixtures."""

import asyncio
import re
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from emulator_asking import asking

from g2a_async.emulator import Emulator, EmulatorClock
from g2a_async.emulator.__main__ import main, serve
from g2a_async.endpoints import LIST_COMPANIES

pytest_plugins = ("pytester",)

USERS_TESTS = """
import asyncio

def test_the_account_is_empty(g2a_emulator):
    assert g2a_emulator.url.startswith("http://127.0.0.1:")
    assert not g2a_emulator.state.companies

def test_the_client_is_connected(g2a_client, g2a_emulator):
    g2a_emulator.state.add_company("Alpha")

    async def names():
        return [each.company_name async for each in g2a_client.companies.list()]

    assert asyncio.run(names()) == asyncio.run(names()) == ["Alpha"]

def test_the_client_need_not_be_used(g2a_client):
    pass
"""


def status(emulator: Emulator, path: str = "/companies") -> int:
    """Ask without a loop."""
    headers = {"Authorization": f"Bearer {emulator.access_token}"}
    try:
        with urlopen(Request(emulator.url + path, headers=headers), timeout=5) as response:
            code: int = response.status
            return code
    except HTTPError as error:
        with error:
            return error.code


def test_with_runs_it_in_a_thread() -> None:
    """It answers code that has no loop, sees what another thread adds, and its thread ends."""
    with Emulator() as emulator:
        before = status(emulator)
        emulator.state.add_company()

        assert (before, status(emulator)) == (404, 200)
        assert "g2a-emulator" in {each.name for each in threading.enumerate()}
    assert "g2a-emulator" not in {each.name for each in threading.enumerate()}


async def test_async_with_runs_it_in_the_loop() -> None:
    """No thread is made."""
    async with Emulator() as emulator:
        assert emulator.url.endswith("/G2A/rest/v1")
        assert "g2a-emulator" not in {each.name for each in threading.enumerate()}


async def test_it_starts_once_and_stops_as_often_as_you_like() -> None:
    """A second start is a mistake; a stopped one has no address, keeps its state, and starts again."""
    emulator = Emulator()
    await emulator.stop()
    await emulator.start()
    emulator.state.add_company()
    with pytest.raises(RuntimeError, match="runs already"):
        await emulator.start()
    await emulator.stop()
    with pytest.raises(RuntimeError, match="no address"):
        _ = emulator.url

    async with emulator:
        assert len(emulator.state.companies) == 1


def test_a_port_that_is_taken_is_said_by_with() -> None:
    """The error of the thread comes to the caller, and nothing is left open."""
    with Emulator() as first:
        port = int(first.token_url.split(":")[2].partition("/")[0])
        with ExitStack() as stack, pytest.raises(OSError, match="address already in use"):
            stack.enter_context(Emulator(port=port))
        assert [each.name for each in threading.enumerate()].count("g2a-emulator") == 1


def test_an_asked_for_port_is_used() -> None:
    """The API is where it was asked to be."""
    with Emulator() as first:
        port = int(first.token_url.split(":")[2].partition("/")[0])
    with Emulator(port=port) as second:
        assert second.url == f"http://127.0.0.1:{port}/G2A/rest/v1"


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="this machine has no IPv6")
def test_ipv6_hosts_are_written_in_brackets() -> None:
    """A URL of an IPv6 listener can be used as it is."""
    with Emulator(host="::1") as emulator:
        assert emulator.url.startswith("http://[::1]:")
        assert status(emulator) == 404


async def test_two_emulators_share_nothing() -> None:
    """What one holds, the other does not."""
    async with asking() as one, asking() as other:
        one.emulator.state.add_company()

        assert (await one("GET", "/companies")).status == 200
        assert (await other("GET", "/companies")).status == 404


async def test_reset_brings_back_the_beginning() -> None:
    """State, faults, journal, rate and settings are new; addresses and tokens are the same."""
    async with asking(requests_per_second=1) as ask:
        emulator = ask.emulator
        emulator.state.add_company()
        emulator.state.shapes.bare_lists = True
        emulator.faults.add("*", times=None)
        names = emulator.url, emulator.access_token, emulator.refresh_token, emulator.client_secret
        await ask("GET", "/companies")
        emulator.reset()

        assert (len(emulator.journal), emulator.state.companies) == (0, {})
        assert (await ask("GET", "/companies")).status == 404
        assert names == (emulator.url, emulator.access_token, emulator.refresh_token, emulator.client_secret)


async def test_the_journal_has_every_request_as_it_came() -> None:
    """Method, bytes of the path, query, headers, body, call, status and time."""
    start = datetime(2024, 5, 6, 12, tzinfo=UTC)
    async with asking(clock=EmulatorClock(start, frozen=True)) as ask:
        journal = ask.emulator.journal
        await ask("GET", "/companies?q=a%2Bb+c&limit=", headers={"X-Mark": "7"})
        await ask("POST", "/sessions", body={"sessionType": "x"})
        first, second = journal

        assert (first.method, first.target) == ("GET", "/G2A/rest/v1/companies?q=a%2Bb+c&limit=")
        assert (first.path, first.query) == ("/G2A/rest/v1/companies", (("q", "a+b c"), ("limit", "")))
        assert (first.header("x-mark"), first.header("x-other")) == ("7", None)
        assert (first.endpoint, first.status, first.time) == (LIST_COMPANIES, 400, start)
        assert (second.body, second.number) == (b'{"sessionType": "x"}', 2)
        assert (journal.count("GET /companies"), journal.count(LIST_COMPANIES), journal.count()) == (1, 1, 2)
        assert journal.of("POST /sessions") == [second]


@pytest.mark.parametrize("call", ["GET /typo", "get /companies", "/companies"])
def test_a_call_that_does_not_exist_is_not_counted(call: str) -> None:
    """It is an error that names the calls, and not zero."""
    journal = Emulator().journal
    for ask in journal.count, journal.of:
        with pytest.raises(ValueError, match=r"no such call.*GET /companies"):
            ask(call)
    assert journal.count("GET /companies") == 0


async def test_the_journal_can_be_cleared() -> None:
    """What was is forgotten, and numbers go on."""
    async with asking() as ask:
        await ask("GET", "/companies")
        ask.emulator.journal.clear()
        await ask("GET", "/companies")

        assert [each.number for each in ask.emulator.journal] == [2]


def test_a_clock_can_be_set_and_moved() -> None:
    """A frozen one moves by `advance` alone; a free one goes on from its start; a naive start is refused."""
    start = datetime(2024, 5, 6, 12, tzinfo=UTC)
    frozen, free = EmulatorClock(start, frozen=True), EmulatorClock(start)
    frozen.advance(90)
    before = free.now()

    assert frozen.now() == frozen.now() == datetime(2024, 5, 6, 12, 1, 30, tzinfo=UTC)
    assert start < before < free.now()
    with pytest.raises(ValueError, match="aware"):
        EmulatorClock(datetime(2024, 5, 6))  # noqa: DTZ001 - that is what is tested


def test_it_serves_other_programs_until_it_is_interrupted() -> None:
    """`python -m g2a_async.emulator` prints what is needed to use it, answers, and ends without an error."""
    command = [sys.executable, "-m", "g2a_async.emulator", "--seed", "3", "--rate", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        shown = dict(process.stdout.readline().split() for _ in range(11))
        request = Request(f"{shown['url']}/companies", headers={"Authorization": f"Bearer {shown['access_token']}"})
        with urlopen(request, timeout=5) as response:
            body = response.read()
        with pytest.raises(HTTPError, match="429") as refused:
            urlopen(request, timeout=5)
        refused.value.close()
        process.send_signal(signal.SIGINT)

        assert process.wait(5) == 0
        assert b'"totalNumCompanies":120' in body
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/desk/g2a", shown["callback_url"])


async def test_an_interrupt_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Serving ends by itself after SIGINT, and what it printed was where it was."""
    emulator = Emulator()
    async with asyncio.timeout(5):
        task = asyncio.create_task(serve(emulator))
        while not (printed := capsys.readouterr().out):  # noqa: ASYNC110 - it prints, and tells nobody else
            await asyncio.sleep(0)
        url = emulator.url
        signal.raise_signal(signal.SIGINT)
        await task

    assert url in printed
    with pytest.raises(RuntimeError, match="no address"):
        _ = emulator.url


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--port", "65536"], "65535"), (["--port", "-1"], "port"), (["--rate", "-1"], "above zero")],
)
def test_numbers_that_are_none_are_told(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    """A port or a rate that cannot be is a matter of use: exit code 2, and a line."""
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert said in capsys.readouterr().err


def test_a_port_that_is_taken_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Serving ends with 1 and says which port."""
    with Emulator() as first:
        port = str(urlsplit(first.url).port)
        with pytest.raises(SystemExit, match="1"):
            main(["--port", port])
    assert re.fullmatch(rf"python -m g2a_async.emulator: .*{port}.*\n", capsys.readouterr().err)


def test_the_plugin_gives_an_emulator_and_a_client(pytester: pytest.Pytester) -> None:
    """A test of a user's project gets them by name alone, in any loop and in none."""
    installed = any(each.name == "g2a_async" for each in entry_points(group="pytest11"))
    pytester.makepyfile(USERS_TESTS)
    plugins = () if installed else ("-p", "g2a_async.pytest_plugin")
    # Not in this process: modules that it loads first would be forgotten with it, and loaded twice.
    result = pytester.runpytest_subprocess(*plugins, "-p", "no:randomly", "-p", "no:asyncio", "-W", "error")

    result.assert_outcomes(passed=3)


def test_the_plugin_costs_nothing_until_it_is_used() -> None:
    """Loading it imports pytest and nothing heavy: neither aiohttp nor the SDK's own modules."""
    code = (
        "import sys, pytest; before = set(sys.modules); import g2a_async.pytest_plugin;"
        "print(*sorted(each for each in set(sys.modules) - before"
        " if each.split('.')[0] in {'aiohttp', 'attrs', 'cattrs', 'tenacity', 'msgspec'}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.split() == []
