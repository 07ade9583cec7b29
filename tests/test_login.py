"""`g2a login`, `g2a logout` and `g2a whoami`, with a browser that goes where it is sent."""

import asyncio
import getpass
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import keyring
import pytest
import typer
from attrs import define, field
from test_tokens_keyring import Drawer
from tools.cli import Command, Result, Stdin

from g2a_async import ConfigError, G2AClient, ReauthorizationRequiredError, Settings
from g2a_async.cli.browser import describe
from g2a_async.cli.receiver import Receiver, on_loopback, pasted_code
from g2a_async.emulator import Emulator
from g2a_async.logins import Login, auth_from_env
from g2a_async.tokens import Token

pytest_plugins = ("tools.fixtures",)

USER = "robin.keller@northwind-help.example"


@define
class Browser:
    """Opens what it is told to, follows redirects, and keeps the last page."""

    change: Callable[[str], str] = str
    urls: list[str] = field(factory=list)
    pages: list[tuple[int, str]] = field(factory=list)

    def open(self, url: str) -> bool:
        """Go there, as `webbrowser.open` does."""
        self.urls.append(url)
        self.visit(self.change(url))
        return True

    def visit(self, url: str) -> None:
        """Go there."""
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                self.pages.append((answer.status, answer.read().decode()))
        except urllib.error.HTTPError as error:
            with error:
                self.pages.append((error.code, error.read().decode()))


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Emulator]:
    """Run an authorization server, in an environment that names it."""
    for name in [name for name in os.environ if name.startswith("G2A_")]:
        monkeypatch.delenv(name)
    with Emulator() as running:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        monkeypatch.setenv("G2A_TOKEN_URL", running.token_url)
        monkeypatch.setenv("G2A_AUTHORIZE_URL", running.authorize_url)
        monkeypatch.setenv("G2A_CLIENT_SECRET", running.client_secret)
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "200")
        yield running


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Browser:
    """Replace the user's browser."""
    mine = Browser()
    monkeypatch.setattr(webbrowser, "open", mine.open)
    return mine


def log_in(g2a: Command, emulator: Emulator, *options: str, stdin: str = "", store: str = "file") -> Result:
    """Run `g2a login` as the emulator's client."""
    return g2a("login", "--store", store, "--client-id", emulator.client_id, *options, stdin=stdin)


def secrets_of(emulator: Emulator) -> list[str]:
    """Everything that must not be seen."""
    state = emulator.state.oauth
    return [emulator.client_secret, *state.access_tokens, *state.refresh_tokens]


def test_a_login_from_end_to_end(emulator: Emulator, browser: Browser, g2a: Command, tmp_path: Path) -> None:
    """The browser comes back, the token is kept, the SDK uses it, and nothing secret was shown or kept unasked."""
    code, out, err = log_in(g2a, emulator)
    file = tmp_path / "g2a" / "token.json"
    assert (code, err) == (0, "")
    assert USER in out
    assert "set G2A_CLIENT_SECRET" in out
    assert browser.pages[0][0] == 200
    assert "close this window" in browser.pages[0][1]
    assert file.stat().st_mode & 0o777 == 0o600
    assert emulator.client_secret not in file.read_text()
    page = parse_qs(urlsplit(browser.urls[0]).query)
    assert page["redirect_uri"][0].startswith("http://127.0.0.1:")
    assert len(page["state"][0]) >= 40
    whoami = g2a("whoami")
    shown = out + err + browser.pages[0][1] + "".join(whoami[1:])
    assert not [secret for secret in secrets_of(emulator) if secret in shown]

    async def call() -> list[Any]:
        settings = Settings(base_url=emulator.url)
        async with G2AClient(auth_from_env(os.environ), settings=settings) as client:
            return await client.companies.list().collect()

    assert asyncio.run(call()) == []


def test_whoami_and_logout(emulator: Emulator, browser: Browser, g2a: Command, tmp_path: Path) -> None:
    """Shows whose login it is, where and until when, and with 3 once logout has removed it."""
    assert g2a("whoami")[0] == 3
    assert "Nobody" in g2a("logout")[1]
    log_in(g2a, emulator, "--save-secret")
    code, out, _ = g2a("whoami")
    assert code == 0
    for words in (USER, emulator.client_id, str(tmp_path / "g2a" / "token.json"), "ends in 59 minutes", " UTC"):
        assert words in out
    assert g2a("logout", stdin="n\n")[0] == 1
    assert g2a("whoami")[0] == 0
    assert g2a("logout", stdin="y\n")[0] == 0
    code, out, err = g2a("whoami")
    assert (code, out) == (3, "")
    assert "g2a login" in err
    assert not (tmp_path / "g2a" / "token.json").exists()


