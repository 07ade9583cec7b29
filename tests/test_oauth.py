"""OAuth2 against the emulated authorization server: refresh ahead, after a 401, and when it does not work."""

import asyncio
import logging
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tools.oauth import QUICK, TOKEN_CALL, Graceful, ShiftedClock, ended, everything, oauth_for, refreshes, settled

from g2a_async import (
    ConfigError,
    DecodeError,
    G2AClient,
    G2AError,
    Hooks,
    RateLimitedError,
    ReauthorizationRequiredError,
    RefreshEvent,
    ServerError,
    Settings,
    TransportError,
)
from g2a_async.emulator import Emulator
from g2a_async.oauth import OAuth2
from g2a_async.tokens import MemoryTokenStore, Token, TokenStore


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Run an authorization server and an API."""
    with Emulator() as running:
        yield running


@pytest.mark.parametrize("rotate", [False, True])
async def test_a_refresh_never_loses_the_refresh_token(emulator: Emulator, rotate: bool) -> None:
    """The new refresh token is kept where the answer has one, the old one where it has none."""
    emulator.state.oauth.rotate = rotate
    store = MemoryTokenStore()
    auth = oauth_for(emulator, store=store)
    tokens = [await auth.token()]
    for _ in range(3):
        tokens.append(await auth.renew(tokens[-1]) or "")
    kept = await store.load()
    assert len(set(tokens)) == 4
    assert kept is not None
    assert kept.refresh_token in emulator.state.oauth.refresh_tokens
    assert (kept.refresh_token == emulator.refresh_token) is not rotate
    assert kept.principal == "robin.keller@northwind-help.example"


@pytest.mark.parametrize("life", [10, 60, 600, 3600])
async def test_refreshes_ahead_of_the_end(emulator: Emulator, life: int) -> None:
    """A token is used for half its life at least, and its refresh begins 120 s before its end at the latest."""
    clock = ShiftedClock()
    emulator.state.oauth.expires_in = life
    auth = oauth_for(emulator, clock=clock)
    first = await auth.token()
    clock.shift += max(life / 2 - 2, life - 152)
    before = await auth.token()
    clock.shift = life - min(119, life * 0.39)
    assert (before, auth.peek()) == (first, None)
    await auth.token()
    await settled(lambda: auth.peek() not in {None, first})
    assert refreshes(emulator) == 2


@pytest.mark.parametrize("expires_in", ["3600", 3600.0, None, "soon", -1, True, 1e300])
async def test_reads_every_lifetime(emulator: Emulator, expires_in: Any) -> None:
    """A lifetime that comes as text counts; one that is junk or missing makes no token, and no storm of refreshes."""
    emulator.state.oauth.extra = {"expires_in": expires_in}
    auth = oauth_for(emulator)
    assert await auth.token() == auth.peek() == await auth.token()
    assert refreshes(emulator) == 1


async def test_a_401_refreshes_once_for_all_tasks(emulator: Emulator) -> None:
    """Two hundred calls whose token was revoked make one refresh, and none of them sees the 401."""
    auth = oauth_for(emulator)
    settings = Settings(base_url=emulator.url, requests_per_second=None)
    async with G2AClient(auth, settings=settings) as client:
        await client.companies.list().collect()
        emulator.state.oauth.revoke(await auth.token())
        results = await asyncio.gather(*(client.companies.list().collect() for _ in range(200)))
    assert results == [[]] * 200
    assert refreshes(emulator) == 2


async def test_a_late_401_costs_nothing(emulator: Emulator) -> None:
    """When an older token than the one in use is refused, the one in use is the answer."""
    auth = oauth_for(emulator)
    old = await auth.token()
    new = await auth.renew(old)
    assert await auth.renew(old) == new != old
    assert refreshes(emulator) == 2


async def test_a_401_for_every_token_is_no_storm(emulator: Emulator) -> None:
    """A user whose every token is refused sees the 401, and after a while no more tokens are asked for."""
    clock = ShiftedClock()
    auth = oauth_for(emulator, clock=clock)
    token: str | None = await auth.token()
    for _ in range(30):
        assert token is not None
        token = await auth.renew(token)
    assert token is not None
    assert await auth.renew(token) is None
    clock.shift += 61
    assert await auth.renew(token) not in {None, token}


class Diary(MemoryTokenStore):
    """Notes how many API calls there had been at each save, and fails when told to."""

    def __init__(self, emulator: Emulator) -> None:
        super().__init__()
        self.emulator = emulator
        self.calls_at_save: list[int] = []
        self.broken = False

    async def save(self, token: Token) -> None:
        """Save, or not."""
        await asyncio.sleep(0.01)
        self.calls_at_save.append(self.emulator.journal.count("GET /companies"))
        if self.broken:
            raise ConfigError("the disk is full")
        await super().save(token)


async def test_saves_before_the_token_is_used(emulator: Emulator) -> None:
    """No call goes out with a token that its store does not have yet."""
    store = Diary(emulator)
    auth = oauth_for(emulator, store=store)
    async with G2AClient(auth, settings=Settings(base_url=emulator.url)) as client:
        await client.companies.list().collect()
    assert (store.calls_at_save, emulator.journal.count("GET /companies")) == ([0], 1)


async def test_a_token_that_could_not_be_saved_is_not_lost(emulator: Emulator) -> None:
    """It is not used either; once the store works again it is saved, without another refresh."""
    emulator.state.oauth.rotate = True
    clock, store = ShiftedClock(), Diary(emulator)
    auth = oauth_for(emulator, store=store, clock=clock)
    store.broken = True
    with pytest.raises(ConfigError, match="disk is full"):
        await auth.token()
    store.broken = False
    clock.shift += 31
    token = await auth.token()
    kept = await store.load()
    assert kept is not None
    assert (kept.access_token, refreshes(emulator)) == (token, 1)
    assert await auth.renew(token)


async def test_an_unsaved_token_does_not_replace_a_newer_login(emulator: Emulator) -> None:
    """When somebody logs in while a token waits to be saved, the new login stays."""
    clock, store = ShiftedClock(), Diary(emulator)
    auth = oauth_for(emulator, store=store, clock=clock)
    store.broken = True
    with pytest.raises(ConfigError):
        await auth.token()
    store.broken = False
    login = Token("their-access", "their-refresh")
    await store.save(login)
    clock.shift += 31
    assert await auth.token() == "their-access"
    assert await store.load() == login


async def test_takes_what_the_store_has(emulator: Emulator) -> None:
    """A valid token of another process is used, without a request."""
    store = MemoryTokenStore(Token("theirs", "r", datetime.now(UTC) + timedelta(hours=1)))
    assert await oauth_for(emulator, store=store).token() == "theirs"
    assert refreshes(emulator) == 0


class Careless(MemoryTokenStore):
    """Excludes nobody: another process saves *later* while we refresh."""

    def __init__(self, token: Token, later: Token) -> None:
        super().__init__(token)
        self.later = later
        self.loads = 0

    async def load(self) -> Token | None:
        """Load what is there by now."""
        self.loads += 1
        return await super().load() if self.loads <= 2 else self.later  # it is looked at before it is locked


async def test_a_refusal_reads_the_store_again(emulator: Emulator) -> None:
    """When the refresh token was refused and the store has another by then, that one is used."""
    store = Careless(ended("old"), ended(emulator.refresh_token))
    auth = oauth_for(emulator, refresh_token=None, store=store)
    assert await auth.token()
    assert refreshes(emulator) == 2


async def test_a_refusal_takes_the_others_token(emulator: Emulator) -> None:
    """When the store has a token that is valid by then, it is used as it is."""
    auth = oauth_for(emulator, refresh_token=None, store=Careless(ended("old"), Token("theirs", "new")))
    assert await auth.token() == "theirs"
    assert refreshes(emulator) == 1


async def test_a_refused_stored_token_gives_way_to_the_given_one(emulator: Emulator) -> None:
    """A refresh token that is passed in is used when the stored one is refused."""
    store = MemoryTokenStore(ended("revoked"))
    assert await oauth_for(emulator, store=store).token()
    kept = await store.load()
    assert kept is not None
    assert kept.refresh_token == emulator.refresh_token


async def test_a_refused_refresh_token_means_a_new_login(emulator: Emulator) -> None:
    """The error says what to do and pickles; the server is asked once; a new login counts at once."""
    store = MemoryTokenStore(ended("s3cr3t-refresh"))
    auth = oauth_for(emulator, refresh_token=None, store=store)
    for _ in range(2):
        with pytest.raises(ReauthorizationRequiredError):
            await auth.token()
    with pytest.raises(ReauthorizationRequiredError, match="g2a login") as caught:
        await auth.token()
    assert refreshes(emulator) == 1
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert "s3cr3t" not in everything(caught.value)
    await store.save(ended(emulator.refresh_token))
    assert await auth.token()


async def test_a_refused_refresh_token_is_tried_again_later(emulator: Emulator) -> None:
    """A server that was wrong about it does not make the process useless."""
    clock = ShiftedClock()
    auth = oauth_for(emulator, clock=clock)
    emulator.faults.add(TOKEN_CALL, status=400, body={"error": "invalid_grant"})
    with pytest.raises(ReauthorizationRequiredError):
        await auth.token()
    clock.shift += 31
    assert await auth.token()


@pytest.mark.parametrize("store", [MemoryTokenStore(), MemoryTokenStore(ended(None))])
async def test_nobody_has_logged_in(emulator: Emulator, store: TokenStore) -> None:
    """Without a refresh token anywhere, nothing is asked, and the error says what to do."""
    with pytest.raises(ReauthorizationRequiredError, match="g2a login"):
        await oauth_for(emulator, refresh_token=None, store=store).token()
    assert refreshes(emulator) == 0


async def test_without_a_refresh_token_a_token_is_used_to_its_end(emulator: Emulator) -> None:
    """There is nothing to be gained by refreshing ahead."""
    clock = ShiftedClock()
    store = MemoryTokenStore(Token("only", expires_at=clock.now() + timedelta(seconds=20)))
    auth = oauth_for(emulator, refresh_token=None, store=store, clock=clock)
    assert await auth.token() == "only"
    clock.shift += 19
    assert await auth.token() == "only"
    clock.shift += 2
    with pytest.raises(ReauthorizationRequiredError):
        await auth.token()


@pytest.mark.parametrize(
    "fault",
    [{"status": 401, "body": {"error": "invalid_client"}}, {"status": 400, "body": {"error": "unauthorized_client"}}],
)
async def test_a_wrong_client_is_a_matter_of_configuration(emulator: Emulator, fault: dict[str, Any]) -> None:
    """A client that the server does not take is a ConfigError, which shows no secret."""
    emulator.faults.add(TOKEN_CALL, **fault)
    with pytest.raises(ConfigError, match="client") as caught:
        await oauth_for(emulator).token()
    assert emulator.client_secret not in everything(caught.value)
    assert emulator.refresh_token not in everything(caught.value)


TROUBLE: dict[str, dict[str, Any]] = {
    "500": {"status": 500},
    "503": {"status": 503, "headers": {"Retry-After": "0"}},
    "429": {"status": 429},
    "reset": {"kind": "reset"},
    "html": {"kind": "html"},
    "answer lost": {"kind": "reset", "after": True},
    "answer cut": {"kind": "truncate"},
}


@pytest.mark.parametrize("rotate", [False, True])
@pytest.mark.parametrize("trouble", TROUBLE.values(), ids=TROUBLE)
async def test_gets_over_trouble(emulator: Emulator, trouble: dict[str, Any], rotate: bool) -> None:
    """A refresh is repeated through the server's troubles, also when its answer was lost."""
    emulator.state.oauth.rotate = rotate
    emulator.state.oauth.refresh_tokens = Graceful(emulator.state.oauth.refresh_tokens)
    emulator.faults.add(TOKEN_CALL, times=2, **trouble)
    auth = oauth_for(emulator)
    assert await auth.token()
    assert refreshes(emulator) == 3


