"""The emulator's authorization server."""

from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from emulator_asking import Asker, Reply, asking

HOME = "https://app.example/back"


async def token(ask: Asker, *, secret: str | None = None, **form: str) -> Reply:
    """Ask for a token."""
    pair = f"{ask.emulator.client_id}:{ask.emulator.client_secret if secret is None else secret}"
    headers = {
        "Authorization": f"Basic {b64encode(pair.encode()).decode()}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return await ask("POST", ask.emulator.token_url, headers=headers, data=urlencode(form).encode())


async def code(ask: Asker, **change: Any) -> dict[str, list[str]]:
    """Send the user to the authorize page, and give what they come back with."""
    query: dict[str, Any] = {"client_id": ask.emulator.client_id, "response_type": "code", "redirect_uri": HOME}
    reply = await ask("GET", ask.emulator.authorize_url, **(query | change))
    assert reply.status == 302
    assert reply.headers["Location"].startswith(HOME)
    return parse_qs(urlsplit(reply.headers["Location"]).query)


async def refresh(ask: Asker, refresh_token: str | None = None) -> Reply:
    """Ask for a new access token."""
    return await token(ask, grant_type="refresh_token", refresh_token=refresh_token or ask.emulator.refresh_token)


async def opens(ask: Asker, access_token: str) -> bool:
    """Try a call with an access token."""
    return (await ask("GET", "/sessions/1", authorization=f"Bearer {access_token}")).status == 404


async def test_a_code_becomes_a_token_once() -> None:
    """The user comes back with the state and a code; the code works once, and the token opens the API."""
    async with asking() as ask:
        back = await code(ask, state="a b&c")
        form = {"grant_type": "authorization_code", "code": back["code"][0], "redirect_uri": HOME}
        first, second = await token(ask, **form), await token(ask, **form)
        answer = first.json()

        assert back["state"] == ["a b&c"]
        assert (first.status, answer["token_type"], answer["expires_in"]) == (200, "Bearer", 3600)
        assert await opens(ask, answer["access_token"])
        assert (await refresh(ask, answer["refresh_token"])).status == 200
        assert (second.status, second.json()["error"]) == (400, "invalid_grant")


async def test_a_code_is_for_one_redirect_uri() -> None:
    """Another one is refused, and the code is spent."""
    async with asking() as ask:
        form = {"grant_type": "authorization_code", "code": (await code(ask))["code"][0]}
        replies = [await token(ask, **form, redirect_uri=each) for each in (f"{HOME}/x", HOME)]

        assert [each.json()["error"] for each in replies] == ["invalid_grant", "invalid_grant"]


@pytest.mark.parametrize(
    ("challenge", "verifier", "status"),
    [
        ("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", 200),
        ("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "another", 400),
        ("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", None, 400),
        (None, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", 400),
    ],
    ids=["right", "wrong", "missing", "unasked"],
)
async def test_a_challenge_needs_its_verifier(challenge: str | None, verifier: str | None, status: int) -> None:
    """PKCE as RFC 7636 has it in its appendix B: a code goes to whoever knows the verifier."""
    async with asking() as ask:
        asked = {} if challenge is None else {"code_challenge": challenge, "code_challenge_method": "S256"}
        proof = {} if verifier is None else {"code_verifier": verifier}
        (found,) = (await code(ask, **asked))["code"]
        reply = await token(ask, grant_type="authorization_code", code=found, redirect_uri=HOME, **proof)

        assert reply.status == status


async def test_no_state_is_no_state() -> None:
    """A page without `state` sends the user back without one, to a URL whose query is kept."""
    async with asking() as ask:
        back = await code(ask, redirect_uri=f"{HOME}?from=g2a")

        assert back.keys() == {"from", "code"}


async def test_a_user_can_say_no() -> None:
    """Without consent there is an error in place of the code."""
    async with asking() as ask:
        ask.emulator.state.oauth.consent = False

        assert await code(ask) == {"error": ["access_denied"]}


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "x"},
        {"redirect_uri": "app"},
        {"redirect_uri": f"{HOME}\r\nX: y"},
        {"response_type": "token"},
        {"scope": "x"},
        {"code_challenge": "x"},
        {"code_challenge": "x", "code_challenge_method": "plain"},
        {"code_challenge_method": "S256"},
    ],
)
async def test_a_wrong_page_sends_nobody_back(change: dict[str, Any]) -> None:
    """Each is a 400 on the page itself."""
    async with asking() as ask:
        query: dict[str, Any] = {"client_id": ask.emulator.client_id, "response_type": "code", "redirect_uri": HOME}

        assert (await ask("GET", ask.emulator.authorize_url, **(query | change))).status == 400


