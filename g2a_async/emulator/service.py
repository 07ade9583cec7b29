"""One request: journal, faults, checks, handler, answer."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from aiohttp import web
from attrs import define, evolve

from g2a_async.emulator import files, oauth
from g2a_async.emulator.call import Call
from g2a_async.emulator.clock import EmulatorClock
from g2a_async.emulator.faults import Fault, Faults, page
from g2a_async.emulator.handlers import HANDLERS
from g2a_async.emulator.journal import Entry, Journal
from g2a_async.emulator.keys import AUTHORIZE, DOCUMENT, FILES, LAUNCH, TOKEN
from g2a_async.emulator.links import Links
from g2a_async.emulator.openapi import document
from g2a_async.emulator.rate import RateLimit
from g2a_async.emulator.router import API, BASE, FOREIGN, PARTNER, Place, Route, read_body, read_query, route
from g2a_async.emulator.state import State
from g2a_async.emulator.wire import Answer, Refusal, bad_request, ok, refuse
from g2a_async.endpoints import Endpoint

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST
_LAUNCH: Final = (
    b"<!doctype html><html lang=en><title>GoToAssist</title>"
    b"<body style='max-width:600px'><h1>Starting your session</h1></body></html>"
)


@define(kw_only=True)
class Service:
    """Everything that answers depend on."""

    clock: EmulatorClock
    state: State
    faults: Faults
    journal: Journal
    rate_limit: RateLimit
    links: Links
    stopping: asyncio.Event
    """Ends the waits of slow answers."""

    async def api(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer on the API's origin."""
        return await self._serve(request, API)

    async def foreign(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer on the other origin."""
        return await self._serve(request, FOREIGN)

    async def _serve(self, request: web.BaseRequest, places: tuple[Place, ...]) -> web.StreamResponse:
        target = request.raw_path
        where: Route | Refusal
        try:
            where = route(places, request.method, target.partition("?")[0])
        except Refusal as refusal:
            where = refusal
        entry = self.journal.open(
            time=self.clock.now(),
            method=request.method,
            target=target,
            headers=tuple(request.headers.items()),
            key=where.key if isinstance(where, Route) else None,
            endpoint=where.endpoint if isinstance(where, Route) else None,
        )
        entry.body = await request.read()
        fault = self.faults.take(entry.key)
        entry.fault = fault.kind if fault else None
        answer = await self._spoil(fault, where, entry, request) if fault else self._answer(where, entry, request)
        if answer is None:
            return _reset(request)
        entry.status = answer.status
        return await _send(request, answer, fault, self.stopping)

    async def _spoil(
        self, fault: Fault, where: Route | Refusal, entry: Entry, request: web.BaseRequest
    ) -> Answer | None:
        """The answer under *fault*; None: the connection is reset."""
        if fault.kind == "slow" and not fault.after:
            await _wait(self.stopping, fault.seconds)
            return self._answer(where, entry, request)
        truth = self._answer(where, entry, request) if fault.after else None
        if fault.kind == "reset":
            return None
        if fault.kind == "slow":
            await _wait(self.stopping, fault.seconds)
        return truth if truth is not None and fault.kind in {"slow", "stall", "truncate"} else fault.answer()

    def _answer(self, where: Route | Refusal, entry: Entry, request: web.BaseRequest) -> Answer:
        """What the service really says."""
        with self.state.lock:
            try:
                if isinstance(where, Refusal):
                    raise where
                if len(request.method) + len(entry.target) + 10 > self.state.max_url_bytes:
                    return page(414)
                if where.endpoint is not None:
                    return self._call(where, where.endpoint, entry)
                return self._other(where.key, entry, request)
            except oauth.OAuthRefusal as refusal:
                return refusal.answer()
            except Refusal as refusal:
                return refusal.answer(entry.number)

    def _call(self, where: Route, endpoint: Endpoint, entry: Entry) -> Answer:
        self._admit(endpoint, entry)
        call = Call(
            endpoint=endpoint,
            names=where.names,
            query=read_query(endpoint, entry.target.partition("?")[2], self.state.aliases),
            body=read_body(endpoint, entry.header("Content-Type") or "", entry.body),
            state=self.state,
            links=self.links,
        )
        return HANDLERS[endpoint.name](call)

    def _admit(self, endpoint: Endpoint, entry: Entry) -> None:
        """Check credentials, and the rate at which they come."""
        if not endpoint.authorized:
            if entry.authorization is not None:
                bad_request("Credentials do not belong here")
            return
        scheme, _, token = (entry.authorization or "").partition(" ")
        if scheme == "OAuth":
            name, _, token = token.partition("=")
            scheme = "Bearer" if name == "oauth_token" else ""
        if scheme != "Bearer" or not self.state.oauth.valid(token, self.clock.now()):
            refuse(401, "AuthFailed", "The token is not valid", {"WWW-Authenticate": "Bearer"})
        self.rate_limit.admit(token)

    def _other(self, key: str, entry: Entry, request: web.BaseRequest) -> Answer:
        """What is beside the table."""
        authority, query = self.state.oauth, entry.target.partition("?")[2]
        if key == TOKEN:
            content_type, authorization = entry.header("Content-Type") or "", entry.authorization or ""
            return oauth.token(authority, self.clock.now(), content_type, authorization, entry.body)
        if key == AUTHORIZE:
            return oauth.authorize(authority, query)
        if key == FILES:
            return files.download(self.state, self.links, entry.target, request.headers)
        if key == DOCUMENT:
            return ok(document(f"http://{request.host}", BASE, self.links.origin + PARTNER))
        assert key == LAUNCH  # noqa: S101 - the last of the five
        return Answer(body=_LAUNCH, headers={"Content-Type": "text/html; charset=utf-8"})


async def _send(
    request: web.BaseRequest, answer: Answer, fault: Fault | None, stopping: asyncio.Event
) -> web.StreamResponse:
    if fault is None or fault.kind not in {"truncate", "stall"}:
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
    answer = evolve(answer, body=answer.body or b" " * 64)
    keep = len(answer.body) // 2 if fault.keep is None else fault.keep
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = len(answer.body)
    await response.prepare(request)
    await response.write(answer.body[:keep])
    if fault.kind == "stall":
        await _wait(stopping, fault.seconds)
        with suppress(ConnectionError):  # the client may have gone
            await response.write(answer.body[keep:])
    else:
        _hang_up(request)
    return response


def _reset(request: web.BaseRequest) -> web.Response:
    _hang_up(request, reset=True)
    return web.Response()


def _hang_up(request: web.BaseRequest, *, reset: bool = False) -> None:
    transport = request.transport
    if transport is None:
        return  # pragma: no cover - the client went first
    if reset:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.close()


async def _wait(stopping: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
