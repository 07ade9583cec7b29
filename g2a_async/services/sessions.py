"""Sessions: start, read, list, watch."""

from collections.abc import AsyncGenerator, AsyncIterable, Collection, Iterable
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

from g2a_async import endpoints, windows
from g2a_async.bounded import as_they_come
from g2a_async.codec import find_list, parse, read, read_list, structure
from g2a_async.errors import DecodeError, G2AError
from g2a_async.outcomes import Outcome
from g2a_async.paging import Page, Pager
from g2a_async.records import ENDED, Session, SessionChange, SessionStatus, StartedSession, Transcript
from g2a_async.services.base import Service
from g2a_async.watch import checked_names, watch
from g2a_async.watcher import Source

_KIND = "SCREEN_SHARING"


class Sessions(Service):
    """Support sessions, attended and unattended."""

    async def start(
        self,
        *,
        customer_name: str | None = None,
        customer_email: str | None = None,
        partner_object: str | None = None,
        partner_object_url: str | None = None,
        status_callback_url: str | None = None,
        machine_uuid: str | None = None,
    ) -> StartedSession:
        """Start a session: unattended with a *machine_uuid*, attended without.

        `POST /sessions`. Not repeated when its answer is lost: OutcomeUnknownError. NotFoundError: no such
        machine in an account that the user can reach. The session has no ID until it runs on an endpoint; until
        then, use the token. (Published; the token's place in the answer is not.)
        """
        body = {
            "sessionType": _KIND,
            "sessionStatusCallbackUrl": status_callback_url,
            "partnerObject": partner_object,
            "partnerObjectUrl": partner_object_url,
            "customerName": customer_name,
            "customerEmail": customer_email,
            "machineUuid": machine_uuid,
        }
        wire, call = self._transport, endpoints.START_SESSION
        if machine_uuid == "":
            raise ValueError("machine_uuid must name a machine: without one, the session is an attended one")
        sent = {name: value for name, value in body.items() if value is not None}
        answer = await wire.call(call, wire.url(call), json=sent, secrets=_secrets(status_callback_url))
        return _started(parse(answer.body, call.name))

    async def get(self, session_id: str) -> Session:
        """One session, by its ID or its session token.

        `GET /sessions/{sessionId}`. NotFoundError: no such session, or it ended more than 30 days ago. (Published.)
        """
        return await self._get(session_id, bulk=False)

    def list(
        self, from_time: datetime, to_time: datetime | None = None, *, window: timedelta | None = None
    ) -> Pager[Session]:
        """Every session of the range, current and past, of every account that the user can reach.

        `GET /sessions`, one request; with *window*, one for each slice of that length, fetched ahead, and a session
        that several slices hold, or that moves on to a later one meanwhile, is given once: what is remembered are
        the IDs of a slice and of those that have not ended. No *to_time*: until now. ValueError: a naive datetime,
        or a range that ends before it begins. (Published; it has no paging.)
        """
        clock = self._transport.clock
        end = clock.now() if window is not None and to_time is None else to_time
        whole = windows.time_range(from_time, windows.aware("from_time", from_time) if end is None else end)
        slices = [whole] if window is None else windows.cut(whole, window)

        async def fetch(slice_: windows.Window) -> tuple[Session, ...]:
            return (await self._list(*slice_, bulk=slice_ is not slices[0])).items

        async def all_at_once() -> Page[Session]:
            return await self._list(whole[0], None if end is None else whole[1], bulk=False)

        async def walk(_: int | None) -> AsyncGenerator[Page[Session]]:
            if window is None:
                yield await all_at_once()
                return
            offset = 0
            async with aclosing(windows.each_once(fetch, slices, clock.now())) as answers:
                async for items in answers:
                    yield Page(items=items, offset=offset)
                    offset += len(items)

        async def count() -> int | None:
            return (await all_at_once()).total if window is None else None

        return Pager(walk, count)

    async def get_many(
        self, session_ids: Iterable[str] | AsyncIterable[str], *, concurrency: int = 10
    ) -> AsyncGenerator[Outcome[Session]]:
        """Sessions by ID or token, as they come, *concurrency* at once.

        `GET /sessions/{sessionId}` for each. One that fails is an Outcome with its error, and the rest go on. IDs
        are taken as there is room; a source of them that waits must be an async one, or it holds up the event loop.
        If taking one fails, that is raised after the outcomes of those before. `aclose()` stops at once and waits
        for what was under way. ValueError: one text, or no number of one or more.
        """
        if isinstance(session_ids, str | bytes) or not isinstance(session_ids, Iterable | AsyncIterable):
            raise ValueError(f"session_ids must be a list of IDs, not {type(session_ids).__name__}")
        if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
            raise ValueError(f"concurrency must be a whole number, one or more, not {concurrency!r}")

        async def one(session_id: str) -> Outcome[Session]:
            try:
                return Outcome(key=session_id, value=await self._get(session_id))
            except (G2AError, ValueError) as error:
                return Outcome(key=session_id, error=_as_outcome(error))

        results = as_they_come(one, session_ids, concurrency)
        try:
            async for outcome in results:
                yield outcome
        finally:
            await results.aclose()

    def watch(
        self,
        session_ids: Collection[str] | None = None,
        *,
        interval: float = 5.0,
        since: datetime | None = None,
        timeout: float | None = None,
    ) -> AsyncGenerator[SessionChange]:
        """What changed, as it is seen, until all watched sessions have ended.

        One `GET /sessions` a tick of *interval* seconds for all watches and waits of a client together (the shortest
        interval counts), and a `GET /sessions/{sessionId}`, ever more rarely, for each that the list does not hold.
        None: every session of the account, new ones too, until *timeout* seconds are over (a day, if nothing is said).
        *since*: how old sessions may be; a day. A watch that joins others begins with what their last tick saw, if
        that is not older than *interval*. A tick that fails is repeated at the next. TimeoutError: not all of
        *session_ids* have ended in time. ValueError, at once: a number of seconds that is none, or a naive *since*.
        """
        wire = self._transport
        return watch(
            wire.pool,
            wire.settings.base_url,
            Source(self._listed, self._get),
            wire.clock,
            session_ids,
            interval=interval,
            since=since,
            timeout=timeout,
        )

    async def wait(
        self,
        session_id: str,
        *,
        until: Collection[str] = ENDED,
        interval: float = 5.0,
        timeout: float | None = None,
    ) -> Session:
        """The session, once its status is one of *until* (the ended ones).

        Asks as `watch` does, and together with it. ValueError: a text that is no status; one that this version does
        not know is written as `SessionStatus("...")`. TimeoutError: it was none of them in *timeout* seconds (a day, if
        nothing is said), or the session ended as something else.
        """
        wanted = ENDED if until is ENDED else _statuses(until)
        changes = self.watch([session_id], interval=interval, timeout=timeout)
        last: Session | None = None
        try:
            async for change in changes:
                last = change.session
                if last.status in wanted:
                    return last
        finally:
            await changes.aclose()
        if last is None or not last.has_ended:
            raise TimeoutError("the session is gone" + (f"; it was {last.status.value!r}" if last is not None else ""))
        raise TimeoutError(f"the session ended as {last.status.value!r}")

    def browser_url(
        self,
        *,
        layout: str | None = None,
        partner_object: str | None = None,
        partner_object_url: str | None = None,
        status_callback_url: str | None = None,
    ) -> str:
        """The address to open in a browser, popup or iframe of 600 by 500 pixels: it starts an attended session.

        `GET /session`, which the browser sends; no request is made here. The technician signs in there. *layout*:
        `iFrame`, or None to fill the window. (Published.)
        """
        query = {
            "sessionType": _KIND,
            "layout": layout,
            "partnerObject": partner_object,
            "partnerObjectUrl": partner_object_url,
            "sessionStatusCallbackUrl": status_callback_url,
        }
        return self._transport.url(endpoints.BROWSER_SESSION, query.items())

    async def browser_launch_url(
        self,
        *,
        layout: str | None = None,
        partner_object: str | None = None,
        partner_object_url: str | None = None,
        status_callback_url: str | None = None,
    ) -> str:
        """What `browser_url` redirects to: an address with a token, unfollowed.

        `GET /session`, without credentials. It creates, so it is never repeated when its answer is lost:
        OutcomeUnknownError. (The redirect is published by the vendor.)
        """
        url = self.browser_url(
            layout=layout,
            partner_object=partner_object,
            partner_object_url=partner_object_url,
            status_callback_url=status_callback_url,
        )
        call = endpoints.BROWSER_SESSION
        answer = await self._transport.call(call, url, secrets=_secrets(status_callback_url))
        target = answer.headers.get("Location")
        if not target:
            raise DecodeError("Location", "the address of a redirect", call.name)
        return urljoin(url, target)

    async def transcript(self, session_id: str) -> Transcript:
        """The web chat of a session.

        `GET /sessions/{sessionId}/events`. NotFoundError: there is none. (Published by the vendor; how the list
        is wrapped is not, so any list counts.)
        """
        wire, call = self._transport, endpoints.GET_TRANSCRIPT
        answer = await wire.call(call, wire.url(call, sessionId=session_id), secrets=_token_in(session_id))
        data = parse(answer.body, call.name)
        path, events = find_list(data, call)
        rest = {name: value for name, value in data.items() if f".{name}" != path} if isinstance(data, dict) else {}
        return structure({**rest, "events": events}, Transcript, call.name)

    async def _list(self, start: datetime, end: datetime | None, *, bulk: bool) -> Page[Session]:
        items, total = read_list(await self._listed(start, end, bulk=bulk), Session, endpoints.LIST_SESSIONS)
        return Page(items=items, total=total)

    async def _listed(self, start: datetime, end: datetime | None, *, bulk: bool = True) -> bytes:
        wire, call = self._transport, endpoints.LIST_SESSIONS
        query = {"sessionType": _KIND, "fromTime": windows.query_time(start), "toTime": windows.query_time(end)}
        return (await wire.call(call, wire.url(call, query.items()), bulk=bulk)).body

    async def _get(self, session_id: str, *, bulk: bool = True) -> Session:
        wire, call = self._transport, endpoints.GET_SESSION
        secrets = _token_in(session_id)
        answer = await wire.call(call, wire.url(call, sessionId=session_id), secrets=secrets, bulk=bulk)
        return read(answer.body, Session, call)


