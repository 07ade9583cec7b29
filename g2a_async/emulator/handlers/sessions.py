"""Sessions: start, get, list, start in a browser, transcript."""

from typing import Any

from g2a_async.emulator.call import Call
from g2a_async.emulator.rows import Machine, Session
from g2a_async.emulator.wire import Answer, Values, bad_request, not_found, ok


def start(call: Call) -> Answer:
    """`POST /sessions`."""
    session = _begin(call, call.body, _machine(call))
    session.customer_name = call.body.text("customerName")
    session.customer_email = call.body.text("customerEmail")
    inner: dict[str, Any] = call.record(launchUrl=call.links.launch(session.session_token))
    outer: dict[str, Any] = call.record(startScreenSharing=inner)
    place = {"inner": inner, "outer": outer}.get(call.state.shapes.session_token)
    if place is not None:
        place["sessionToken"] = session.session_token
    return ok(outer)


def browser(call: Call) -> Answer:
    """`GET /session`."""
    call.query.text("layout")
    session = _begin(call, call.query, None)
    return Answer(status=302, headers={"Location": call.links.launch(session.session_token)})


def get(call: Call) -> Answer:
    """`GET /sessions/{sessionId}`."""
    session = _find(call)
    detail = _fields(call, session) | call.record(
        sessionId=session.session_id,
        unattendedMachineName=session.machine_name,
        unattendedMachineUuid=session.machine_uuid,
        accountName=call.state.accounts[session.account_key] if session.machine_uuid else None,
        notes=session.notes,
        collaborators=session.collaborators or None,
    )
    return ok(detail)


def find(call: Call) -> Answer:
    """`GET /sessions`."""
    _screen_sharing(call.query)
    since, until = call.query.range()
    state = call.state
    found = []
    for session in [each for each in state.sessions.values() if state.visible(each)]:
        moment = session.started_at or session.begun_at
        if (since is None or moment >= since) and (until is None or moment <= until):
            found.append((moment, session))
    found.sort(key=lambda each: each[0])
    return call.listing([_listed(call, session) for _, session in found])


def transcript(call: Call) -> Answer:
    """`GET /sessions/{sessionId}/events`."""
    session = _find(call)
    if not session.transcript:
        not_found("The session has no transcript")
    lines = [
        call.record(timeStamp=call.time(line.time), content=line.text, participantName=line.name)
        for line in session.transcript
    ]
    times = {"startTime": call.time(session.started_at), "endTime": call.time(session.ended_at)}
    return call.listing(lines, **call.record(sessionId=session.session_id, **times))


def _screen_sharing(values: Values) -> None:
    if values.text("sessionType") != "SCREEN_SHARING":
        bad_request("sessionType must be SCREEN_SHARING")


def _machine(call: Call) -> Machine | None:
    uuid = call.body.text("machineUuid")
    if uuid is None:
        return None
    machine = call.state.machines.get(uuid)
    if machine is None or machine.machine_status == "REMOVED":
        not_found("There is no such machine")
    return machine


def _begin(call: Call, values: Values, machine: Machine | None) -> Session:
    _screen_sharing(values)
    callback, partner_url = values.url("sessionStatusCallbackUrl"), values.url("partnerObjectUrl")
    partner_object = values.text("partnerObject") or None
    for name in ("customerName", "customerEmail"):
        values.text(name)
    session = call.state.begin_session(machine=machine)
    session.status_callback_url = callback
    session.partner_object, session.partner_object_url = partner_object, partner_url
    return session


def _find(call: Call) -> Session:
    session = call.state.find_session(call.names["sessionId"])
    if session is None:
        not_found("There is no such session")
    return session


def _numeric(call: Call, text: str | None) -> int | str | None:
    """*text* as a number, where nothing of it is lost."""
    if text is not None and text.isascii() and text.isdigit() and str(int(text)) == text:
        return call.number(int(text))
    return text


def _fields(call: Call, session: Session) -> dict[str, Any]:
    recording = session.recording_id
    return call.record(
        sessionType="screen_sharing",
        status=session.status,
        accountKey=call.number(session.account_key),
        expertName=session.expert_name,
        expertEmail=session.expert_email,
        expertUserKey=session.expert_user_key,
        partnerObject=_numeric(call, session.partner_object),
        partnerObjectUrl=session.partner_object_url,
        customerJoinUrl=f"{call.links.origin}/join.html?key={session.session_token}",
        startedAt=call.time(session.started_at),
        customerJoinedAt=call.time(session.customer_joined_at),
        endedAt=call.time(session.ended_at),
        customerName=session.customer_name,
        customerEmail=session.customer_email,
        sessionRecordingUrl=None if recording is None else f"{call.links.origin}/recordings.html?id={recording}",
    )


def _listed(call: Call, session: Session) -> dict[str, Any]:
    return {
        "sessionId": _numeric(call, session.session_id),
        "sessionStartToken": _numeric(call, session.session_token),
        **_fields(call, session),
    }
