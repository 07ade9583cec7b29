"""Where the browser comes back to: one code, once, on this machine."""

import asyncio
import hmac
from contextlib import AsyncExitStack
from typing import Final, Self
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from g2a_async.errors import ConfigError, G2AError, ReauthorizationRequiredError

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost"})
_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>g2a</title>
<style>:root{{color-scheme:light dark}}body{{font:1.1rem system-ui,sans-serif;max-width:32em;margin:20vh auto;\
padding:0 1em}}</style>
<h1>{title}</h1><p>{text}</p></html>
"""
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
}
_WORDS: Final = 100


def on_loopback(redirect_uri: str) -> bool:
    """Whether a receiver on this machine can serve *redirect_uri*."""
    parts = urlsplit(redirect_uri)
    return parts.scheme == "http" and parts.hostname in _LOOPBACK


def read_code(query: str, state: str) -> str:
    """The code of the address that the browser was sent to.

    ConfigError: it belongs to another login. ReauthorizationRequiredError: the user, or the server, said no.
    """
    found = {name: values[-1] for name, values in parse_qs(query).items()}
    if not hmac.compare_digest(found.get("state", "").encode(), state.encode()):
        raise ConfigError("that address belongs to another login: its state is not the one of this login")
    if code := found.get("code"):
        return code
    reason = "".join(filter(str.isprintable, found.get("error", "no code came back")))[:_WORDS]
    raise ReauthorizationRequiredError(f"the login was refused: {reason}")


def pasted_code(text: str, state: str) -> str:
    """The code in what the user pasted: the whole address, or the code alone. ConfigError: it is neither."""
    text = text.strip()
    if not text or any(map(str.isspace, text)):
        raise ConfigError("paste the address that the browser was sent to, or the code in it")
    if "=" in text and ("?" in text or "code=" in text or "error=" in text):
        return read_code(urlsplit(text).query or text.lstrip("?"), state)
    return text


class Receiver:
    """A listener for one answer of the authorization server, for `async with`.

    *redirect_uri*: None for one on a free port, or on *port*. What does not bring the right *state* is turned away,
    and does not end the waiting.
    """

    def __init__(self, state: str, *, redirect_uri: str | None = None, port: int = 0) -> None:
        self._state = state
        self.redirect_uri = redirect_uri or ""
        """Where the browser is to be sent."""
        parts = urlsplit(self.redirect_uri)
        self._path = parts.path or "/"
        self._port = (parts.port or 80) if redirect_uri else port
        self._code: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            runner = web.ServerRunner(web.Server(self._receive, access_log=None), shutdown_timeout=1.0)
            stack.push_async_callback(runner.cleanup)
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", self._port).start()
            except OSError as error:
                raise ConfigError(f"port {self._port} of 127.0.0.1 cannot be used: {error.strerror}") from None
            self.redirect_uri = self.redirect_uri or f"http://127.0.0.1:{runner.addresses[0][1]}/"
            self._open = stack.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._code.cancel()
        await self._open.aclose()

    async def code(self, seconds: float) -> str:
        """The code, once the browser brings it. G2AError: it did not within *seconds*."""
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self._code)
        except TimeoutError:
            pass
        raise G2AError(f"the browser did not come back within {seconds:g} s; try again, or with --no-browser")

    async def _receive(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method != "GET" or request.path != self._path or self._code.done():
            return _page(404, "There is nothing here", "This address was for one login.")
        try:
            code = read_code(request.rel_url.raw_query_string, self._state)
        except ConfigError:
            return _page(400, "This is not the login that was started", "Start it again with <code>g2a login</code>.")
        except ReauthorizationRequiredError as error:
            self._code.set_exception(error)
            return _page(200, "No login", "You can close this window; the terminal says more.")
        self._code.set_result(code)
        return _page(200, "That was it", "You can close this window and go on in the terminal.")


def _page(status: int, title: str, text: str) -> web.Response:
    return web.Response(
        status=status, text=_PAGE.format(title=title, text=text), content_type="text/html", headers=_HEADERS
    )
