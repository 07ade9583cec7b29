"""From the token that a store has to the next one: nothing is lost on the way."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from attrs import evolve

from g2a_async.aside import aside
from g2a_async.clock import Clock
from g2a_async.endpoints import Endpoint
from g2a_async.errors import ConfigError, G2AError, ReauthorizationRequiredError, StatusError
from g2a_async.support import LOGIN_COMMAND
from g2a_async.token_endpoint import EXCHANGE_CODE, REFRESH, TokenEndpoint
from g2a_async.tokens import Token, TokenStore

_MEMORY: Final = 30.0
"""Seconds for which a refused refresh token is not tried again."""
_WORDS: Final = 200
"""Characters of the server's own words that an error repeats."""
_CLIENT_REFUSED: Final = frozenset({"invalid_client", "unauthorized_client"})


class Renewal:
    """The store and the token endpoint together, under the store's lock."""

    def __init__(
        self, store: TokenStore, given: str | None, endpoint: Callable[[], TokenEndpoint], clock: Clock
    ) -> None:
        self._store = store
        self._given = given
        self._endpoint = endpoint
        self._clock = clock
        self._refused: dict[str, float] = {}
        self._unsaved: tuple[str | None, Token] | None = None

    async def exchange_code(self, form: Mapping[str, str]) -> Token:
        """The token for a code, saved."""
        async with self._store.lock():
            before = await self._store.load()  # a store that cannot be used says so before the code is spent
            try:
                token = await self._kept(EXCHANGE_CODE, form, before, lambda new: new)
            except StatusError as error:
                why = "the code was refused: it was used, has ended, or is for another redirect_uri"
                raise _meaning(error, why) from None
            self._refused.clear()
        return token

    async def renew(self, fits: Callable[[Token], bool]) -> tuple[Token, bool]:
        """The token in the store if it *fits*, by now; else a new one, saved, and True."""
        async with self._store.lock():
            stored = await self._load()
            if stored is not None and fits(stored):
                return stored, False
            while (used := self._choose(stored)) is not None:
                form = {"grant_type": "refresh_token", "refresh_token": used}
                try:
                    return await self._kept(REFRESH, form, stored, partial(_merged, stored, used)), True
                except StatusError as error:
                    meaning = _meaning(error, "the refresh token was refused")
                    if not isinstance(meaning, ReauthorizationRequiredError):
                        raise meaning from None
                self._refused[used] = self._clock.monotonic()
                # Once more: somebody may have been faster who does not keep to the lock.
                stored = await self._load()
                if stored is not None and stored.refresh_token not in self._refused and fits(stored):
                    return stored, False
            raise _nothing_left(stored, self._refused)

    async def _kept(
        self, call: Endpoint, form: Mapping[str, str], before: Token | None, whole: Callable[[Token], Token]
    ) -> Token:
        """What the server gives, made *whole* and saved, also when we are cancelled: it may never give it again."""

        async def ask() -> Token:
            async with self._endpoint() as endpoint:
                return await endpoint.ask(call, form)

        # A store that works on any loop has us run aside already.
        new, cancelled = (await ask(), False) if getattr(self._store, "any_loop", False) else await aside(ask)
        token = whole(new)
        await self._save(before, token)
        if cancelled:
            raise asyncio.CancelledError
        return token

    def _choose(self, stored: Token | None) -> str | None:
        """The refresh token to try: the stored one, then the one that was given. None: both were refused."""
        now = self._clock.monotonic()
        self._refused = {token: when for token, when in self._refused.items() if now - when < _MEMORY}
        candidates = (stored.refresh_token if stored is not None else None, self._given)
        return next((one for one in candidates if one is not None and one not in self._refused), None)

    async def _load(self) -> Token | None:
        """The stored token, after one that could not be saved, unless another took the old one's place."""
        stored = await self._store.load()
        if self._unsaved is not None:
            before, token = self._unsaved
            if before == (stored.refresh_token if stored is not None else None):
                await self._store.save(token)
                stored = token
            self._unsaved = None
        return stored

    async def _save(self, before: Token | None, token: Token) -> None:
        self._unsaved = (before.refresh_token if before is not None else None, token)
        await self._store.save(token)
        self._unsaved = None


def _merged(stored: Token | None, used: str, new: Token) -> Token:
    """The *new* token, with what its answer left out because it stays as it was."""
    same_user = stored is not None and stored.refresh_token == used
    return evolve(
        new,
        refresh_token=new.refresh_token or used,
        principal=new.principal or (stored.principal if stored is not None and same_user else None),
    )


def _meaning(error: StatusError, refused: str) -> G2AError:
    """What the token endpoint's answer means for the user."""
    if error.code in _CLIENT_REFUSED:
        return ConfigError(f"the authorization server does not know the client, or its secret is wrong: {error.code}")
    if error.code == "invalid_grant":
        return ReauthorizationRequiredError(f"{refused} ({(error.description or error.code)[:_WORDS]})")
    return error


def _nothing_left(stored: Token | None, refused: Mapping[str, float]) -> ReauthorizationRequiredError:
    if refused:
        reason = "the refresh token was refused, and the store has no other"
    elif stored is None:
        reason = "nobody has logged in: there is neither a stored token nor a refresh token"
    else:
        reason = "the token has ended or was refused, and there is no refresh token"
    return ReauthorizationRequiredError(
        f"{reason}; run {LOGIN_COMMAND}, or send the user to authorization_url() and call exchange_code()"
    )
