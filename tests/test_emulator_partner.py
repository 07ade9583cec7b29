"""The emulator's partner systems: links, and the tickets on the other side."""

from typing import Any

import pytest
from emulator_asking import asking

LINK: dict[str, Any] = {
    "systemName": "Desk",
    "systemDomain": "desk.example",
    "userEmail": "robin@desk.example",
    "userToken": "t-1",
    "callbackURL": "https://desk.example/g2a",
}


async def test_a_link_is_what_was_registered() -> None:
    """The list holds the documented attributes of the domain's links, and no other domain's."""
    async with asking() as ask:
        body = LINK | {"supportedCallbacks": {"createObject": True, "searchObjects": "false"}}
        reply = await ask("POST", "/systemLinks", body=body)
        await ask("POST", "/systemLinks", body=LINK | {"systemDomain": "other.example"})

        assert reply.status == 200
        assert (await ask("GET", "/systemLinks", systemDomain="desk.example")).json() == {"systemLinks": [LINK]}


async def test_registering_again_replaces() -> None:
    """The same user, name and domain have one link, the last; another user has their own."""
    async with asking() as ask:
        for token in ("t-1", "t-2"):
            await ask("POST", "/systemLinks", body=LINK | {"userToken": token})
        await ask("POST", "/systemLinks", body=LINK | {"userEmail": "kim@desk.example"})

        assert [each.user_token for each in ask.emulator.state.system_links] == ["t-2", "t-1"]


@pytest.mark.parametrize(("as_text", "expected"), [(False, True), (True, "true")])
async def test_a_list_may_tell_the_callbacks(*, as_text: bool, expected: object) -> None:
    """It is not documented, so it is a switch, as is the text that the documents show."""
    async with asking() as ask:
        shapes = ask.emulator.state.shapes
        shapes.supported_callbacks, shapes.flags_as_text = True, as_text
        await ask("POST", "/systemLinks", body=LINK | {"supportedCallbacks": {"createObject": "true"}})
        [link] = (await ask("GET", "/systemLinks", systemDomain="desk.example")).json()["systemLinks"]

        assert link["supportedCallbacks"] == {"createObject": expected}


@pytest.mark.parametrize(
    "change",
    [
        {"userEmail": "robin"},
        {"callbackURL": "desk.example/g2a"},
        {"callbackURL": "ftp://desk.example"},
        {"systemName": ""},
        {"systemName": 5},
        {"supportedCallbacks": ["createObject"]},
        {"supportedCallbacks": {"deleteObject": True}},
        {"supportedCallbacks": {"createObject": "yes"}},
        {"supportedCallbacks": {"createObject": 1}},
    ],
)
async def test_a_wrong_link_is_refused(change: dict[str, Any]) -> None:
    """Each is a 400, and nothing is registered."""
    async with asking() as ask:
        assert (await ask("POST", "/systemLinks", body=LINK | change)).status == 400
        assert not ask.emulator.state.system_links


async def test_a_removed_link_is_gone() -> None:
    """Its user's token opens the partner system no more."""
    async with asking() as ask:
        link = ask.emulator.state.add_system_link()
        before = (await ask.partner("GET", userToken=link.user_token)).status
        ask.emulator.state.remove_system_link(link)

        assert (before, (await ask.partner("GET", userToken=link.user_token)).status) == (200, 401)


@pytest.mark.parametrize("q", ["VPN is", "slow", "ada", "t-77", "called", "NETWORK"])
async def test_a_search_looks_everywhere(q: str) -> None:
    """Title, body, requester, ID, comments and tags, without case."""
    async with asking() as ask:
        ask.emulator.state.add_ticket("Other")
        ask.emulator.state.add_ticket(
            "VPN is down",
            id="T-77",
            body="So slow",
            requester_name="Ada L.",
            comments=["Called back"],
            tags=["network"],
        )
        answer = (await ask.partner("GET", userToken=ask.emulator.user_token, q=q)).json()

        assert ([each["id"] for each in answer["tickets"]], answer["total"]) == (["T-77"], 1)


async def test_a_search_is_paged_by_ten_at_most() -> None:
    """A larger limit gives ten all the same, so that a short page proves nothing."""
    async with asking() as ask:
        for _ in range(25):
            ask.emulator.state.add_ticket()
        pages = [
            (await ask.partner("GET", userToken=ask.emulator.user_token, **query)).json()
            for query in ({}, {"limit": 50, "offset": 10}, {"limit": 3}, {"offset": 20})
        ]

        assert [len(each["tickets"]) for each in pages] == [10, 10, 3, 5]
        assert {each["total"] for each in pages} == {25}


async def test_a_ticket_is_created_each_time() -> None:
    """Two calls make two tickets, both with the session's ID, as text."""
    async with asking() as ask:
        body = {"sessionId": 5, "userToken": ask.emulator.user_token, "title": "VPN", "body": ""}
        replies = [await ask.partner("POST", body=body) for _ in range(2)]

        assert [each.status for each in replies] == [201, 201]
        assert [each.json()["sessionIds"] for each in replies] == [["5"], ["5"]]
        assert list(ask.emulator.state.tickets) == [each.json()["id"] for each in replies]


async def test_a_ticket_is_associated_once() -> None:
    """The second call changes nothing; a ticket that is not there is a 404."""
    async with asking() as ask:
        ticket = ask.emulator.state.add_ticket(session_ids=["1"])
        body = {"sessionId": "2", "userToken": ask.emulator.user_token, "partnerObject": ticket.id}
        replies = [await ask.partner("PUT", body=body) for _ in range(2)]
        ask.emulator.state.remove_ticket(ticket.id)
        replies.append(await ask.partner("PUT", body=body))

        assert [each.status for each in replies] == [200, 200, 404]
        assert ticket.session_ids == ["1", "2"]


async def test_the_partner_knows_its_users_only() -> None:
    """An unknown user token is a 401 in each of the three calls, and nothing happens."""
    async with asking() as ask:
        ticket = ask.emulator.state.add_ticket()
        user: dict[str, Any] = {"sessionId": "1", "userToken": "nobody"}
        replies = [
            await ask.partner("GET", userToken="nobody"),
            await ask.partner("POST", body=user | {"title": "t", "body": "b"}),
            await ask.partner("PUT", body=user | {"partnerObject": ticket.id}),
        ]

        assert [each.status for each in replies] == [401, 401, 401]
        assert (list(ask.emulator.state.tickets), ticket.session_ids) == ([ticket.id], [])
