"""The authorization code: its page, its exchange, and the ways to the token endpoint."""

import hashlib
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tools.oauth import HOME, QUICK, TOKEN_CALL, code_of, everything, oauth_for, refreshes
from tools.peer import Answer, Peer, drop, reply

from g2a_async import (
    ConfigError,
    G2AClient,
    G2AError,
    OutcomeUnknownError,
    ReauthorizationRequiredError,
    RetryPolicy,
    Settings,
    StatusError,
)
from g2a_async.emulator import Emulator
from g2a_async.oauth import OAuth2, pkce
from g2a_async.tokens import MemoryTokenStore, Token

SECRETS = ("client-s3cr3t+/=", "refresh-s3cr3t+/=", "code-s3cr3t+/=", "verifier-s3cr3t")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Run an authorization server and an API."""
    with Emulator() as running:
        yield running


async def test_a_code_becomes_a_token(emulator: Emulator) -> None:
    """The page sends the browser back with a code and the state; the token for the code is saved, and opens the API."""
    store = MemoryTokenStore()
    auth = oauth_for(emulator, refresh_token=None, store=store)
    token = await auth.exchange_code(await code_of(auth), HOME)
    async with G2AClient(auth, settings=Settings(base_url=emulator.url)) as client:
        assert await client.companies.list().collect() == []
    assert (await store.load(), auth.peek()) == (token, token.access_token)
    assert token.principal == "robin.keller@northwind-help.example"
    assert refreshes(emulator) == 1


async def test_another_login_takes_nothing_from_the_one_before(emulator: Emulator) -> None:
    """The refresh token of the last user is not kept for the next one, whose answer has none."""
    store = MemoryTokenStore(Token("old", "somebody-elses", principal="somebody@else.example"))
    emulator.state.oauth.extra = {"principal": None}
    auth = oauth_for(emulator, refresh_token=None, store=store)
    emulator.faults.add(TOKEN_CALL, status=200, body={"access_token": "new"})
    await auth.exchange_code("code", HOME)
    assert await store.load() == Token("new", issued_at=(await store.load() or Token("x")).issued_at)


@pytest.mark.parametrize("used", [True, False])
async def test_a_refused_code_means_a_new_login(emulator: Emulator, used: bool) -> None:
    """A code that was used, or is for another address, is refused in words that say so."""
    auth = oauth_for(emulator)
    code = await code_of(auth)
    if used:
        await auth.exchange_code(code, HOME)
    with pytest.raises(ReauthorizationRequiredError, match="code was refused") as caught:
        await auth.exchange_code(code, HOME if used else "https://app.example/other")
    assert code not in everything(caught.value)


async def test_a_code_is_not_sent_twice(emulator: Emulator) -> None:
    """When the answer to a code was lost the outcome is unknown, and it is not sent again."""
    emulator.faults.add(TOKEN_CALL, "reset", after=True)
    with pytest.raises(OutcomeUnknownError):
        await oauth_for(emulator).exchange_code("code", HOME)
    assert refreshes(emulator) == 1


async def test_a_login_ends_a_pause(emulator: Emulator) -> None:
    """After a failed refresh, a new login is used at once."""
    emulator.faults.add(TOKEN_CALL, status=500, times=3)
    auth = oauth_for(emulator)
    with pytest.raises(G2AError):
        await auth.token()
    token = await auth.exchange_code(await code_of(auth), HOME)
    assert await auth.token() == token.access_token


async def test_what_is_sent_for_a_code() -> None:
    """Basic credentials, a form, and the PKCE verifier whose challenge was at the page; nothing else."""
    verifier, challenge = pkce()
    answer = reply({"access_token": "t", "expires_in": "60"})
    async with Peer(lambda _: answer) as peer:
        auth = OAuth2("ident", "geheim-ü", token_url=f"{peer.origin}/token", settings=QUICK)
        page = parse_qs(urlsplit(auth.authorization_url(HOME, "s", code_challenge=challenge)).query)
        await auth.exchange_code("c+/=", HOME, code_verifier=verifier)
    sent = peer.last
    assert page == {
        "client_id": ["ident"],
        "response_type": ["code"],
        "redirect_uri": [HOME],
        "state": ["s"],
        "code_challenge": [challenge],
        "code_challenge_method": ["S256"],
    }
    assert urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=") == challenge
    assert (sent.method, sent.target) == ("POST", "/token")
    assert sent.header("Authorization") == f"Basic {b64encode('ident:geheim-ü'.encode()).decode()}"
    assert sent.header("Content-Type") == "application/x-www-form-urlencoded"
    assert parse_qs(sent.body.decode(), strict_parsing=True) == {
        "grant_type": ["authorization_code"],
        "code": ["c+/="],
        "redirect_uri": [HOME],
        "code_verifier": [verifier],
    }


@pytest.mark.parametrize(("redirect_uri", "state"), [("", "s"), (HOME, "")])
def test_a_page_needs_an_address_and_a_state(redirect_uri: str, state: str) -> None:
    """Without one of them there is no page."""
    with pytest.raises(ValueError, match="must not be empty"):
        OAuth2("id", "secret").authorization_url(redirect_uri, state)


def echo(status: int) -> Answer:
    """Repeat everything that is secret, in every form."""
    words = " ".join(SECRETS) + " " + b64encode(f"id:{SECRETS[0]}".encode()).decode()
    return reply({"error": "invalid_request", "error_description": words, "more": [words]}, status, ("X-Echo", words))


ECHOES: dict[str, Answer] = {
    **{str(status): echo(status) for status in (200, 302, 400, 401, 403, 500)},
    "invalid_grant": reply({"error": "invalid_grant", "error_description": " ".join(SECRETS)}, 400),
    "invalid_client": reply({"error": "invalid_client", "error_description": " ".join(SECRETS)}, 401),
    "lost": drop(),
}


@pytest.mark.parametrize("answer", ECHOES.values(), ids=ECHOES)
@pytest.mark.parametrize("call", ["exchange_code", "token"])
async def test_no_error_shows_a_secret(answer: Answer, call: str) -> None:
    """Whatever the server repeats, neither the error nor what support is told has it."""
    settings = Settings(retry=RetryPolicy.none())
    async with Peer(lambda _: answer) as peer:
        auth = OAuth2("id", SECRETS[0], refresh_token=SECRETS[1], token_url=peer.origin, settings=settings)
        with pytest.raises(G2AError) as caught:
            await (auth.token() if call == "token" else auth.exchange_code(SECRETS[2], HOME, code_verifier=SECRETS[3]))
    shown = everything(caught.value)
    sent = SECRETS[:2] if call == "token" else (SECRETS[0], *SECRETS[2:])
    encoded = b64encode(f"id:{SECRETS[0]}".encode()).decode()
    assert not [secret for secret in (*sent, encoded) if secret in shown]
    if isinstance(caught.value, StatusError):
        assert "grant_type" in shown


@pytest.mark.parametrize("own", [True, False])
async def test_goes_the_way_of_the_client(own: bool) -> None:
    """The token endpoint is reached by the proxy and under the name of its client, unless told otherwise."""
    answer = reply({"access_token": "t"})
    async with Peer(lambda _: answer) as one, Peer(lambda _: answer) as two:
        settings = Settings(proxy=two.origin, user_agent="mine") if own else None
        auth = OAuth2("id", "s", refresh_token="r", token_url="http://token.example/x", settings=settings)
        auth.adopt(Settings(proxy=one.origin, user_agent="theirs"))
        auth.adopt(Settings(proxy="http://127.0.0.1:1"))
        assert await auth.token() == "t"
    peer, name = (two, "mine") if own else (one, "theirs")
    assert [(seen.target, seen.header("User-Agent")) for seen in peer.requests] == [("http://token.example/x", name)]


async def test_no_redirect_is_followed(emulator: Emulator) -> None:
    """Credentials do not go where an answer points."""
    async with Peer([reply({})]) as peer:
        emulator.faults.add(TOKEN_CALL, status=307, headers={"Location": f"{peer.origin}/"})
        with pytest.raises(StatusError) as caught:
            await oauth_for(emulator).token()
        assert (caught.value.status, peer.requests) == (307, [])


async def test_a_store_that_cannot_be_used_spends_no_code(emulator: Emulator) -> None:
    """It says so before the code is sent."""

    class Broken(MemoryTokenStore):
        async def load(self) -> Any:
            raise ConfigError("torn")

    with pytest.raises(ConfigError, match="torn"):
        await oauth_for(emulator, store=Broken()).exchange_code("code", HOME)
    assert refreshes(emulator) == 0
