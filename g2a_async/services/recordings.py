"""Recordings: which there are, where they are, and what is done with them."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from attrs import evolve

from g2a_async import endpoints, windows
from g2a_async.batches import Batches, Ids, RecordingUrls, batched, distinct_ids
from g2a_async.codec import parse, read_list, structure
from g2a_async.endpoints import Endpoint
from g2a_async.errors import DecodeError, G2AError
from g2a_async.records import AvailableRecordings, RecordingFiles, SessionKind
from g2a_async.services.base import Service
from g2a_async.transport import Transport

_LISTS = frozenset({"readyForDownload", "readyForTranscode"})


class Recordings(Service):
    """Recordings of sessions. Recording must be enabled on the account."""

    async def available(
        self,
        *,
        account_key: int | str | None = None,
        user_key: int | str | None = None,
        company_id: int | str | None = None,
        session_type: SessionKind | int | None = None,
        from_time: datetime | None = None,
        to_time: datetime | None = None,
        time_period: int | None = None,
        archived: bool = False,
    ) -> AvailableRecordings:
        """The IDs of recordings that can be transcoded or downloaded, at most 500 of each: see `truncated`.

        `GET /archive/recordings`, one request. At least one of *account_key*, *user_key* and *company_id* (for
        unattended sessions), or ValueError. The times are those of the recording's start; *time_period* is in days
        back from now. *archived*: only those, instead of only the others. ForbiddenError: a key is not one of the
        account's. (Published.)
        """
        keys = checked_keys(account_key, user_key, company_id)
        start = None if from_time is None else windows.aware("from_time", from_time)
        end = None if to_time is None else windows.aware("to_time", to_time)
        if start is not None and end is not None:
            start, end = windows.time_range(start, end)
        if time_period is not None and (type(time_period) is not int or time_period < 1):
            raise ValueError(f"time_period is in days, one or more, not {time_period!r}")
        return await self._available(
            {**keys, **checked_filters(session_type, archived=archived), "timePeriod": time_period},
            start,
            end,
            bulk=False,
        )

    async def all_available(
        self,
        *,
        from_time: datetime,
        to_time: datetime | None = None,
        account_key: int | str | None = None,
        user_key: int | str | None = None,
        company_id: int | str | None = None,
        session_type: SessionKind | int | None = None,
        archived: bool = False,
    ) -> AvailableRecordings:
        """The same past the cap of 500: the range is halved wherever a list comes back full.

        `GET /archive/recordings`, as often as that takes. Each ID once, in order of the recording's start.
        `truncated` only if a single second holds more than the service lists. No *to_time*: until now.
        """
        keys = checked_keys(account_key, user_key, company_id)
        query = {**keys, **checked_filters(session_type, archived=archived)}
        whole = windows.time_range(from_time, self._transport.clock.now() if to_time is None else to_time)
        return await windows.all_in(whole, lambda window: self._available(query, *window, bulk=True))

    def urls(self, recording_ids: Iterable[int | str]) -> RecordingUrls:
        """Where the files of recordings are. The addresses are valid for at least 48 hours and carry their own secret.

        `GET /archive/recordings/urls`, in batches of at most 500 IDs and `Settings.max_url_bytes`, several in flight.
        Iterate or `collect()`; then `missing` and `rejected` tell which did not come, and why. ForbiddenError:
        many were refused one by one and none accepted, so that it is not the IDs; the rest was not tried.
        (Published, but for the name of the query parameter, which is `Settings.recording_ids_param`.)
        """
        wire, call = self._transport, endpoints.RECORDING_URLS
        name = wire.settings.recording_ids_param

        async def send(part: Ids) -> tuple[RecordingFiles, ...]:
            answer = await wire.call(call, wire.url(call, [(name, one) for one in part]), bulk=True)
            return read_list(answer.body, RecordingFiles, call)[0]

        return RecordingUrls(distinct_ids(recording_ids), lambda ids: Batches(send, url_batches(wire, ids)))

    async def download(self, files: RecordingFiles, path: str | Path) -> int:
        """Save a recording's MP4 as *path*, whole or not at all; its size in bytes.

        Goes to the recording's own address, without credentials and outside the quota. What breaks off is repeated;
        what has come by then stays as `.part` beside *path*, and the next download of it goes on from there, if the
        host shows that the file is the same. TransportError: it broke off too often, or what came is not an MP4.
        StatusError: the address has expired; `urls` gives a new one. BlockingIOError: this path is being downloaded.
        """
        from g2a_async.downloads.fetch import fetch  # noqa: PLC0415  files, which most processes never need
        from g2a_async.downloads.folder import FileSink  # noqa: PLC0415  the same

        async def link(failure: G2AError | None) -> str:
            if failure is not None:
                raise failure
            return files.recording_url

        wire, size = self._transport, files.recording_size
        saved = await fetch(wire.pool, wire.settings, wire.clock, link, FileSink(Path(path)), declared=size)
        return saved.size

    async def transcode(self, recording_ids: Iterable[int | str]) -> None:
        """Ask for recordings to be made downloadable, whatever their state.

        `POST /archive/recordings/transcode/{recordingIds}`, in batches as `urls`. ForbiddenError: some IDs are not the
        account's, `.rejected`; all others went through. (Published by the vendor.)
        """
        await self._send_all(endpoints.TRANSCODE_RECORDINGS, recording_ids)

    async def mark_archived(self, recording_ids: Iterable[int | str]) -> None:
        """Mark recordings as archived.

        `PUT /archive/recordings/archived/{recordingIds}`, in batches as `urls`. ForbiddenError: as `transcode`.
        (Published by the vendor.)
        """
        await self._send_all(endpoints.ARCHIVE_RECORDINGS, recording_ids)

    async def _send_all(self, call: Endpoint, values: Iterable[int | str]) -> None:
        wire = self._transport

        async def send(part: Ids) -> None:
            await wire.call(call, wire.url(call, recordingIds=",".join(map(str, part))), bulk=True)

        fixed = len(wire.url(call, recordingIds=0))
        batches = Batches(send, batched(distinct_ids(values), fixed, 1, wire.settings.max_url_bytes))
        async for _ in batches.run():
            pass
        batches.check()

    async def _available(
        self, query: dict[str, object], start: datetime | None, end: datetime | None, *, bulk: bool
    ) -> AvailableRecordings:
        wire, call = self._transport, endpoints.AVAILABLE_RECORDINGS
        times = {"fromTime": windows.query_time(start), "toTime": windows.query_time(end)}
        answer = await wire.call(call, wire.url(call, {**query, **times}.items()), bulk=bulk)
        data = parse(answer.body, call.name)
        if not isinstance(data, dict) or not _LISTS & data.keys():
            raise DecodeError("$", f"an object with {' or '.join(sorted(_LISTS))}", call.name)
        found = structure(data, AvailableRecordings, call.name)
        return evolve(found, truncated=windows.is_full(found))


def url_batches(wire: Transport, ids: Ids) -> list[Ids]:
    """*ids*, as many at a time as one request for their addresses takes."""
    fixed, each = len(wire.url(endpoints.RECORDING_URLS)), len(f"&{quote(wire.settings.recording_ids_param)}=")
    return batched(ids, fixed, each, wire.settings.max_url_bytes)


def checked_keys(
    account_key: int | str | None, user_key: int | str | None, company_id: int | str | None
) -> dict[str, object]:
    """What recordings are selected by. ValueError: by nothing."""
    keys: dict[str, object] = {"accountKey": account_key, "userKey": user_key, "companyId": company_id}
    if all(value is None or value == "" for value in keys.values()):
        raise ValueError(
            "one of account_key, user_key and company_id is needed: the service gives recordings of one of them"
        )
    return keys


def checked_filters(session_type: SessionKind | int | None, *, archived: bool) -> dict[str, object]:
    """Which of them. ValueError: there is no such type."""
    if session_type not in {None, *SessionKind}:
        raise ValueError(f"session_type must be 0, attended, or 1, unattended, not {session_type!r}")
    kind = None if session_type is None else int(session_type)
    return {"sessionType": kind, "archived": 1 if archived else None}
