"""The body of an answer, on its way into the sink."""

from collections.abc import Sequence
from typing import Final

import aiohttp
from attrs import frozen

from g2a_async.call import Call, explain
from g2a_async.downloads.intake import LONG, Intake, can_take_over
from g2a_async.downloads.kinds import HEAD, WHOLE, flaw_of_head, flaw_of_whole
from g2a_async.downloads.pipeline import Pipeline
from g2a_async.downloads.ranges import Body, Misfit
from g2a_async.downloads.rate import RateLimit
from g2a_async.downloads.sink import Part, Piece, Progress, Saved, Sink
from g2a_async.errors import G2AError

_CUT: Final = "the file was cut short"


@frozen
class Unfit:
    """What came is not the file, and the same address would bring it again."""

    error: G2AError


class Reading:
    """Bodies of one file."""

    def __init__(
        self,
        sink: Sink,
        call: Call,
        *,
        kind: Part,
        declared: int | None,
        rate: RateLimit | None,
        progress: Progress | None,
    ) -> None:
        self.sink = sink
        self._call = call
        self._kind: Part = kind
        self._declared = declared
        self._rate = rate
        self._progress = progress
        self._failure: Exception | None = None
        self._skip = 0
        self._unseen = 0  # bytes of a file's beginning that are looked at before anything is written

    async def read(self, response: aiohttp.ClientResponse, body: Body) -> Saved | Unfit | Misfit | G2AError | None:
        """Append what *response* brings. None: it was a part, and all of it came.

        The bytes that are held stay until it is sure that others take their place.
        """
        start = 0 if body.is_whole else self.sink.held
        self._failure, self._skip = None, start - body.start
        self._unseen = (WHOLE if self._kind == "events" else HEAD) if body.is_whole else 0
        async with Pipeline(self.sink, start) as pipe:
            while piece := await self._next(response.content):
                if body.stop is not None and pipe.size + len(piece) > body.stop:
                    return Misfit("more came than was promised")
                pipe.gather(piece)
                if self._progress is not None:
                    self._progress(pipe.size, body.validators.total)
                if pipe.size >= self._unseen and (flaw := await self._begin(pipe, response, body)):
                    return Unfit(self._call.lost(flaw))
                if not self._unseen and self._is_long(response, body, pipe.size):
                    await self._take_in(response, body, pipe)
                    break
                if not self._unseen and pipe.is_due():
                    await pipe.pass_on()
            is_cut = self._failure is not None or pipe.size < (body.stop or 0)
            if not is_cut and (flaw := await self._begin(pipe, response, body)):
                return Unfit(self._call.lost(flaw))
            return await self._end(pipe, body, is_cut=is_cut)

    async def _begin(self, pipe: Pipeline, response: aiohttp.ClientResponse, body: Body) -> str | None:
        """What is wrong with the first bytes, or all of a small file. If nothing is, they replace what is held."""
        if not self._unseen:
            return None
        content_type, content = response.headers.get("Content-Type", ""), pipe.begin(self._unseen)
        flaw = flaw_of_head(self._kind, content_type, content)
        if flaw is None and pipe.size < self._unseen:
            flaw = flaw_of_whole(self._kind, content_type, content)
        if flaw is None:
            await self.sink.restart(body.validators)
            self._unseen = 0
        return flaw

    def _is_long(self, response: aiohttp.ClientResponse, body: Body, size: int) -> bool:
        """Whether the rest is worth another way."""
        if self._rate is not None or body.stop is None or body.stop - size < LONG:
            return False
        return can_take_over(response, body.stop - body.start)

    async def _take_in(self, response: aiohttp.ClientResponse, body: Body, pipe: Pipeline) -> None:
        """The long rest of a body."""
        async with Intake(response, (body.stop or 0) - body.start) as intake:
            pieces: Sequence[Piece] = [intake.begin]
            while pieces:
                for piece in pieces:
                    pipe.gather(piece)
                if self._progress is not None:
                    self._progress(pipe.size, body.validators.total)
                await pipe.pass_on()
                await pipe.settle()
                pieces = await intake.next()
            self._failure = intake.failure

    async def _end(self, pipe: Pipeline, body: Body, *, is_cut: bool) -> Saved | G2AError | None:
        """What has been reached, once the body is over."""
        if self._unseen:
            return self._broken()
        await pipe.settle()
        total = body.validators.total
        if not is_cut and body.ends_itself and (body.is_whole if total is None else pipe.size == total):
            return await self.sink.finish(pipe.take())
        if not is_cut and not body.ends_itself and pipe.size == self._declared:
            return await self.sink.finish(pipe.take())
        await self.sink.write(pipe.take())
        if is_cut or not body.is_whole:
            return self._broken() if is_cut else None
        return self._call.lost("the host does not show where the file ends")

    def _broken(self) -> G2AError:
        failure, self._failure = self._failure, None
        return self._call.lost(_CUT) if failure is None else explain(failure, self._call, final=False)

    async def _next(self, content: aiohttp.StreamReader) -> bytes:
        """The next bytes that are not there yet; none at the end, or after the failure that ended it."""
        while self._failure is None:
            try:
                piece = await content.readany()
            except (aiohttp.ClientError, TimeoutError) as error:
                self._failure = error
                piece = content._read_nowait(-1)  # noqa: SLF001  it came before the failure, and the public ways raise
            if self._rate is not None:
                await self._rate.take(len(piece))
            fresh, self._skip = piece[self._skip :], max(0, self._skip - len(piece))
            if fresh or not piece:
                return fresh
        return b""
