"""What opens an account, a session or a recording is shown by nothing that ends up in logs."""

import json
import logging
import re
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from tools.calls import BY_NAME, LAUNCH_TOKEN, LAUNCH_URL, LINK, USER_TOKEN, Call, client_for, each, failure
from tools.peer import Peer, Then, drop, reply

from g2a_async import G2AClient, StatusError

SECRET_URL = "https://files.example/5.mp4?secret=b6d1e7"
FILE = {"recordingId": 5, "recordingUrl": SECRET_URL}


MASKED: dict[str, tuple[str, Any, list[str]]] = {
    "launch URL": (
        "sessions.start",
        {"startScreenSharing": {"launchUrl": LAUNCH_URL}},
        [LAUNCH_URL.rpartition("=")[2]],
    ),
    "session token": (
        "sessions.start",
        {"startScreenSharing": {"launchUrl": "https://l/"}, "sessionToken": "s3cr3t"},
        ["s3cr3t"],
    ),
    "recording URLs": (
        "recordings.urls",
        [FILE | {"eventsUrl": "https://e/?k=ev-secret", "thumbnailUrl": "https://t/?k=th-secret"}],
        ["b6d1e7", "ev-secret", "th-secret"],
    ),
    "user token": ("system_links.list", [LINK], [USER_TOKEN]),
}


@pytest.mark.parametrize(("name", "answer", "secrets"), MASKED.values(), ids=MASKED)
async def test_masks_secrets_in_repr(name: str, answer: Any, secrets: list[str]) -> None:
    """Neither repr nor str of a record shows what opens a session, a recording or a user's account."""
    async with Peer(lambda _: reply(answer)) as peer, client_for(peer) as client:
        shown = await BY_NAME[name].make(client, peer.origin)
    assert not [secret for secret in secrets if secret in f"{shown!r} {shown!s}"]


async def test_masks_secrets_of_the_client() -> None:
    """The client and what hangs on it do not show their tokens."""
    async with client_for("http://127.0.0.1:1", token="tok-s3cr3t") as client:
        tickets = client.tickets("http://127.0.0.1:1/", USER_TOKEN)
        shown = repr([client, client.sessions, vars(client) if hasattr(client, "__dict__") else "", tickets])
    assert "tok-s3cr3t" not in shown
    assert USER_TOKEN not in shown


def everything(error: BaseException) -> str:
    """Show an error in every way that ends up in logs."""
    return f"{error} {error!r} {error.args!r}" + "".join(traceback.format_exception(error))


@pytest.mark.parametrize("status", [400, 401, 403, 405, 429, 500])
@each(but=("recordings.urls",))
async def test_secrets_that_the_service_echoes(call: Call, status: int) -> None:
    """What a call sends as a secret is not shown by its error, not even when the service repeats it."""
    secrets = ["tok-5e1f9c02b7"] if call.authorized else []
    if USER_TOKEN in f"{call.query} {call.body}":
        secrets.append(USER_TOKEN)
    words = " ".join(secrets)
    body = {"errorCode": words, "description": f"{words} is not valid", "more": [words]}
    answer = reply(body, status, ("X-Echo", words), ("Location", LAUNCH_URL))
    async with Peer(lambda _: answer) as peer, client_for(peer, token="tok-5e1f9c02b7") as client:
        with pytest.raises(StatusError) as caught:
            await call.run(client, peer.origin)
    shown = everything(caught.value) + caught.value.url
    assert not [secret for secret in [*secrets, LAUNCH_TOKEN] if secret in shown]


ODD: dict[str, Callable[[G2AClient], Awaitable[Any]]] = {
    "a session token": lambda client: client.sessions.get("s3cr3t-of-a-session"),
    "a session token's transcript": lambda client: client.sessions.transcript("s3cr3t-of-a-session"),
    "a query": lambda client: client.request("GET", "/odd", query={"password": "s3cr3t-of-a-session"}),
    "a list in a query": lambda client: client.request("GET", "/odd", query={"clientSecrets": ["s3cr3t-of-a-session"]}),
}


@pytest.mark.parametrize("make", ODD.values(), ids=ODD)
async def test_secrets_in_addresses(
    make: Callable[[G2AClient], Awaitable[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """A session token in place of an ID, and what a query's names call secret, are shown nowhere."""
    caplog.set_level(logging.DEBUG, "g2a_async")
    answer = reply({"description": "no s3cr3t-of-a-session"}, 400, ("X-Echo", "s3cr3t-of-a-session"))
    async with Peer(lambda _: answer) as peer, client_for(peer) as client:
        with pytest.raises(StatusError) as caught:
            await make(client)
    assert "s3cr3t" not in everything(caught.value) + caught.value.support_report() + caplog.text


async def test_stray_bytes_in_headers() -> None:
    """A header that is not UTF-8 leaves an error that can be printed, written as JSON, and sent on."""
    answer = replace(reply({}, 400), headers=(("Content-Type", "application/json"), ("X-Odd", "caf\xe9")))
    async with Peer(lambda _: answer) as peer, client_for(peer) as client:
        with pytest.raises(StatusError) as caught:
            await client.sessions.get("1")
    assert {type(name) for name in caught.value.headers} == {str}
    caught.value.support_report().encode()
    assert json.dumps(caught.value.headers)


@pytest.mark.parametrize("then", ["fin", "rst"])
@each()
async def test_secrets_when_the_answer_is_lost(call: Call, then: Then) -> None:
    """An error without an answer shows neither our token nor a partner's user token."""
    shown = everything(await failure(call.name, drop(then)))
    assert USER_TOKEN not in shown
    assert not re.search(r"token-[0-9a-f]{32}", shown)
