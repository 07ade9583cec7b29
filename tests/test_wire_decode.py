"""What a call makes of an answer that has no shape it knows."""

import traceback
from typing import Any

import pytest
from tools.calls import Call, each, failure
from tools.peer import Answer, page, reply, typed

from g2a_async import DecodeError, StatusError

NO_JSON: dict[str, Answer] = {
    "empty": typed(b"", "application/json"),
    "blank": typed(b"  \r\n", "application/json"),
    "HTML": page("<html>please log in, s3cr3t</html>"),
    "HTML that says JSON": typed(b"<html>s3cr3t", "application/json"),
    "half": typed(b'{"sessionId": "s3cr3t', "application/json"),
    "no UTF-8": typed(b'{"sessionId": "s3cr3t \xff"}', "application/json"),
    "text": typed(b'"s3cr3t"', "application/json"),
    "number": typed(b"17", "application/json"),
    "bottomless": typed(b"[" * 200_000, "application/json"),
    "bottomless object": typed(b'{"s3cr3t":' * 100_000, "application/json"),
}
VOID = ("recordings.transcode", "recordings.mark_archived", "system_links.register", "tickets.associate")


@pytest.mark.parametrize("answer", NO_JSON.values(), ids=NO_JSON)
@each(but=(*VOID, "sessions.browser_launch_url", "tickets.create"))
async def test_a_200_that_is_no_answer(call: Call, answer: Answer) -> None:
    """An empty, cut, foreign or bottomless body with status 200 is a DecodeError, which does not show it."""
    error = await failure(call.name, answer)
    assert type(error) is DecodeError
    assert error.path.startswith("$")
    assert error.expected
    assert "s3cr3t" not in "".join(traceback.format_exception(error))


S = {"sessionId": "1", "status": "waiting"}
BAD = ["s3cr3t"]
FILE = {"recordingId": 5, "recordingUrl": "https://f/s3cr3t"}
WRONG: list[tuple[str, Any, str]] = [
    ("sessions.get", {"status": "active"}, "$.sessionId"),
    ("sessions.get", [S], "$"),
    ("sessions.get", S | {"sessionId": None}, "$.sessionId"),
    ("sessions.get", S | {"sessionId": True}, "$.sessionId"),
    ("sessions.get", S | {"sessionId": 1.5}, "$.sessionId"),
    ("sessions.get", S | {"status": BAD}, "$.status"),
    ("sessions.get", S | {"expertName": BAD}, "$.expertName"),
    ("sessions.get", S | {"accountKey": "s3cr3t"}, "$.accountKey"),
    ("sessions.get", S | {"accountKey": 7.5}, "$.accountKey"),
    ("sessions.get", S | {"accountKey": True}, "$.accountKey"),
    ("sessions.get", S | {"startedAt": "s3cr3t"}, "$.startedAt"),
    ("sessions.get", S | {"endedAt": {"a": "s3cr3t"}}, "$.endedAt"),
    ("sessions.get", S | {"endedAt": "2021-13-45T99:00:00Z"}, "$.endedAt"),
    ("sessions.get", S | {"collaborators": "s3cr3t"}, "$.collaborators"),
    ("sessions.list", {"sessions": [S, S, S, S | {"status": BAD}]}, "$.sessions[3].status"),
    ("sessions.list", {"sessions": [S, "s3cr3t"]}, "$.sessions[1]"),
    ("sessions.list", {"sessions": "s3cr3t"}, "$.sessions"),
    ("sessions.list", [S, S | {"sessionId": BAD}], "$[1].sessionId"),
    ("sessions.start", {"startScreenSharing": {}}, "$.startScreenSharing.launchUrl"),
    ("sessions.start", {"startScreenSharing": {"launchUrl": BAD}}, "$.startScreenSharing.launchUrl"),
    ("sessions.transcript", {"events": [{"timeStamp": "s3cr3t"}]}, "$.events[0].timeStamp"),
    ("companies.list", {"companies": [{"companyId": "s3cr3t"}]}, "$.companies[0].companyId"),
    ("companies.list", {"companies": [{"companyName": "A"}]}, "$.companies[0].companyId"),
    ("companies.machines", {"machines": [{"machineUuid": BAD}]}, "$.machines[0].machineUuid"),
    ("recordings.available", {"readyForDownload": [1, "s3cr3t"]}, "$.readyForDownload[1]"),
    ("recordings.available", {"readyForTranscode": [1.5]}, "$.readyForTranscode[0]"),
    ("recordings.available", {"readyForTranscode": "s3cr3t"}, "$.readyForTranscode"),
    ("recordings.urls", [{"recordingUrl": "s3cr3t"}], "$[0].recordingId"),
    ("recordings.urls", {"list": [FILE | {"recordingSize": "s3cr3t"}]}, "$.list[0].recordingSize"),
    ("system_links.list", [{"systemName": BAD}], "$[0].systemName"),
    ("tickets.search", {"tickets": [{"id": BAD}]}, "$.tickets[0].id"),
]


@pytest.mark.parametrize(("name", "answer", "path"), WRONG, ids=[f"{row[0]} {row[2]}" for row in WRONG])
async def test_a_wrong_shape_is_told_by_its_place(name: str, answer: Any, path: str) -> None:
    """JSON of another shape is a DecodeError with the place and what belongs there, never the value found."""
    error = await failure(name, reply(answer))
    assert (type(error), error.path) == (DecodeError, path)
    assert error.expected
    assert path in str(error)
    assert "s3cr3t" not in "".join(traceback.format_exception(error)) + repr(error) + repr(error.args)


REDIRECTS: dict[str, Answer] = {
    "a page": page("<html>s3cr3t</html>"),
    "no target": Answer(status=302),
    "empty target": Answer(status=302, headers=(("Location", ""),)),
    "no content": Answer(status=204),
}


@pytest.mark.parametrize("answer", REDIRECTS.values(), ids=REDIRECTS)
async def test_a_browser_call_without_a_redirect(answer: Answer) -> None:
    """Where a redirect is expected and does not come, the call raises one of our errors."""
    error = await failure("sessions.browser_launch_url", answer)
    assert isinstance(error, DecodeError | StatusError)
    assert "s3cr3t" not in str(error)


@pytest.mark.parametrize("name", ["HTML", "HTML that says JSON", "half", "no UTF-8", "bottomless"])
async def test_a_ticket_is_not_taken_from_a_page(name: str) -> None:
    """A partner may answer without the ticket, but a page or half an answer does not pass for that."""
    error = await failure("tickets.create", NO_JSON[name])
    assert type(error) is DecodeError
    assert "s3cr3t" not in "".join(traceback.format_exception(error))
