"""The way through the user's browser, and what there is to say of a login."""

import asyncio
import secrets
import threading
import webbrowser
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from attrs import frozen

from g2a_async.cli.receiver import Receiver, on_loopback, pasted_code
from g2a_async.logins import Login, check_place, keep_login, open_store, read_login
from g2a_async.oauth import OAuth2, pkce
from g2a_async.settings import Settings
from g2a_async.tokens import Token

_UNITS: Final = ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute"))


@frozen(kw_only=True)
class Way:
    """How the user gets to the authorization server and back."""

    browser: bool = True
    """One on this machine."""
    port: int = 0
    """The port to come back to; 0: a free one."""
    redirect_uri: str | None = None
    """The address to come back to; None: on loopback."""
    pkce: bool = False
    """Prove that the code is ours."""
    timeout: float = 300.0
    """Seconds that the browser may take."""


def log_in(
    record: Login, secret: str, path: Path, way: Way, *, say: Callable[[str], object], ask: Callable[[], str]
) -> Token:
    """The user's token, kept with *record*. *ask* gives what the user pastes, where no browser can come back."""
    read_login(path)  # what cannot be kept is known before anybody is sent anywhere
    open_store(record.store, path).read()
    check_place(path)
    state = secrets.token_urlsafe(32)
    verifier, challenge = pkce() if way.pkce else (None, None)
    oauth = OAuth2(record.client_id, secret, token_url=record.token_url, authorize_url=record.authorize_url)
    oauth.adopt(Settings(trust_env=True))

    def page(redirect_uri: str) -> str:
        return oauth.authorization_url(redirect_uri, state, code_challenge=challenge)

    if way.browser and (way.redirect_uri is None or on_loopback(way.redirect_uri)):
        code, redirect_uri = asyncio.run(_received(state, way, page, say))
    else:
        redirect_uri = way.redirect_uri or f"http://127.0.0.1{f':{way.port}' if way.port else ''}/"
        _open(page(redirect_uri), say, browser=way.browser)
        say("When it comes to a page that does not load, paste the address of that page here.")
        code = pasted_code(ask(), state)

    async def finish() -> Token:
        token = await oauth.exchange_code(code, redirect_uri, code_verifier=verifier)
        await keep_login(path, record, token)
        return token

    return asyncio.run(finish())


async def _received(state: str, way: Way, page: Callable[[str], str], say: Callable[[str], object]) -> tuple[str, str]:
    """The code that the browser brings, and the address that it brings it to."""
    async with Receiver(state, redirect_uri=way.redirect_uri, port=way.port) as receiver:
        _open(page(receiver.redirect_uri), say)
        say(f"Waiting {way.timeout:g} s for it to come back. If it shows an error, end this with Ctrl-C.")
        return await receiver.code(way.timeout), receiver.redirect_uri


def _open(url: str, say: Callable[[str], object], *, browser: bool = True) -> None:
    say(f"{'Your browser opens. If it does not, go to' if browser else 'Open this in any browser:'}\n\n{url}\n")
    if browser:
        # Some browsers keep their caller waiting until they are closed.
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def describe(record: Login, token: Token, path: Path, now: datetime) -> Iterator[tuple[str, str]]:
    """Names and values that tell of a login what may be shown."""
    yield "user", token.principal or "the server did not say"
    yield "client", record.client_id
    yield "store", str(path) if record.store == "file" else f"the keyring, as {path} says"
    yield "token", _life(token, now)
    yield "renewal", "automatic" if token.refresh_token else "not possible: log in anew when the token has ended"
    yield "server", record.token_url


def _life(token: Token, now: datetime) -> str:
    if token.expires_at is None:
        return "valid until the server says otherwise"
    when = f"{token.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    left = token.expires_at - now
    return f"ends in {_span(left)}, {when}" if left > timedelta() else f"ended {_span(-left)} ago, {when}"


def _span(length: timedelta) -> str:
    for unit, name in _UNITS:
        if (count := length // unit) >= 1:
            return f"{count} {name}{'s' if count > 1 else ''}"
    return "less than a minute"
