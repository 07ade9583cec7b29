"""Partner systems: links that are registered with the service, and the partner's own tickets."""

import re
from typing import Any

from g2a_async.emulator.call import Call
from g2a_async.emulator.rows import SystemLink, Ticket
from g2a_async.emulator.wire import Answer, bad_request, not_found, ok, refuse

_CALLBACKS = ("createObject", "searchObjects", "associateObject")
_FLAGS = {"true": True, "false": False}


def register(call: Call) -> Answer:
    """`POST /systemLinks`."""
    body = call.body
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", body.needed("userEmail")):
        bad_request("userEmail is not an e-mail address")
    call.state.add_system_link(
        system_name=body.needed("systemName"),
        system_domain=body.needed("systemDomain"),
        user_email=body.needed("userEmail"),
        user_token=body.needed("userToken"),
        callback_url=body.url("callbackURL") or "",
        supported_callbacks=_callbacks(body.get("supportedCallbacks")),
    )
    return ok({})


def links(call: Call) -> Answer:
    """`GET /systemLinks`."""
    domain = call.query.needed("systemDomain")
    return call.listing([_link(call, each) for each in call.state.system_links if each.system_domain == domain])


def search(call: Call) -> Answer:
    """`GET {callbackURL}/`."""
    _user(call, call.query.needed("userToken"))
    wanted = (call.query.text("q") or "").casefold()
    limit = min(call.query.integer("limit", 1) or 10, call.state.tickets_per_page)
    offset = call.query.integer("offset", 0) or 0
    found = [each for each in call.state.tickets.values() if wanted in _searched(each)]
    return call.listing([_ticket(call, each) for each in found[offset : offset + limit]], len(found))


def create(call: Call) -> Answer:
    """`POST {callbackURL}/`."""
    user_token, session_id = call.body.needed("userToken"), _session_id(call)
    title, body = call.body.needed("title"), call.body.text("body") or ""
    _user(call, user_token)
    return ok(_ticket(call, call.state.add_ticket(title, body=body, session_ids=[session_id])), status=201)


def associate(call: Call) -> Answer:
    """`PUT {callbackURL}/`."""
    user_token, session_id = call.body.needed("userToken"), _session_id(call)
    ticket = call.state.tickets.get(call.body.needed("partnerObject"))
    _user(call, user_token)
    if ticket is None:
        not_found("There is no such ticket")
    if session_id not in ticket.session_ids:
        ticket.session_ids.append(session_id)
    return ok(_ticket(call, ticket))


def _callbacks(value: Any) -> dict[str, bool]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not value.keys() <= set(_CALLBACKS):
        bad_request(f"supportedCallbacks must be an object of {', '.join(_CALLBACKS)}")
    return {name: _flag(flag) for name, flag in value.items()}


def _flag(value: Any) -> bool:
    flag = _FLAGS.get(value) if isinstance(value, str) else value
    if not isinstance(flag, bool):
        bad_request("supportedCallbacks must hold true or false")
    return flag


def _link(call: Call, link: SystemLink) -> dict[str, Any]:
    shapes = call.state.shapes
    callbacks: dict[str, bool | str] = {
        name: str(flag).lower() if shapes.flags_as_text else flag for name, flag in link.supported_callbacks.items()
    }
    return call.record(
        systemName=link.system_name,
        systemDomain=link.system_domain,
        userEmail=link.user_email,
        userToken=link.user_token,
        callbackURL=link.callback_url,
        supportedCallbacks=callbacks if shapes.supported_callbacks else None,
    )


def _user(call: Call, user_token: str) -> None:
    if user_token not in call.state.user_tokens | {each.user_token for each in call.state.system_links}:
        refuse(401, "InvalidUserToken", "The user token is not valid")


def _session_id(call: Call) -> str:
    value = call.body.get("sessionId")
    return str(value) if type(value) is int else call.body.needed("sessionId")


def _searched(ticket: Ticket) -> str:
    fields = ticket.title, ticket.body, ticket.requester_name, ticket.id, *ticket.comments, *ticket.tags
    return "\n".join(fields).casefold()


def _ticket(call: Call, ticket: Ticket) -> dict[str, Any]:
    return call.record(
        id=ticket.id,
        title=ticket.title,
        body=ticket.body,
        url=f"{call.links.origin}/desk/tickets/{ticket.id}",
        requesterName=ticket.requester_name,
        status=ticket.status,
        createdAt=call.time(ticket.created_at),
        sessionIds=list(ticket.session_ids),
        comments=list(ticket.comments),
        tags=list(ticket.tags),
    )