def test_whoami_tells_what_goes_before_the_login(
    emulator: Emulator, browser: Browser, g2a: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that the SDK would use in place of the login is named."""
    log_in(g2a, emulator)
    monkeypatch.setenv("G2A_ACCESS_TOKEN", "s3cr3t")
    out = g2a("whoami")[1]
    assert "G2A_ACCESS_TOKEN is set" in out
    assert "s3cr3t" not in out


def test_a_login_with_its_secret(
    emulator: Emulator, browser: Browser, g2a: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --save-secret no variable is needed afterwards, not even the server's address."""
    log_in(g2a, emulator, "--save-secret")
    for name in ("G2A_CLIENT_SECRET", "G2A_TOKEN_URL", "G2A_AUTHORIZE_URL"):
        monkeypatch.delenv(name)
    assert asyncio.run(auth_from_env(os.environ).renew("x"))
    assert log_in(g2a, emulator)[0] == 3


def test_a_login_in_a_keyring(
    emulator: Emulator, browser: Browser, g2a: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token and the secret are in the keyring alone; the next login, in a file, leaves nothing there."""
    drawer = Drawer()
    monkeypatch.setattr(keyring, "get_password", drawer.get_password)
    monkeypatch.setattr(keyring, "set_password", drawer.set_password)
    monkeypatch.setattr(keyring, "delete_password", drawer.delete_password)
    file = tmp_path / "g2a" / "token.json"
    assert log_in(g2a, emulator, "--save-secret", store="keyring")[0] == 0
    assert not [secret for secret in secrets_of(emulator) if secret in file.read_text()]
    assert len(drawer.entries) == 1
    monkeypatch.delenv("G2A_CLIENT_SECRET")
    assert asyncio.run(auth_from_env(os.environ).renew("x"))
    assert "keyring" in g2a("whoami")[1]
    monkeypatch.setenv("G2A_CLIENT_SECRET", emulator.client_secret)
    assert log_in(g2a, emulator)[0] == 0
    assert not drawer.entries
    assert log_in(g2a, emulator, store="keyring")[0] == 0
    assert "token" not in json.loads(file.read_text())
    assert g2a("logout", "--yes")[0] == 0
    assert not drawer.entries
    assert not file.exists()


@pytest.mark.parametrize("options", [(), ("--store", "file"), ("--client-id", "c")])
def test_the_store_is_chosen(emulator: Emulator, browser: Browser, g2a: Command, options: tuple[str, ...]) -> None:
    """Without --store or a client, and nobody to ask, what is needed is named, and no browser opens."""
    code, out, err = g2a("login", *options)
    assert (code, out) == (2, "")
    assert "g2a login --store file --client-id ID" in err
    assert not browser.urls


def test_what_is_left_out_is_asked_for(
    emulator: Emulator, browser: Browser, g2a: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On a terminal the store and the client are asked for; a store is never chosen for the user."""
    monkeypatch.setattr(Stdin, "terminal", True)
    code, out, err = g2a("login", stdin=f"\ncloud\nFILE\n{emulator.client_id}\n")
    assert code == 0, err
    assert err.count("[file/keyring]") == 3
    assert USER in out
    assert (tmp_path / "g2a" / "token.json").exists()


def test_a_place_that_cannot_be_written_is_told_first(
    emulator: Emulator, browser: Browser, g2a: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before any browser opens, and what is checked leaves nothing behind."""
    monkeypatch.setenv("G2A_TOKEN_FILE", "/proc/deep/token.json")
    code, _, err = log_in(g2a, emulator)
    assert code == 3
    assert "G2A_TOKEN_FILE names another file" in err
    assert not browser.urls
    monkeypatch.setenv("G2A_TOKEN_FILE", str(tmp_path / "new" / "token.json"))
    emulator.state.oauth.consent = False
    assert log_in(g2a, emulator)[0] == 3
    assert len(browser.urls) == 1
    assert not [*tmp_path.iterdir()]


def test_a_wrong_address_is_named(
    emulator: Emulator, browser: Browser, g2a: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable that names the server is what the error begins with."""
    monkeypatch.setenv("G2A_AUTHORIZE_URL", "somewhere")
    code, _, err = log_in(g2a, emulator)
    assert code == 3
    assert err.startswith("g2a: G2A_AUTHORIZE_URL must be")


def test_pkce_from_end_to_end(emulator: Emulator, browser: Browser, g2a: Command) -> None:
    """With --pkce the page is given a challenge, the code is given for its verifier, and for no other."""
    assert log_in(g2a, emulator, "--pkce")[0] == 0
    assert "code_challenge_method=S256" in browser.urls[0]
    form = parse_qs(emulator.journal.of("POST /oauth/token")[0].body.decode())
    assert len(form["code_verifier"][0]) >= 43
    assert form["code_verifier"][0] not in browser.urls[0]


def test_a_wrong_state_changes_nothing(emulator: Emulator, browser: Browser, g2a: Command) -> None:
    """Somebody else's answer is turned away, also without a state, and the login goes on to its own."""

    def intrude(url: str) -> str:
        home = parse_qs(urlsplit(url).query)["redirect_uri"][0]
        for query in ("?code=theirs&state=guessed", "?code=theirs", "?error=access_denied", "favicon.ico"):
            browser.visit(home + query)
        return url

    browser.change = intrude
    assert log_in(g2a, emulator)[0] == 0
    assert [status for status, _ in browser.pages] == [400, 400, 400, 404, 200]


def test_a_user_who_says_no(emulator: Emulator, browser: Browser, g2a: Command) -> None:
    """The terminal says so, and exits with 3."""
    emulator.state.oauth.consent = False
    code, _, err = log_in(g2a, emulator)
    assert code == 3
    assert "access_denied" in err


def test_a_browser_that_does_not_come_back(emulator: Emulator, browser: Browser, g2a: Command) -> None:
    """The login ends after its time, and says what else to try."""
    browser.change = lambda _: f"{emulator.files_url}/nothing"
    code, _, err = log_in(g2a, emulator, "--timeout", "0.04")
    assert code == 1
    assert "--no-browser" in err


def test_a_wrong_client(emulator: Emulator, browser: Browser, g2a: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong secret is told without showing it."""
    monkeypatch.setenv("G2A_CLIENT_SECRET", "wr0ng")
    code, out, err = log_in(g2a, emulator)
    assert code == 3
    assert "secret is wrong" in err
    assert "wr0ng" not in out + err


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Stays where it is."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Go nowhere."""


def target_of(url: str) -> str:
    """Tell where the browser would end up."""
    with pytest.raises(urllib.error.HTTPError) as redirect:
        urllib.request.build_opener(NoRedirect).open(url, timeout=5)
    with redirect.value as answer:
        return str(answer.headers["Location"])


@pytest.mark.parametrize("whole", [True, False])
def test_a_pasted_login(
    emulator: Emulator, browser: Browser, g2a: Command, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    """Without a browser the user pastes the address, or the code, that theirs ended up with."""
    shown: list[str] = []
    monkeypatch.setattr(typer, "echo", shown.append)

    def paste(_: Stdin) -> str:
        target = target_of(next(word for word in " ".join(shown).split() if word.startswith("http")))
        return f"{target if whole else parse_qs(urlsplit(target).query)['code'][0]}\n"

    monkeypatch.setattr(Stdin, "readline", paste)
    assert log_in(g2a, emulator, "--no-browser")[0] == 0
    assert USER in " ".join(shown)
    assert not browser.urls


def test_an_address_elsewhere_is_pasted(emulator: Emulator, browser: Browser, g2a: Command) -> None:
    """When the client is registered with an address that is not on this machine, the user pastes it."""
    browser.change = lambda _: f"{emulator.files_url}/nothing"
    code, out, err = log_in(g2a, emulator, "--redirect-uri", "https://app.example/back", stdin="a-wrong-code\n")
    assert code == 3
    assert "paste" in out
    assert "code was refused" in err
    assert "redirect_uri=https%3A%2F%2Fapp.example%2Fback" in browser.urls[0]


def test_asks_on_a_terminal_without_showing(
    emulator: Emulator, browser: Browser, g2a: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secret and pasted code are asked for by what does not echo; without a terminal, the variable is named."""
    monkeypatch.delenv("G2A_CLIENT_SECRET")
    code, _, err = log_in(g2a, emulator, "--no-browser")
    assert code == 3
    assert "G2A_CLIENT_SECRET" in err
    answers = iter(["a-hidden-secret", "a-hidden-code"])
    monkeypatch.setattr(getpass, "getpass", lambda *_, **__: next(answers))
    monkeypatch.setattr(Stdin, "terminal", True)
    code, out, err = log_in(g2a, emulator, "--no-browser")
    assert code == 3
    assert "secret is wrong" in err
    assert "a-hidden" not in out + err
    assert next(answers, None) is None

    def nothing(*_: Any, **__: Any) -> str:
        raise EOFError

    monkeypatch.setattr(getpass, "getpass", nothing)
    assert log_in(g2a, emulator)[::2] == (3, "g2a: nothing was given\n")


def test_a_real_browser_command(emulator: Emulator, tmp_path: Path) -> None:
    """As a process of its own, `g2a login` opens what BROWSER names; the code is in nobody's arguments."""
    script = tmp_path / "browser.py"
    script.write_text("import sys, urllib.request\nurllib.request.urlopen(sys.argv[1], timeout=5).read()\n")
    environ = os.environ | {
        "BROWSER": f"{sys.executable} {script} %s",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "G2A_CLIENT_ID": emulator.client_id,
    }
    command = [sys.executable, "-m", "g2a_async", "login", "--store", "file"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert USER in done.stdout
    assert not [secret for secret in secrets_of(emulator) if secret in done.stdout]


async def test_a_port_that_is_taken() -> None:
    """It is named."""
    async with Receiver("s") as first:
        with pytest.raises(ConfigError, match="port"):
            async with Receiver("s", redirect_uri=first.redirect_uri):
                pass


async def test_a_receiver_serves_once() -> None:
    """After the answer the address is dead, and its path is the registered one alone."""
    async with Receiver("s") as free:
        port = urlsplit(free.redirect_uri).port
    browser = Browser()
    uri = f"http://localhost:{port}/back"
    async with Receiver("s", redirect_uri=uri) as receiver:
        for path in ("/?code=1&state=s", "/back?code=2&state=s", "/back?code=3&state=s"):
            await asyncio.to_thread(browser.visit, f"http://127.0.0.1:{port}{path}")
        assert await receiver.code(1) == "2"
    assert [status for status, _ in browser.pages] == [404, 200, 404]


@pytest.mark.parametrize(
    ("uri", "here"),
    [
        ("http://127.0.0.1:8080/x", True),
        ("http://localhost/", True),
        ("https://localhost/", False),
        ("http://app.example/", False),
        ("urn:ietf:wg:oauth:2.0:oob", False),
    ],
)
def test_which_addresses_are_here(uri: str, here: bool) -> None:
    """Plain HTTP on loopback, and nothing else."""
    assert on_loopback(uri) is here


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://a.example/?code=abc&state=s", "abc"),
        ("  code=abc&state=s\n", "abc"),
        ("abc-_=", "abc-_="),
        ("https://a.example/?code=abc&state=x", ConfigError),
        ("https://a.example/?code=abc", ConfigError),
        ("https://a.example/?error=access_denied&state=s", ReauthorizationRequiredError),
        ("https://a.example/?state=s", ReauthorizationRequiredError),
        ("", ConfigError),
        ("two words", ConfigError),
    ],
)
def test_reads_what_is_pasted(text: str, expected: Any) -> None:
    """An address of this login, or a code; nothing of another login."""
    if isinstance(expected, str):
        assert pasted_code(text, "s") == expected
    else:
        with pytest.raises(expected):
            pasted_code(text, "s")


NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
LIVES: dict[str, timedelta | None] = {
    "valid until the server says otherwise": None,
    "ends in less than a minute, 2026-05-01 12:00:20 UTC": timedelta(seconds=20),
    "ends in 1 minute, 2026-05-01 12:01:30 UTC": timedelta(seconds=90),
    "ends in 2 hours, 2026-05-01 14:30:00 UTC": timedelta(minutes=150),
    "ended 3 days ago, 2026-04-28 10:00:00 UTC": -timedelta(days=3, hours=2),
}


@pytest.mark.parametrize(("words", "left"), LIVES.items(), ids=LIVES)
def test_tells_how_long_a_token_lasts(words: str, left: timedelta | None) -> None:
    """Relative and absolute, and whether it renews itself."""
    token = Token("s3cr3t", expires_at=None if left is None else NOW + left)
    told = dict(describe(Login(client_id="c", store="file"), token, Path("/x"), NOW))
    assert told["token"] == words
    assert "log in anew" in told["renewal"]
    assert "did not say" in told["user"]
    assert "s3cr3t" not in str(told)
