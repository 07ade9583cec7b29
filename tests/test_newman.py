"""The Postman collection that the API was published with, run by newman against the emulator."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from g2a_async.emulator import Emulator, Line

pytestmark = pytest.mark.system

PUBLISHED: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "published" / "postman_collection.json").read_bytes()
)
LINKS: Final = "SystemLinksGet"
SESSION: Final = "SessionsBySessionIdGet2"

CHANGES: Final[dict[str, tuple[dict[str, str], dict[str, int]]]] = {
    "all is well": ({}, {LINKS: 200, SESSION: 200}),
    "by token": ({"sessionId": "{sessionToken}"}, {LINKS: 200, SESSION: 200}),
    "no such session": ({"sessionId": "1"}, {LINKS: 200, SESSION: 404}),
    "no domain": ({"systemDomain": ""}, {LINKS: 400, SESSION: 200}),
    "no such user": ({"token": "wrong"}, {LINKS: 401, SESSION: 401}),
}
"""What is sent in place of good data, and the published status of each request for it."""

TYPES: Final[dict[str, type]] = {"string": str, "number": int, "array": list, "ISO 8061 format*": str}
"""What the types of the documents, misspelt as they are, become in JSON."""


def requests(collection: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the names and the requests of a collection, folder by folder."""
    for folder in collection["item"]:
        for item in folder["item"]:
            yield item["name"], item["request"]


DESCRIPTIONS: Final = {name: request["description"] for name, request in requests(PUBLISHED)}


def adapted(origin: str) -> dict[str, Any]:
    """Copy the collection, so that it asks *origin* with the data that a run gives it.

    What is not named here goes over the wire as it was published.

    - The host `api.getgo.com` becomes *origin*'s: no test asks the real one.
    - `{}`, which the collection has wherever a value belongs, becomes a variable in the query and in the path, and
      JSON in `Accept` and `Content-Type`, which is the only type that is published.
    - `sessions/:sessionId` becomes two segments, as newman fills in only a variable that is a segment by itself.
    - An `Authorization` header is added: the documents ask for one, and the collection has none.
    """
    address = urlsplit(origin)
    collection: dict[str, Any] = json.loads(json.dumps(PUBLISHED))
    for _, request in requests(collection):
        request["header"] = [each | {"value": "application/json"} for each in request["header"]]
        request["header"].append({"key": "Authorization", "value": "Bearer {{token}}"})
        url = request["url"]
        if isinstance(url, str):
            request["url"] = url.replace("api.getgo.com", address.netloc).replace("=%7B%7D", "={{systemDomain}}")
        else:
            url |= {"host": address.hostname, "port": str(address.port), "path": "/".join(url["path"]).split("/")}
            url["variable"] = [each | {"value": f"{{{{{each['id']}}}}}"} for each in url["variable"]]
    return collection


def furnish(emulator: Emulator) -> dict[str, str]:
    """Add a link, and a session that has everything that a session can have; give what names them."""
    state = emulator.state
    machine = state.add_machine(state.add_company())
    session = state.add_session(
        machine=machine,
        customer_name="Ada Example",
        customer_email="ada@customer.example",
        partner_object="4711",
        partner_object_url="https://desk.example/tickets/4711",
        notes="Printer offline",
        collaborators=["Robin Keller"],
        transcript=[Line(time=emulator.clock.now(), name="Ada Example", text="Hello")],
    )
    state.add_recording(session=session)
    link = state.add_system_link()
    return {
        "token": emulator.access_token,
        "systemDomain": link.system_domain,
        "sessionId": str(session.session_id),
        "sessionToken": session.session_token,
    }


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], tuple[int, Any]]:
    """Run the collection once for each change; give statuses and bodies by change and request.

    newman is looked for in `G2A_NEWMAN` and in `PATH`. Without it, the tests fail.
    """
    newman = os.environ.get("G2A_NEWMAN") or shutil.which("newman")
    assert newman, "this needs newman (npm install newman@6.2.2) in PATH, or its path in G2A_NEWMAN"
    folder = tmp_path_factory.mktemp("newman")
    with Emulator() as emulator:
        good = furnish(emulator)
        data = [good | {name: value.format_map(good) for name, value in each.items()} for each, _ in CHANGES.values()]
        (folder / "collection.json").write_text(json.dumps(adapted(emulator.url)))
        (folder / "data.json").write_text(json.dumps(data))
        done = subprocess.run(
            [
                newman,
                "run",
                "collection.json",
                "-d",
                "data.json",
                "-r",
                "json",
                "--reporter-json-export",
                "report.json",
            ],
            cwd=folder,
            env={**os.environ, "NO_PROXY": "*", "no_proxy": "*"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    names, found = list(CHANGES), {}
    for each in json.loads((folder / "report.json").read_bytes())["run"]["executions"]:
        key = names[each["cursor"]["iteration"]], each["item"]["name"]
        found[key] = each["response"]["code"], json.loads(bytes(each["response"]["stream"]["data"]))
    return found


@pytest.mark.parametrize("name", [LINKS, SESSION])
@pytest.mark.parametrize("change", CHANGES)
def test_every_answer_has_the_published_status(
    change: str, name: str, answers: dict[tuple[str, str], tuple[int, Any]]
) -> None:
    """Each request is answered with the status that its description in the collection publishes for what was sent."""
    published = {int(number) for number in re.findall(r"^ +(\d{3}) [A-Z]", DESCRIPTIONS[name], re.MULTILINE)}

    status, _ = answers[change, name]

    assert status == CHANGES[change][1][name]
    assert status in published


@pytest.mark.parametrize(("name", "count"), [(LINKS, 5), (SESSION, 21)])
def test_every_published_attribute_is_there(
    name: str, count: int, answers: dict[tuple[str, str], tuple[int, Any]]
) -> None:
    """A record that has everything has each attribute of the description's table, in the type that stands there."""
    _, _, table = DESCRIPTIONS[name].partition("Response Parameters")
    types = "|".join(map(re.escape, TYPES))
    published = re.findall(rf"^ +(\w+)\*? +({types}) +\S", table, re.MULTILINE)

    _, body = answers["all is well", name]
    [record] = body["systemLinks"] if name == LINKS else [body]

    assert len(published) == count
    assert {attribute: type(record.get(attribute)) for attribute, _ in published} == {
        attribute: TYPES[kind] for attribute, kind in published
    }
