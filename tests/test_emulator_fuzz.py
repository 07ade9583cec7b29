"""Whatever the emulator is asked, it answers or refuses; it never breaks, and stays as it was promised."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from g2a_async.emulator import EmulatorClock, State
from g2a_async.emulator.call import Call
from g2a_async.emulator.handlers import HANDLERS
from g2a_async.emulator.links import Links
from g2a_async.emulator.router import read_body, read_query
from g2a_async.emulator.wire import Answer, Refusal, Values
from g2a_async.endpoints import ENDPOINTS, LIST_SESSIONS, Endpoint

LINKS = Links(origin="http://files.example", secret=b"x")
TEXTS = st.text(max_size=12) | st.sampled_from(
    (
        "SCREEN_SHARING",
        "1",
        "0",
        "50",
        "1" * 19,
        "\ud800",
        "2024-05-06T12:00:00Z",
        "9999-12-31T23:59:59-1200",
        "https://a.example/b",
        "a@b.c",
    )
)
VALUES = (
    TEXTS | st.none() | st.booleans() | st.integers() | st.floats() | st.lists(TEXTS) | st.dictionaries(TEXTS, TEXTS)
)


def answer(state: State, endpoint: Endpoint, name: str, query: str, body: bytes) -> Answer:
    """Answer one call, without I/O."""
    names = {"sessionId": name, "companyId": name, "recordingIds": name}
    call = Call(
        endpoint=endpoint,
        names=names,
        query=read_query(endpoint, query, {}),
        body=read_body(endpoint, "application/json", body if endpoint.body else b""),
        state=state,
        links=LINKS,
    )
    return HANDLERS[endpoint.name](call)


@given(data=st.data(), endpoint=st.sampled_from(ENDPOINTS), name=TEXTS)
def test_every_call_is_answered_or_refused(data: st.DataObject, endpoint: Endpoint, name: str) -> None:
    """No value of a known name breaks a call, what is answered is JSON, and the list still comes afterwards."""
    state = State(EmulatorClock(datetime(2024, 5, 6, 12, tzinfo=UTC), frozen=True))
    state.add_machine(state.add_company(), machine_uuid="1")
    state.add_recording(recording_id=1)
    query: dict[str, str] = data.draw(
        st.fixed_dictionaries(
            dict.fromkeys(endpoint.required & set(endpoint.query), TEXTS),
            optional=dict.fromkeys(set(endpoint.query) - endpoint.required, TEXTS),
        )
    )
    body: dict[str, Any] = data.draw(
        st.fixed_dictionaries(
            dict.fromkeys(endpoint.required & set(endpoint.body), TEXTS),
            optional=dict.fromkeys(set(endpoint.body) - endpoint.required, VALUES),
        )
    )

    with suppress(Refusal):
        found = answer(state, endpoint, name, urlencode(query, errors="surrogatepass"), json.dumps(body).encode())
        assert found.status in {200, 201, 204, 302}
        assert found.status != 200 or json.loads(found.body) is not None
    listed = HANDLERS[LIST_SESSIONS.name](
        Call(
            endpoint=LIST_SESSIONS,
            names={},
            query=Values(values={"sessionType": ["SCREEN_SHARING"]}),
            body=Values(),
            state=state,
            links=LINKS,
        )
    )
    assert json.loads(listed.body)["totalNumSessions"] == len(state.sessions)
