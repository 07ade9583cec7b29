"""What `g2a doctor` looks at, one after the other; none lets the next one wait for long."""

import asyncio
import os
import ssl
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from attrs import frozen

from g2a_async.cli import exits
from g2a_async.client import G2AClient
from g2a_async.errors import (
    ConfigError,
    DecodeError,
    ForbiddenError,
    G2AError,
    NotFoundError,
    RateLimitedError,
    ReauthorizationRequiredError,
    ServerError,
    UnauthorizedError,
)
from g2a_async.events import ExchangeEvent, Hooks
from g2a_async.exchange import mask_url
from g2a_async.logins import login_file, read_login
from g2a_async.network import Proxies
from g2a_async.settings import RetryPolicy, Settings
from g2a_async.support import LOGIN_COMMAND

OK: Final = "ok"
FAILED: Final = "failed"
SKIPPED: Final = "skipped"

_PATIENCE: Final = 10.0
"""Seconds for one check."""
_SKEW: Final = timedelta(seconds=30)
"""By how much the clock may be wrong."""
_TOO_MANY: Final = 429

_NEW_TOKEN: Final = f"Get a new token, or log in: {LOGIN_COMMAND}. The user needs a Remote Support seat."
_NOT_THE_API: Final = "What answers there is not the API: check G2A_BASE_URL."
_TOKEN_ADVICE: Final[tuple[tuple[type[G2AError], int, str], ...]] = (
    (UnauthorizedError, exits.CREDENTIALS, _NEW_TOKEN),
    (ReauthorizationRequiredError, exits.CREDENTIALS, _NEW_TOKEN),
    (ConfigError, exits.CREDENTIALS, "Look at G2A_TOKEN_URL, G2A_CLIENT_ID and G2A_CLIENT_SECRET."),
    (ForbiddenError, exits.CREDENTIALS, "The token is right, but its user lacks a role: ask your administrator."),
    (ServerError, exits.FAILED, "The service fails: try again later."),
    (NotFoundError, exits.FAILED, _NOT_THE_API),
    (DecodeError, exits.FAILED, _NOT_THE_API),
    (G2AError, exits.FAILED, "See what failed above."),
)


@frozen(kw_only=True)
class Check:
    """What became of a check."""

    check: str
    result: str
    detail: str
    advice: str = ""
    exit_code: int = exits.FAILED

    def to_dict(self) -> dict[str, Any]:
        """For output."""
        return {"check": self.check, "result": self.result, "detail": self.detail, "advice": self.advice}


async def checks() -> AsyncIterator[Check]:
    """Every check, as it is done."""
    seen: list[int | None] = []

    def note(event: ExchangeEvent) -> None:
        seen.append(event.status)

    client: G2AClient | None = None
    try:
        client = G2AClient.from_env(trust_env=True, hooks=Hooks(on_exchange=note))
        yield Check(check="configuration", result=OK, detail=f"{_source()}, for {client.settings.base_url}")
    except ConfigError as error:
        yield Check(check="configuration", result=FAILED, detail=str(error), exit_code=exits.CREDENTIALS)
    try:
        settings = client.settings if client is not None else _settings()
    except ValueError:
        for name in ("dns", "tls", "clock", "token", "quota"):
            yield Check(check=name, result=SKIPPED, detail="needs a right configuration")
        return
    proxy = Proxies(None, trust_env=True).of(settings.base_url)
    yield await _dns(settings.base_url, proxy)
    yield await _tls(settings.base_url, proxy)
    yield await _clock(settings, proxy)
    if client is None:
        for name in ("token", "quota"):
            yield Check(check=name, result=SKIPPED, detail="needs a right configuration")
        return
    async with client:
        yield await _token(client)
    yield _quota(client, seen)


def _settings() -> Settings:
    base_url = os.environ.get("G2A_BASE_URL", "").strip()
    return Settings(base_url=base_url) if base_url else Settings()


def _source() -> str:
    """Where the credentials are from, in words that hold none."""
    if os.environ.get("G2A_ACCESS_TOKEN", "").strip():
        return "the access token of G2A_ACCESS_TOKEN"
    if os.environ.get("G2A_REFRESH_TOKEN", "").strip():
        return "the refresh token of G2A_REFRESH_TOKEN"
    path = login_file()
    login = read_login(path)
    store = "the keyring" if login is not None and login.store == "keyring" else "that file"
    return f"the login of {path}, whose token is in {store}"


async def _dns(base_url: str, proxy: str | None) -> Check:
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if proxy is not None:
        return Check(check="dns", result=SKIPPED, detail=f"left to the proxy {mask_url(proxy)}")
    try:
        async with asyncio.timeout(_PATIENCE):
            found = await asyncio.get_running_loop().getaddrinfo(host, parts.port or 443, type=1)
    except (OSError, UnicodeError) as error:
        advice = "Check the name in G2A_BASE_URL, the network, and what resolves names here (/etc/resolv.conf)."
        return Check(check="dns", result=FAILED, detail=f"{host} is not found: {_words(error)}", advice=advice)
    if _is_address(host):
        return Check(check="dns", result=OK, detail=f"{host} is an address already")
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
    return Check(check="dns", result=OK, detail=f"{host} is {addresses[0]}{more}")