def is_idle(auth: OAuth2) -> bool:
    """Whether no refresh is under way."""
    return auth._tokens._flights._flight is None


LASTING: dict[str, tuple[dict[str, Any], type[G2AError]]] = {
    "500": ({"status": 500}, ServerError),
    "429": ({"status": 429}, RateLimitedError),
    "reset": ({"kind": "reset"}, TransportError),
    "garbage": ({"kind": "garbage"}, DecodeError),
    "no token": ({"status": 200, "body": {"token_type": "Bearer"}}, DecodeError),
    "a list": ({"status": 200, "body": []}, DecodeError),
    "elsewhere": ({"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}}, G2AError),
}


@pytest.mark.parametrize(("trouble", "kind"), LASTING.values(), ids=LASTING)
async def test_a_token_that_is_still_valid_is_used(
    emulator: Emulator, trouble: dict[str, Any], kind: type[G2AError], caplog: pytest.LogCaptureFixture
) -> None:
    """While refreshing does not work, the old token serves to its end; the server is asked now and then, not always."""
    clock = ShiftedClock()
    auth = oauth_for(emulator, clock=clock)
    token = await auth.token()
    emulator.faults.add(TOKEN_CALL, times=None, **trouble)
    clock.shift += 3500
    assert {await auth.token() for _ in range(50)} == {token}
    await settled(lambda: "could not be refreshed" in caplog.text and is_idle(auth))
    assert {await auth.token() for _ in range(50)} == {token}
    asked = refreshes(emulator) - 1
    assert 1 <= asked <= 3
    assert not [secret for secret in (token, emulator.refresh_token, emulator.client_secret) if secret in caplog.text]
    clock.shift += 10
    assert await auth.token() == token
    await settled(lambda: caplog.text.count("could not be refreshed") == 2 and is_idle(auth))
    assert refreshes(emulator) - 1 == 2 * asked
    clock.shift += 200
    with pytest.raises(kind):
        await auth.token()
    emulator.faults.clear()
    clock.shift += 31
    assert await auth.token() not in {None, token}


async def test_a_stored_token_that_is_still_valid_is_used(emulator: Emulator) -> None:
    """A process that begins while the server is down goes on with the stored token, though that is due."""
    emulator.faults.add(TOKEN_CALL, status=503, times=None)
    soon = datetime.now(UTC) + timedelta(seconds=60)
    store = MemoryTokenStore(Token("still-valid", emulator.refresh_token, expires_at=soon))
    assert await oauth_for(emulator, store=store).token() == "still-valid"
    await settled(lambda: refreshes(emulator) == 3)


@pytest.mark.parametrize("failure", [{"error": "invalid_grant"}, {"error": "invalid_client"}])
async def test_a_valid_token_outlives_a_refusal(emulator: Emulator, failure: dict[str, str]) -> None:
    """Who must log in anew, or has a wrong secret, learns it from the log and the hook while the token is valid."""
    emulator.faults.add(TOKEN_CALL, status=400, body=failure, times=None)
    told: list[RefreshEvent] = []
    soon = datetime.now(UTC) + timedelta(seconds=60)
    auth = oauth_for(emulator, store=MemoryTokenStore(Token("still-valid", "refused", expires_at=soon)))
    auth.adopt(Settings(), Hooks(on_refresh=told.append))
    assert {await auth.token() for _ in range(20)} == {"still-valid"}
    await settled(lambda: bool(told))
    assert isinstance(told[0].error, ConfigError | ReauthorizationRequiredError)
    assert {await auth.token() for _ in range(20)} == {"still-valid"}


async def test_a_token_that_is_about_to_end_is_refreshed_first(emulator: Emulator) -> None:
    """A token that might end on its way is not sent."""
    soon = datetime.now(UTC) + timedelta(seconds=3)
    store = MemoryTokenStore(Token("nearly-ended", emulator.refresh_token, expires_at=soon))
    assert await oauth_for(emulator, store=store).token() not in {None, "nearly-ended"}


async def test_a_valid_token_does_not_wait_for_a_slow_refresh(emulator: Emulator) -> None:
    """Calls go on with the token in use while the server takes its time, and with the new one once it is there."""
    emulator.faults.add(TOKEN_CALL, "slow", seconds=0.05)
    soon = datetime.now(UTC) + timedelta(seconds=60)
    auth = oauth_for(emulator, store=MemoryTokenStore(Token("still-valid", emulator.refresh_token, expires_at=soon)))
    assert {await auth.token() for _ in range(20)} == {"still-valid"}

    for _ in range(500):
        if await auth.token() != "still-valid":
            break
        await asyncio.sleep(0.01)
    assert await auth.token() != "still-valid"
    assert refreshes(emulator) == 1


async def test_a_failure_is_told_to_all_and_asked_for_once(emulator: Emulator) -> None:
    """Everybody who waits gets an error of their own, and for a while nobody asks again."""
    emulator.faults.add(TOKEN_CALL, status=500, times=None)
    auth = oauth_for(emulator)
    errors = await asyncio.gather(*(auth.token() for _ in range(50)), return_exceptions=True)
    assert {type(error) for error in errors} == {ServerError}
    assert len({id(error) for error in errors}) == 50
    with pytest.raises(ServerError):
        await auth.token()
    assert refreshes(emulator) == 3


async def test_the_token_endpoint_has_its_own_timeout(emulator: Emulator) -> None:
    """A server that does not answer in time is a TransportError."""
    emulator.faults.add(TOKEN_CALL, "slow", times=None, seconds=5)
    settings = Settings(attempt_timeout=0.04, retry=QUICK.retry)
    with pytest.raises(TransportError) as caught:
        await oauth_for(emulator, settings=settings).token()
    assert (caught.value.operation, caught.value.attempts) == ("oauth.refresh", 3)


async def test_hooks_are_told_of_refreshes(emulator: Emulator) -> None:
    """Once for each refresh, with whose it is, or why there was none; a token from the store is no refresh."""
    events: list[RefreshEvent] = []
    store = MemoryTokenStore(ended(emulator.refresh_token))
    one, two = (oauth_for(emulator, store=store, refresh_token=None) for _ in range(2))
    one.adopt(Settings(), Hooks(on_refresh=events.append))
    two.adopt(Settings(), Hooks(on_refresh=events.append))
    token = await one.token()
    assert await two.token() == token
    assert events == [RefreshEvent(principal="robin.keller@northwind-help.example", error=None)]
    emulator.state.oauth.revoke(emulator.refresh_token)
    with pytest.raises(ReauthorizationRequiredError):
        await one.renew(token)
    assert [type(event.error) for event in events[1:]] == [ReauthorizationRequiredError]
    emulator.faults.add(TOKEN_CALL, status=500, times=None)
    three = oauth_for(emulator)
    three.adopt(Settings(), Hooks(on_refresh=events.append))
    with pytest.raises(ServerError):
        await three.token()
    assert isinstance(events[-1].error, ServerError)


async def test_shows_no_secret(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the objects' reprs, nor the log, nor the client show a token or the client's secret."""
    caplog.set_level(logging.DEBUG)
    auth = oauth_for(emulator)
    token = await auth.token()
    kept = await auth.store.load()
    client = G2AClient(auth)
    shown = f"{auth!r} {auth!s} {kept!r} {kept!s} {client!r} {auth.store!r} {auth.quota_key} {caplog.text}"
    secrets = [token, emulator.refresh_token, emulator.client_secret]
    assert not [secret for secret in secrets if secret in shown]


@pytest.mark.parametrize(
    "arguments", [("", "s3cr3t"), ("id", ""), ("a:b", "s3cr3t")], ids=["no ID", "no secret", "a colon in the ID"]
)
def test_refuses_what_cannot_work(arguments: tuple[str, str]) -> None:
    """An empty ID or secret, and an ID that Basic cannot carry, are told when the object is made."""
    with pytest.raises(ConfigError) as caught:
        OAuth2(*arguments)
    assert "s3cr3t" not in everything(caught.value)


@pytest.mark.parametrize("name", ["token_url", "authorize_url"])
def test_refuses_an_address_that_is_none(name: str) -> None:
    """The addresses must be http or https."""
    with pytest.raises(ConfigError, match=name):
        OAuth2("id", "secret", **{name: "ftp://x"})  # type: ignore[arg-type]


def test_a_quota_for_each_user() -> None:
    """The key of the quota is the same for the same user of a client, and shows nothing."""
    store = MemoryTokenStore()
    keys = [
        OAuth2("id", "s", refresh_token="one").quota_key,
        OAuth2("id", "s", refresh_token="two").quota_key,
        OAuth2("other", "s", refresh_token="one").quota_key,
        OAuth2("id", "s", store=store).quota_key,
    ]
    again = [OAuth2("id", "s2", refresh_token="one").quota_key, OAuth2("id", "s", store=store).quota_key]
    assert len(set(keys)) == 4
    assert again == [keys[0], keys[3]]
    assert "one" not in keys[0]