async def test_a_refresh_has_no_refresh_token() -> None:
    """As GoTo does it: the old one stays valid."""
    async with asking() as ask:
        first, second = await refresh(ask), await refresh(ask)

        assert "refresh_token" not in first.json()
        assert first.json()["access_token"] != second.json()["access_token"]
        assert await opens(ask, first.json()["access_token"])


async def test_a_rotation_ends_the_old_refresh_token() -> None:
    """The new one is in the answer, and only that one works."""
    async with asking() as ask:
        ask.emulator.state.oauth.rotate = True
        new = (await refresh(ask)).json()["refresh_token"]
        old = await refresh(ask)

        assert (old.status, old.json()["error"]) == (400, "invalid_grant")
        assert (await refresh(ask, new)).status == 200


async def test_an_access_token_expires_by_the_clock() -> None:
    """A second before its end it opens the API, a second after it does not; `expires_in` can be text."""
    async with asking() as ask:
        ask.emulator.state.oauth.expires_in, ask.emulator.state.oauth.expires_in_as_text = 60, True
        answer = (await refresh(ask)).json()
        ask.emulator.clock.advance(59)
        before = await opens(ask, answer["access_token"])
        ask.emulator.clock.advance(2)

        assert answer["expires_in"] == "60"
        assert (before, await opens(ask, answer["access_token"])) == (True, False)


async def test_a_token_can_be_revoked() -> None:
    """Access and refresh tokens alike are refused from then on."""
    async with asking() as ask:
        authority = ask.emulator.state.oauth
        issued = authority.issue(ask.emulator.clock.now(), expires_in=5)
        before = await opens(ask, issued)
        authority.revoke(issued)
        authority.revoke(ask.emulator.refresh_token)

        assert (before, await opens(ask, issued)) == (True, False)
        assert (await refresh(ask)).json()["error"] == "invalid_grant"


async def test_a_client_must_know_its_secret() -> None:
    """A wrong secret is a 401 in OAuth's words."""
    async with asking() as ask:
        reply = await token(ask, secret="wrong", grant_type="refresh_token", refresh_token="x")

        assert (reply.status, reply.json()["error"]) == (401, "invalid_client")
        assert reply.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize("authorization", ["", "Basic", "Basic !!!", "Bearer abc"])
async def test_a_client_must_use_basic(authorization: str) -> None:
    """No, broken and other credentials are a 401."""
    async with asking() as ask:
        headers = {"Authorization": authorization, "Content-Type": "application/x-www-form-urlencoded"}

        assert (await ask("POST", ask.emulator.token_url, headers=headers, data=b"")).status == 401


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "x", "code": "y"}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "x"}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "x", "redirect_uri": HOME}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "x", "scope": "y"}, "invalid_request"),
    ],
)
async def test_a_wrong_form_is_refused(form: dict[str, str], error: str) -> None:
    """Each is a 400 in OAuth's words."""
    async with asking() as ask:
        reply = await token(ask, **form)

        assert (reply.status, reply.json()["error"]) == (400, error)


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("application/json", b"{}"),
        ("application/x-www-form-urlencoded", b"grant_type=a&grant_type=b"),
        ("application/x-www-form-urlencoded", b"grant_type"),
    ],
)
async def test_a_body_must_be_a_form(content_type: str, data: bytes) -> None:
    """JSON, repeated names and what cannot be read are a 400."""
    async with asking() as ask:
        pair = f"{ask.emulator.client_id}:{ask.emulator.client_secret}"
        headers = {
            "Authorization": f"Basic {b64encode(pair.encode()).decode()}",
            "Content-Type": content_type,
        }
        reply = await ask("POST", ask.emulator.token_url, headers=headers, data=data)

        assert (reply.status, reply.json()["error"]) == (400, "invalid_request")