async def _tls(base_url: str, proxy: str | None) -> Check:
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if parts.scheme == "http":
        if _on_this_machine(host):
            return Check(check="tls", result=OK, detail="none: plain HTTP that stays on this machine")
        advice = "Write https in G2A_BASE_URL: tokens travel in the clear."
        return Check(check="tls", result=FAILED, detail="none: plain HTTP", advice=advice)
    if proxy is not None:
        return Check(check="tls", result=SKIPPED, detail=f"through the proxy {mask_url(proxy)}: see clock")
    try:
        async with asyncio.timeout(_PATIENCE):
            _, writer = await asyncio.open_connection(host, parts.port or 443, ssl=ssl.create_default_context())
            found: ssl.SSLObject = writer.get_extra_info("ssl_object")
            certificate: Any = found.getpeercert() or {}
            version = found.version()
            writer.transport.abort()
    except ssl.SSLCertVerificationError as error:
        advice = "Is the clock right, or is there a proxy between? SSL_CERT_FILE names other trusted authorities."
        return Check(
            check="tls", result=FAILED, detail=f"the certificate is refused: {error.verify_message}", advice=advice
        )
    except OSError as error:
        advice = "Is the network up, and port 443 open? If a proxy is needed, set HTTPS_PROXY."
        return Check(check="tls", result=FAILED, detail=f"no connection: {_words(error)}", advice=advice)
    return Check(
        check="tls", result=OK, detail=f"{version}, certificate valid until {certificate.get('notAfter', '?')}"
    )


def _is_address(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


def _on_this_machine(host: str) -> bool:
    return ip_address(host).is_loopback if _is_address(host) else host == "localhost"


async def _clock(settings: Settings, proxy: str | None) -> Check:
    """The service's clock is in the `Date` of any answer, also of one to a request without credentials."""
    timeout = aiohttp.ClientTimeout(total=_PATIENCE)
    headers = {"User-Agent": settings.user_agent, "Accept": "application/json"}
    try:
        began, start = datetime.now(UTC), time.monotonic()
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as http,
            http.get(settings.base_url, allow_redirects=False, proxy=proxy) as answer,
        ):
            ours = began + timedelta(seconds=(time.monotonic() - start) / 2)
            theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
    except (aiohttp.ClientError, OSError) as error:
        advice = "Is the network up? If a proxy is needed, set HTTPS_PROXY."
        return Check(
            check="clock", result=FAILED, detail=f"the service does not answer: {_words(error)}", advice=advice
        )
    except ValueError:
        return Check(check="clock", result=SKIPPED, detail="the service does not tell its time")
    # The header has whole seconds, cut off: on average it is half a second behind.
    skew = ours - theirs.replace(tzinfo=theirs.tzinfo or UTC) - timedelta(seconds=0.5)
    seconds = round(abs(skew).total_seconds())
    if abs(skew) <= _SKEW:
        return Check(check="clock", result=OK, detail=f"within {max(seconds, 1)} s of the service")
    direction = "ahead of" if skew > timedelta() else "behind"
    advice = "Let the system set its time: timedatectl set-ntp true."
    return Check(check="clock", result=FAILED, detail=f"{seconds:,} s {direction} the service", advice=advice)


async def _token(client: G2AClient) -> Check:
    """One call, without repeats."""
    asking = client.with_settings(retry=RetryPolicy.none(), deadline=2 * _PATIENCE)
    try:
        now = datetime.now(UTC)  # sessions, not companies: there, a 404 is an empty list
        await asking.sessions.list(now - timedelta(minutes=1), now).collect()
    except RateLimitedError:
        return Check(check="token", result=SKIPPED, detail="the quota is used up")
    except G2AError as error:
        code, advice = next((code, words) for kind, code, words in _TOKEN_ADVICE if isinstance(error, kind))
        return Check(check="token", result=FAILED, detail=str(error), advice=advice, exit_code=code)
    return Check(check="token", result=OK, detail="accepted")


def _quota(client: G2AClient, seen: list[int | None]) -> Check:
    if _TOO_MANY in seen:
        advice = "Wait a little. Other programs with the same client use it up: give each its share."
        detail = "used up: the service answered 429"
        return Check(check="quota", result=FAILED, detail=detail, advice=advice, exit_code=exits.TOO_LATE)
    if not any(seen):
        return Check(check="quota", result=SKIPPED, detail="the service did not answer")
    pace = client.settings.requests_per_second
    return Check(check="quota", result=OK, detail=f"not used up; calls are paced at {pace:g} a second")


def _words(error: BaseException) -> str:
    """What went wrong; aiohttp's own words have the proxy's password."""
    return mask_url(getattr(error, "strerror", None) or str(error) or type(error).__name__)
