"""The authorization server: who has which token, and the two calls."""

import hmac
import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final, NoReturn
from urllib.parse import parse_qsl, quote, urlencode

from attrs import Factory, define, field

from g2a_async.emulator.wire import JSON, Answer, bad_request, dumps

_CHALLENGE: Final = frozenset({"code_challenge", "code_challenge_method"})
"""What a client that uses PKCE adds at the authorize page; code_verifier proves it later."""


class OAuthRefusal(Exception):  # noqa: N818 - it is an answer
    """An error as OAuth words it."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error

    def answer(self) -> Answer:
        """As JSON."""
        headers = {"WWW-Authenticate": 'Basic realm="oauth"'} if self.status == 401 else {}  # noqa: PLR2004 - its own status
        body = {"error": self.error, "error_description": str(self)}
        return Answer(status=self.status, body=dumps(body).encode(), headers={**JSON, **headers})


def deny(status: int, error: str, description: str) -> NoReturn:
    """Say no."""
    raise OAuthRefusal(status, error, description)


@define(kw_only=True)
class Authority:
    """Tokens, codes and the ways in which they are given."""

    secret: Callable[[str], str] = field(repr=False)
    """Makes a token that differs each time, and is the same in each run."""
    clients: dict[str, str] = field(factory=dict, repr=False)
    """Secrets by client ID."""
    access_tokens: dict[str, datetime | None] = field(factory=dict, repr=False)
    """Valid ones, and when they expire; None: never."""
    refresh_tokens: set[str] = field(factory=set, repr=False)
    """Valid ones."""
    codes: dict[str, tuple[str, str, str | None]] = field(factory=dict, repr=False)
    """Client ID, redirect URI and PKCE challenge, if any, of each code that was not used yet."""
    rotate: bool = False
    """A refresh gives a new refresh token and ends the old one; otherwise the answer has none."""
    consent: bool = True
    """The user says yes at the authorize page."""
    expires_in: int = 3600
    """Seconds that an access token lives."""
    expires_in_as_text: bool = False
    """`expires_in` comes as a string."""
    principal: str = "robin.keller@northwind-help.example"
    extra: dict[str, Any] = Factory(dict)
    """More attributes of the token answer."""

    def valid(self, token: str, now: datetime) -> bool:
        """Whether *token* opens the API."""
        if token not in self.access_tokens:
            return False
        end = self.access_tokens[token]
        return end is None or now < end

    def issue(self, now: datetime, *, expires_in: float | None = None) -> str:
        """A new access token."""
        token = self.secret("access")
        life = self.expires_in if expires_in is None else expires_in
        self.access_tokens[token] = now + timedelta(seconds=life)
        return token

    def issue_refresh(self) -> str:
        """A new refresh token."""
        token = self.secret("refresh")
        self.refresh_tokens.add(token)
        return token

    def revoke(self, token: str) -> None:
        """End an access or a refresh token."""
        self.access_tokens.pop(token, None)
        self.refresh_tokens.discard(token)


def authorize(authority: Authority, query: str) -> Answer:
    """`GET /oauth/authorize`: the user says yes at once, and the browser goes back with a code."""
    form = _form(query, {"client_id", "response_type", "redirect_uri", "state", *_CHALLENGE})
    redirect_uri = form.get("redirect_uri", "")
    if form.get("client_id") not in authority.clients or not re.fullmatch(r"https?://[!-~]+", redirect_uri):
        bad_request("client_id and redirect_uri must be those of a client")
    if form.get("response_type") != "code":
        deny(400, "unsupported_response_type", "response_type must be code")
    if form.keys() & _CHALLENGE and not (form.get("code_challenge") and form.get("code_challenge_method") == "S256"):
        deny(400, "invalid_request", "code_challenge comes with code_challenge_method=S256")
    if authority.consent:
        code = authority.secret("code")
        authority.codes[code] = form["client_id"], redirect_uri, form.get("code_challenge")
        result = {"code": code}
    else:
        result = {"error": "access_denied"}
    if "state" in form:
        result["state"] = form["state"]
    mark = "&" if "?" in redirect_uri else "?"
    target = f"{redirect_uri}{mark}{urlencode(result, quote_via=quote)}"
    return Answer(status=302, headers={"Location": target})


def token(authority: Authority, now: datetime, content_type: str, authorization: str, body: bytes) -> Answer:
    """`POST /oauth/token`: a code or a refresh token becomes an access token."""
    client_id = _client(authority, authorization)
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        deny(400, "invalid_request", "the body must be a form")
    form = _form(
        body.decode("ascii", "replace"), {"grant_type", "code", "redirect_uri", "refresh_token", "code_verifier"}
    )
    match form.get("grant_type"):
        case "authorization_code":
            refresh: str | None = _redeem(authority, client_id, form)
        case "refresh_token":
            refresh = _refresh(authority, form)
        case None:
            deny(400, "invalid_request", "grant_type is missing")
        case _:
            deny(400, "unsupported_grant_type", "grant_type must be authorization_code or refresh_token")
    answer: dict[str, Any] = {
        "access_token": authority.issue(now),
        "token_type": "Bearer",
        "expires_in": str(authority.expires_in) if authority.expires_in_as_text else authority.expires_in,
        "principal": authority.principal,
        "scope": "support:",
        **authority.extra,
    }
    if refresh:
        answer["refresh_token"] = refresh
    headers = {**JSON, "Cache-Control": "no-store"}
    return Answer(body=dumps(answer).encode(), headers=headers)


def _client(authority: Authority, authorization: str) -> str:
    scheme, _, credentials = authorization.partition(" ")
    try:
        client_id, _, secret = b64decode(credentials, validate=True).decode().partition(":")
    except ValueError:
        client_id = secret = ""
    known = authority.clients.get(client_id)
    if scheme.lower() != "basic" or known is None or not hmac.compare_digest(known.encode(), secret.encode()):
        deny(401, "invalid_client", "the client is not known, or its secret is wrong")
    return client_id


def _redeem(authority: Authority, client_id: str, form: dict[str, str]) -> str:
    if "refresh_token" in form or not {"code", "redirect_uri"} <= form.keys():
        deny(400, "invalid_request", "code and redirect_uri, and nothing else, are needed")
    *asker, challenge = authority.codes.pop(form["code"], ("", "", None))
    if asker != [client_id, form["redirect_uri"]]:
        deny(400, "invalid_grant", "the code was used, or is another client's or redirect_uri's")
    if challenge != _challenge_of(form.get("code_verifier")):
        deny(400, "invalid_grant", "code_verifier is not the one of the challenge")
    return authority.issue_refresh()


def _challenge_of(verifier: str | None) -> str | None:
    if verifier is None:
        return None
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")


def _refresh(authority: Authority, form: dict[str, str]) -> str | None:
    if form.keys() != {"grant_type", "refresh_token"}:
        deny(400, "invalid_request", "refresh_token, and nothing else, is needed")
    if form["refresh_token"] not in authority.refresh_tokens:
        deny(400, "invalid_grant", "the refresh token is not valid")
    if not authority.rotate:
        return None
    authority.revoke(form["refresh_token"])
    return authority.issue_refresh()


def _form(text: str, allowed: set[str]) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict")
    except ValueError:
        deny(400, "invalid_request", "the form cannot be read")
    names = [name for name, _ in pairs]
    if unknown := set(names) - allowed:
        deny(400, "invalid_request", f"unknown: {', '.join(sorted(unknown))}")
    if len(names) != len(set(names)):
        deny(400, "invalid_request", "a name is repeated")
    return dict(pairs)
