"""Recordings: which there are, where they are, transcode, mark as archived."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from g2a_async.emulator.call import Call
from g2a_async.emulator.media import mp4_size
from g2a_async.emulator.rows import Recording
from g2a_async.emulator.wire import Answer, bad_request, ok, read_identifier, refuse
from g2a_async.endpoints import MAX_IDS

_CENTURY = 36_525


def available(call: Call) -> Answer:
    """`GET /archive/recordings`."""
    found = sorted(_matching(call), key=lambda each: (each.started_at, each.recording_id))
    waiting = [each.recording_id for each in found if each.ready_at is None]
    ready = [each.recording_id for each in found if call.state.is_ready(each)]
    lists = {"readyForTranscode": waiting, "readyForDownload": ready}
    return ok(call.record(**{name: [call.number(each) for each in ids[:MAX_IDS]] for name, ids in lists.items()}))


def urls(call: Call) -> Answer:
    """`GET /archive/recordings/urls`."""
    wanted = _known(call, call.query.identifiers("recordingIds"))
    return call.listing([_files(call, each) for each in wanted if call.state.is_ready(each)])


def transcode(call: Call) -> Answer:
    """`POST /archive/recordings/transcode/{recordingIds}`."""
    ready_at = call.state.clock.now() + timedelta(seconds=call.state.transcoding)
    for recording in _in_path(call):
        recording.ready_at = recording.ready_at or ready_at
    return Answer(status=204)


def mark_archived(call: Call) -> Answer:
    """`PUT /archive/recordings/archived/{recordingIds}`."""
    for recording in _in_path(call):
        recording.archived = True
    return Answer(status=204)


def _matching(call: Call) -> Iterable[Recording]:
    """The recordings that the query asks for."""
    query, state = call.query, call.state
    if not any(name in query for name in ("accountKey", "userKey", "companyId")):
        bad_request("One of accountKey, userKey and companyId is needed")
    account_key = query.integer("accountKey", 0)
    user_key = query.text("userKey")
    company_id = query.integer("companyId", 0)
    kind = query.choice("sessionType", "0", "1")
    archived = query.choice("archived", "0", "1") == "1"
    since, until = query.range()
    days = query.integer("timePeriod", 1)
    earliest = None if days is None else state.clock.now() - timedelta(days=min(days, _CENTURY))
    _reachable(call, account_key, user_key, company_id)
    for each in state.recordings.values():
        if (
            (account_key is None or each.account_key == account_key)
            and (user_key is None or each.user_key == user_key)
            and (company_id is None or each.company_id == company_id)
            and (kind is None or (each.company_id is not None) == (kind == "1"))
            and each.archived == archived
            and (since is None or each.started_at >= since)
            and (until is None or each.started_at <= until)
            and (earliest is None or each.started_at >= earliest)
        ):
            yield each


def _reachable(call: Call, account_key: int | None, user_key: str | None, company_id: int | None) -> None:
    state = call.state
    if account_key is not None and account_key not in state.accounts:
        refuse(403, "InvalidKey", "accountKey is not one that the user can reach")
    if user_key is not None and user_key not in state.user_keys:
        refuse(403, "InvalidKey", "userKey is not one that the user can reach")
    companies = {each.company_id for each in state.recordings.values()} | state.companies.keys()
    if company_id is not None and company_id not in companies:
        refuse(403, "InvalidKey", "companyId is not one that the user can reach")


def _in_path(call: Call) -> list[Recording]:
    texts = call.names["recordingIds"].split(",")
    return _known(call, [read_identifier(text, "recordingIds") for text in texts])


def _known(call: Call, ids: list[int]) -> list[Recording]:
    """The recordings, each once; one unknown ID fails all."""
    if len(ids) > MAX_IDS:
        bad_request(f"At most {MAX_IDS} recording IDs at once")
    recordings = call.state.recordings
    if any(each not in recordings for each in ids):
        refuse(403, "InvalidRecordingId", "A recording ID is not valid")
    return [recordings[each] for each in dict.fromkeys(ids)]


def _files(call: Call, recording: Recording) -> dict[str, Any]:
    now, lifetime = call.state.clock.now(), call.state.downloads.lifetime
    number = recording.recording_id
    files = call.record(
        recordingId=call.number(number),
        recordingUrl=call.links.file(number, "mp4", now, lifetime),
        recordingStartTime=call.time(recording.started_at),
        eventsUrl=call.links.file(number, "events", now, lifetime),
        thumbnailUrl=call.links.file(number, "thumbnail", now, lifetime),
        recordingSize=str(mp4_size(recording) if recording.declared is None else recording.declared),
    )
    return {name: value for name, value in files.items() if name not in recording.untold}
