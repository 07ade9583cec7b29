"""`g2a login`, `g2a logout` and `g2a whoami`."""

import os
import sys
from enum import StrEnum
from typing import Annotated, Final

import typer

from g2a_async.cli.exits import refuse
from g2a_async.cli.inputs import hidden
from g2a_async.cli.inputs import secret as secret_of
from g2a_async.errors import ConfigError
from g2a_async.support import LOGIN_COMMAND

_LONGEST: Final = 300.0


class Store(StrEnum):
    """Where a token is kept."""

    FILE = "file"
    KEYRING = "keyring"


def login(
    *,
    store: Annotated[
        Store | None,
        typer.Option(
            help="Where the token is kept: a file that only you can read, or the keyring. Asked for otherwise.",
        ),
    ] = None,
    client_id: Annotated[
        str | None,
        typer.Option(envvar="G2A_CLIENT_ID", metavar="ID", help="The ID of your OAuth client. Asked for otherwise."),
    ] = None,
    save_secret: Annotated[bool, typer.Option("--save-secret", help="Keep the client secret with the token.")] = False,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Open no browser here; paste the address that yours ends up at.")
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="The port to come back to; 0: a free one.")
    ] = 0,
    redirect_uri: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The address to come back to, as the client was registered with it."),
    ] = None,
    pkce: Annotated[
        bool, typer.Option("--pkce", help="Prove the code's way by PKCE, to servers that take it.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=0.01, metavar="SECONDS", help="Seconds that the browser may take.")
    ] = _LONGEST,
) -> None:
    """Log in with your browser.

    The client secret is taken from G2A_CLIENT_SECRET, or asked for. The login is kept where G2A_TOKEN_FILE says, or
    in token.json in your configuration folder. G2A_TOKEN_URL and G2A_AUTHORIZE_URL name another server.
    """
    from g2a_async.cli.browser import Way, log_in  # noqa: PLC0415  the SDK, for these commands alone
    from g2a_async.logins import Login, login_file  # noqa: PLC0415
    from g2a_async.oauth import AUTHORIZE_URL, TOKEN_URL  # noqa: PLC0415

    chosen, client = _asked(store, client_id)
    secret = secret_of("G2A_CLIENT_SECRET", "the client's secret")
    record = Login(
        client_id=client,
        store=chosen.value,
        token_url=_address("G2A_TOKEN_URL", TOKEN_URL),
        authorize_url=_address("G2A_AUTHORIZE_URL", AUTHORIZE_URL),
        client_secret=secret if save_secret else None,
    )
    way = Way(browser=not no_browser, port=port, redirect_uri=redirect_uri, pkce=pkce, timeout=timeout)
    token = log_in(record, secret, login_file(), way, say=typer.echo, ask=_pasted)
    typer.echo(f"Logged in as {token.principal or 'somebody whom the server does not name'}.")
    if not save_secret:
        typer.echo("The client secret was not kept: set G2A_CLIENT_SECRET wherever this login is used.")


def logout(*, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Remove the login from this machine.

    The server keeps what it knows of it.
    """
    import asyncio  # noqa: PLC0415  help need not wait for it

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
    """Show whose login this is, and how long its token lasts.

    Asks no server.
    """
    import asyncio  # noqa: PLC0415

    from g2a_async.cli.browser import describe  # noqa: PLC0415
    from g2a_async.clock import SystemClock  # noqa: PLC0415
    from g2a_async.logins import login_file, open_store, read_login  # noqa: PLC0415

    path = login_file()
    record = read_login(path)
    token = asyncio.run(open_store(record.store, path).load()) if record is not None else None
    if record is None or token is None:
        raise ConfigError(f"nobody is logged in: there is no login in {path}; log in with {LOGIN_COMMAND}")
    for name, value in describe(record, token, path, SystemClock().now()):
        typer.echo(f"{name:<10}{value}")
    over = [name for name in ("G2A_ACCESS_TOKEN", "G2A_REFRESH_TOKEN") if os.environ.get(name, "").strip()]
    if over:
        typer.echo(f"But {over[0]} is set, and is used instead of this login.")


def _asked(store: Store | None, client_id: str | None) -> tuple[Store, str]:
    """Both, as they were given, or as the user types them; a store is never chosen for them."""
    client = (client_id or "").strip()
    if store is None or not client:
        if not sys.stdin.isatty():
            refuse(f"login needs --store, and --client-id or G2A_CLIENT_ID, as there is no terminal: {LOGIN_COMMAND}")
        while store is None:
            answer = typer.prompt("Keep the token in a file or in the keyring? [file/keyring]", err=True)
            store = next((one for one in Store if one == answer.strip().lower()), None)
        client = client or typer.prompt("The ID of your OAuth client", err=True).strip()
    return store, client


def _address(variable: str, default: str) -> str:
    """The address that a variable names. ConfigError names the variable."""
    from g2a_async.settings import web_address  # noqa: PLC0415

    try:
        return web_address(variable, os.environ.get(variable, "").strip() or default)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _pasted() -> str:
    """What the user pastes: not shown on a terminal; one line of what is piped."""
    return hidden("The address (it stays hidden): ") if sys.stdin.isatty() else sys.stdin.readline()
