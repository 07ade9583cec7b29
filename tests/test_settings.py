"""Settings are checked where they are made, and cannot change afterwards."""

import re
import ssl
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import g2a_async
from g2a_async import RetryPolicy, Settings
from g2a_async.settings import web_address

NAMES = [field.name for field in attrs.fields(Settings)]
POLICY_NAMES = [field.name for field in attrs.fields(RetryPolicy)]
NAN = float("nan")

NO_URLS = ("", "api.getgo.com", "ftp://h/", "http://", "https://h?x", "https://h#x", "http://h/ x", "http://h\n")
NO_HOSTS = ("http://[", "http://h:0", "http://h:x", "http://h:99999")
UNUSABLE: dict[str, list[Any]] = {
    "base_url": [*NO_URLS, *NO_HOSTS, None, b"x", 3],
    "auth_scheme": ["bearer", "", None, 1, []],
    "deadline": [0, -1, NAN, "3", True, []],
    "attempt_timeout": [0, -0.1, NAN, "3", False],
    "retry": [None, 3, RetryPolicy, {}],
    "requests_per_second": [0, -9, NAN, "9", True],
    "max_connections": [0, -1, 1.5, "9", None, True],
    "recording_ids_param": ["", "a b", "a&b", "a=b", "é", None, 1],
    "max_url_bytes": [0, 199, 8000.0, "8000", None],
    "user_agent": ["", "a\r\nX: y", "é", None, 1],
    "proxy": ["", "proxy:3128", "socks5://p", 1],
    "trust_env": [1, "yes", None],
    "ssl": [True, False, "cert.pem", 1],
}
UNUSABLE_POLICY: dict[str, list[Any]] = {
    "attempts": [0, -1, 1.0, "4", None, True],
    **{name: [-0.1, NAN, "1", None, True] for name in ("base", "cap", "max_retry_after")},
}
BAD = [(name, value) for name, values in UNUSABLE.items() for value in values]
BAD_POLICY = [(name, value) for name, values in UNUSABLE_POLICY.items() for value in values]


def test_the_defaults_are_those_of_the_contract() -> None:
    """Nobody has to set anything to get what the contract promises."""
    settings = Settings()
    assert attrs.asdict(settings) == {
        "base_url": "https://api.getgo.com/G2A/rest/v1",
        "auth_scheme": "Bearer",
        "deadline": 60.0,
        "attempt_timeout": 30.0,
        "retry": {"attempts": 4, "base": 0.5, "cap": 20.0, "max_retry_after": 60.0},
        "requests_per_second": 9.0,
        "max_connections": 100,
        "recording_ids_param": "recordingIds",
        "max_url_bytes": 8000,
        "user_agent": settings.user_agent,
        "proxy": None,
        "trust_env": False,
        "ssl": None,
    }
    assert settings.user_agent.startswith("g2a-async/")
    assert RetryPolicy.none().attempts == 1


def test_the_user_agent_tells_the_version() -> None:
    """The service sees which version it talks to."""
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", g2a_async.__version__)
    assert Settings().user_agent == f"g2a-async/{g2a_async.__version__}"


@pytest.mark.parametrize(("name", "value"), BAD, ids=[f"{name}={value!r}" for name, value in BAD])
def test_a_bad_setting_is_refused_where_it_is_made(name: str, value: Any) -> None:
    """A value that cannot work is a ValueError, of whatever type it is, that names the setting."""
    with pytest.raises(ValueError, match=name):
        Settings(**{name: value})


@pytest.mark.parametrize(("name", "value"), BAD_POLICY, ids=[f"{name}={value!r}" for name, value in BAD_POLICY])
def test_a_bad_policy_is_refused_where_it_is_made(name: str, value: Any) -> None:
    """The same for the policy of repeats."""
    with pytest.raises(ValueError, match=name):
        RetryPolicy(**{name: value})


@given(
    name=st.sampled_from(NAMES),
    value=st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.lists(st.integers()),
)
def test_any_value_is_taken_or_a_value_error(name: str, value: Any) -> None:
    """Whatever is given for a setting: it is taken, or it is a ValueError."""
    try:
        settings = Settings(**{name: value})
    except ValueError:
        return
    assert getattr(settings, name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("base_url", "http://127.0.0.1:8080/"),
        ("base_url", "https://[::1]:8443/G2A/rest/v1"),
        ("auth_scheme", "OAuth"),
        ("deadline", None),
        ("deadline", 1),
        ("attempt_timeout", None),
        ("retry", RetryPolicy.none()),
        ("requests_per_second", None),
        ("requests_per_second", 0.1),
        ("recording_ids_param", "ids[]"),
        ("proxy", "http://ann:s3cr3t@proxy.example:3128"),
        ("ssl", ssl.create_default_context()),
    ],
)
def test_a_good_setting_is_kept(name: str, value: Any) -> None:
    """What can work is taken as it is."""
    assert getattr(Settings(**{name: value}), name) == value


@pytest.mark.parametrize("url", ["https://ann:s3cr3t@api.getgo.com/G2A/rest/v1", "https://ann@api.getgo.com"])
def test_a_base_url_holds_no_password(url: str) -> None:
    """A base URL with a user in it cannot work beside an access token, and would show the password in every repr."""
    with pytest.raises(ValueError, match="base_url") as caught:
        Settings(base_url=url)
    assert "s3cr3t" not in str(caught.value)


def test_settings_are_frozen_and_stay_checked() -> None:
    """A setting cannot be assigned; a changed copy is checked as a new one is."""
    settings = Settings()
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        settings.deadline = 1.0  # type: ignore[misc]  # that is the point
    with pytest.raises(ValueError, match="deadline"):
        attrs.evolve(settings, deadline=-1)
    assert attrs.evolve(settings, deadline=1.0) == Settings(deadline=1.0)


def test_a_proxy_password_is_not_shown() -> None:
    """The repr of settings hides the proxy's address, which may hold a password."""
    assert "s3cr3t" not in repr(Settings(proxy="http://ann:s3cr3t@proxy.example:3128"))


@given(st.text())
def test_any_text_is_an_address_or_a_value_error(value: str) -> None:
    """Whatever is given for an address: it is taken, or it is a ValueError."""
    try:
        address = web_address("callback_url", value)
    except ValueError as error:
        assert "callback_url" in str(error)  # noqa: PT017  either is right
    else:
        assert address.lower().startswith(("http://", "https://"))
