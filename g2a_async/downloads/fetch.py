"""One file, from wherever its address points, into a sink: whole, however often the way breaks off."""

import logging
from typing import Final

import aiohttp

from g2a_async.call import Call, explain
from g2a_async.clock import Clock
from g2a_async.downloads.ranges import Complete, Misfit, judge, request_headers
from g2a_async.downloads.rate import RateLimit
from g2a_async.downloads.reading import Reading, Unfit
from g2a_async.downloads.requests import AddressError, Requests
from g2a_async.downloads.sink import Link, Part, Progress, Saved, Sink
from g2a_async.endpoints import Endpoint
from g2a_async.errors import G2AError, StatusError, TransportError
from g2a_async.exchange import retry_after
from g2a_async.pool import Pool
from g2a_async.settings import Settings

_FILE: Final = Endpoint(
    name="recordings.download", method="GET", path="/", meaning="A file of a recording", authorized=False
)
STALE: Final = frozenset({401, 403, 404, 410})
"""What hosts of files answer when a link has expired."""
_LINKS: Final = 2
"""New links without a new byte, after which the file cannot be had."""
_STALL: Final = 60.0
_logger: Final = logging.getLogger("g2a_async")


async def fetch(
    pool: Pool,
    settings: Settings,
    clock: Clock,
    link: Link,
    sink: Sink,
    *,
    kind: Part = "mp4",
    declared: int | None = None,
    rate: RateLimit | None = None,
    progress: Progress | None = None,
    stall: float = _STALL,
) -> Saved:
    """Fill *sink* with the file that *link* leads to.

    It goes on where an earlier download ended, if the host shows that the file is the same, and begins anew if not.
    What breaks off is repeated as `Settings.retry` says, counted anew whenever there are more bytes than ever before.
    There is no limit for the whole; *stall*, in seconds, is one for nothing coming. *declared*: the size that the
    service told; it decides only where the host does not show where the file ends.

    StatusError: the host said no, and *link* had no better address. TransportError: it broke off too often, or what
    came is not of this *kind*. Errors of the sink and of *link* are theirs. Whatever it raises, `leave` was called.
    """
    call = Call(_FILE, "", {}, None, (), clock, None, bulk=True)
    requests = Requests(pool, settings, stall=stall, is_limited=rate is not None)
    reading = Reading(sink, call, kind=kind, declared=declared, rate=rate, progress=progress)
    try:
        await sink.open()
        return await _Fetch(requests, settings, call, link, reading).run()
    except BaseException:
        await sink.leave()
        raise


class _StopError(Exception):
    """Ends the repeats with its cause."""

    def __init__(self, cause: G2AError) -> None:
        self.cause = cause


class _MovedError(_StopError):
    """The same, because there is more of the file than there ever was: repeats are counted anew."""


class _Fetch:
    """The requests that one file takes."""

    def __init__(self, requests: Requests, settings: Settings, call: Call, link: Link, reading: Reading) -> None:
        self._requests = requests
        self._policy = settings.retry
        self._call = call
        self._link = link
        self._reading = reading
        self._sink = reading.sink
        self._address = ""
        self._most = 0
        self._renewals = 0
        self._ask_for_all = False

    async def run(self) -> Saved:
        """The whole file."""
        told = self._sink.validators
        if told is not None and self._sink.held == told.total:
            return await self._sink.finish()
        self._address = await self._link(None)
        self._most = self._sink.held
        failure: G2AError | None = None
        while True:
            try:
                return await (self._attempt() if failure is None else self._again(failure))
            except _MovedError as moved:
                failure = moved.cause
            except _StopError as stop:
                final = stop.cause
                break
            except (StatusError, TransportError) as error:
                if failure is not None:
                    final = error
                    break
                failure = error
        raise final  # here, outside the handlers, so that nothing hangs on to it

    async def _again(self, failure: G2AError) -> Saved:
        from g2a_async.repeats import repeat  # noqa: PLC0415  tenacity, which most downloads never need

        call = self._call
        _logger.debug("%s: %s; %d bytes are there", call.endpoint.name, failure, self._sink.held)
        return await repeat(
            failure,
            self._attempt,
            endpoint=call.endpoint,
            policy=self._policy,
            clock=call.clock,
            left=lambda: call.left,
        )

    async def _attempt(self) -> Saved:
        """Requests, as long as they bring something. A failure after that is a _MovedError."""
        while True:
            outcome = await self._request()
            if isinstance(outcome, Saved):
                return outcome
            moved = self._sink.held > self._most
            if moved:
                self._most, self._renewals = self._sink.held, 0
            if isinstance(outcome, Misfit):
                _logger.debug("%s: %s; it is asked for anew", self._call.endpoint.name, outcome.reason)
                self._ask_for_all = True
            elif isinstance(outcome, Unfit) or (isinstance(outcome, StatusError) and outcome.status in STALE):
                await self._renew(outcome.error if isinstance(outcome, Unfit) else outcome)
            elif outcome is not None:
                raise _MovedError(outcome) if moved else outcome

    async def _renew(self, error: G2AError) -> None:
        """Another address for one that has expired, or leads to something else."""
        if self._renewals == _LINKS:
            raise _StopError(error)
        self._renewals += 1
        try:
            self._address = await self._link(error)
        except G2AError as failure:
            raise _StopError(failure) from None

    async def _request(self) -> Saved | Misfit | Unfit | G2AError | None:
        """What one request brings. None: some of the file, and no failure."""
        sink, call = self._sink, self._call
        headers = {} if self._ask_for_all else request_headers(sink.held, sink.validators)
        call.attempts += 1
        try:
            async with self._requests.get(self._address, headers) as response:
                status = response.status
                if status != 200 and not (headers and status in {206, 416}):  # noqa: PLR2004
                    return self._refusal(response)
                verdict = judge(status, response.headers, sink.held, sink.validators)
                if isinstance(verdict, Complete):
                    return await sink.finish()
                if isinstance(verdict, Misfit):
                    return verdict
                self._ask_for_all = self._ask_for_all and not verdict.is_whole
                return await self._reading.read(response, verdict)
        except AddressError as error:
            return Unfit(call.lost(str(error)))
        except (aiohttp.ClientError, TimeoutError) as error:
            failure = error
        return explain(failure, call, final=False)

    def _refusal(self, response: aiohttp.ClientResponse) -> StatusError:
        status, call = response.status, self._call
        wait = retry_after(response.headers, call.clock.now())
        where = str(response.url.origin())
        return StatusError.kind(status)(status, "GET", where, attempts=call.attempts, retry_after=wait)
