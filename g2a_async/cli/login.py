"""`g2a login`, `g2a logout` and `g2a whoami`."""

import asyncio
import getpass
import os
import sys
from enum import StrEnum
from typing import Annotated, Final

import typer

from g2a_async.errors import ConfigError

_LONGEST: Final = 300.0


class Store(StrEnum):
    """Where a token is kept."""

    FILE = "file"
    KEYRING = "keyring"


def login(
    *,
    store: Annotated[
        Store, typer.Option(help="Where the token is kept: a file that only you can read, or the system's keyring.")
    ],
    client_id: Annotated[str, typer.Option(envvar="G2A_CLIENT_ID", help="The ID of your OAuth client.")],
    save_secret: Annotated[bool, typer.Option("--save-secret", help="Keep the client secret with the token.")] = False,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Open no browser here; paste the address that yours ends up at.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to come back to; 0: a free one.")] = 0,
    redirect_uri: Annotated[
        str | None, typer.Option(help="The address to come back to, as the client was registered with it.")
    ] = None,
    pkce: Annotated[bool, typer.Option("--pkce", help="For servers that take PKCE.")] = False,
    timeout: Annotated[float, typer.Option(min=0.01, help="Seconds that the browser may take.")] = _LONGEST,
) -> None:
    """Log in with your browser.

    The client secret is taken from G2A_CLIENT_SECRET, or asked for. The login is kept where G2A_TOKEN_FILE says, or
    in token.json in your configuration folder. G2A_TOKEN_URL and G2A_AUTHORIZE_URL name another server.
    """
    from g2a_async.cli.browser import Way, log_in  # noqa: PLC0415  the SDK, for these commands alone
    from g2a_async.logins import Login, login_file  # noqa: PLC0415
    from g2a_async.oauth import AUTHORIZE_URL, TOKEN_URL  # noqa: PLC0415

    secret = _secret()
    record = Login(
        client_id=client_id,
        store=store.value,
        token_url=os.environ.get("G2A_TOKEN_URL", "").strip() or TOKEN_URL,
        authorize_url=os.environ.get("G2A_AUTHORIZE_URL", "").strip() or AUTHORIZE_URL,
        client_secret=secret if save_secret else None,
    )
    way = Way(browser=not no_browser, port=port, redirect_uri=redirect_uri, pkce=pkce, timeout=timeout)
    token = log_in(record, secret, login_file(), way, say=typer.echo, ask=_pasted)
    typer.echo(f"Logged in as {token.principal or 'somebody whom the server does not name'}.")
    if not save_secret:
        typer.echo("The client secret was not kept: set G2A_CLIENT_SECRET wherever this login is used.")


def logout(*, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Remove the login from this machine. The server keeps what it knows of it."""
    from g2a_async.logins import forget_login, login_file, read_login  # noqa: PLC0415

    path = login_file()
    record = read_login(path)
    if record is None:
        typer.echo(f"Nobody is logged in: there is no login in {path}.")
        return
    if not yes:
        typer.confirm(
            f"Remove the login in {path} (client {record.client_id}, token in the {record.store})?", abort=True
        )
    asyncio.run(forget_login(path))
    typer.echo("Logged out.")


def whoami() -> None:
    """Whose login this is, where it is kept, and how long its token lasts. Asks no server."""
    from g2a_async.cli.browser import describe  # noqa: PLC0415
    from g2a_async.clock import SystemClock  # noqa: PLC0415
    from g2a_async.logins import login_file, open_store, read_login  # noqa: PLC0415

    path = login_file()
    record = read_login(path)
    token = asyncio.run(open_store(record.store, path).load()) if record is not None else None
    if record is None or token is None:
        raise ConfigError(f"nobody is logged in: there is no login in {path}; run `g2a login`")
    for name, value in describe(record, token, path, SystemClock().now()):
        typer.echo(f"{name:<10}{value}")
    over = [name for name in ("G2A_ACCESS_TOKEN", "G2A_REFRESH_TOKEN") if os.environ.get(name, "").strip()]
    if over:
        typer.echo(f"But {over[0]} is set, and is used instead of this login.")


def _pasted() -> str:
    """What the user pastes: not shown on a terminal; one line of what is piped."""
    return _hidden("The address (it stays hidden): ") if sys.stdin.isatty() else sys.stdin.readline()


def _secret() -> str:
    """The client's secret: of the variable, or as the user types it."""
    if secret := os.environ.get("G2A_CLIENT_SECRET", "").strip():
        return secret
    if not sys.stdin.isatty():
        raise ConfigError("set G2A_CLIENT_SECRET: there is no terminal to ask on")
    return _hidden("The client's secret (it stays hidden): ")


def _hidden(prompt: str) -> str:
    try:
        return getpass.getpass(prompt, stream=sys.stderr).strip()
    except EOFError:
        raise ConfigError("nothing was given") from None