def _statuses(until: Collection[str]) -> frozenset[str]:
    wanted = checked_names("until", until)
    unknown = [one for one in wanted if not isinstance(one, SessionStatus) and not SessionStatus(one).is_known]
    if unknown or not wanted:
        known = ", ".join(status.value for status in SessionStatus)
        told = f"no status is called {min(unknown)!r}; there are" if unknown else "until must name one or more of"
        raise ValueError(f"{told} {known}, and others as SessionStatus(...)")
    return wanted


def _secrets(callback_url: str | None) -> tuple[str, ...]:
    return () if callback_url is None else (callback_url,)


def _token_in(session_id: str) -> tuple[str, ...]:
    """A session token, which opens the session, is given in place of an ID; an ID is a number."""
    return () if str(session_id).isdecimal() else (session_id,)


def _as_outcome(error: G2AError | ValueError) -> G2AError:
    return error if isinstance(error, G2AError) else G2AError(str(error))


def _started(data: Any) -> StartedSession:
    """The inner object's attributes, the outer one's where the inner has none, and the token of the launch URL."""
    name = endpoints.START_SESSION.name
    outer: dict[str, Any] = data if isinstance(data, dict) else {}
    inner = outer.get("startScreenSharing")
    path, merged = "", dict(outer)
    if isinstance(inner, dict):
        del merged["startScreenSharing"]
        path = ".startScreenSharing"
        merged |= {name: value for name, value in inner.items() if value is not None}
    launch = merged.get("launchUrl")
    if not isinstance(launch, str) or not launch:
        raise DecodeError(f"${path}.launchUrl", "text", name)
    if merged.get("sessionToken") is None:
        try:
            merged["sessionToken"] = parse_qs(urlsplit(launch).query).get("token", [None])[0]
        except ValueError:
            merged["sessionToken"] = None
    return structure(merged, StartedSession, name)
