"""How a client behaves: two frozen records, checked when they are made."""

import re
from collections.abc import Callable
from ssl import SSLContext
from typing import Any, Self
from urllib.parse import urlsplit

from attrs import Attribute, field, frozen, validators

from g2a_async.records.base import masked
from g2a_async.version import __version__


def web_address(name: str, value: object) -> str:
    """*value* without its last slash. ValueError: it is no http(s) address, or has a query or a fragment."""
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not isinstance(value, str) or not usable or re.search(r"[?#\s\x00-\x1f]", value):
        raise ValueError(f"{name} must be an http or https address without query, fragment or spaces")
    return value.rstrip("/")


def _address(_: Any, attribute: "Attribute[Any]", value: str) -> None:
    if "@" in urlsplit(web_address(attribute.name, value)).netloc:
        raise ValueError(f"{attribute.name} must hold no user name or password: they go with the credentials")


def _address_or_none(_: Any, attribute: "Attribute[Any]", value: Any) -> None:
    if value is not None:
        web_address(attribute.name, value)


def _positive_or_none(_: Any, attribute: "Attribute[Any]", value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError(f"{attribute.name} must be a number above zero, not {value!r}")


def _not_negative(_: Any, attribute: "Attribute[Any]", value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ValueError(f"{attribute.name} must be a number, zero or more, not {value!r}")


def _at_least(least: int) -> Callable[[Any, "Attribute[int]", int], None]:
    def check(_: Any, attribute: "Attribute[int]", value: int) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{attribute.name} must be a whole number, {least} or more, not {value!r}")

    return check


def _kind_of(*kinds: type) -> Callable[[Any, "Attribute[Any]", Any], None]:
    def check(_: Any, attribute: "Attribute[Any]", value: Any) -> None:
        if not isinstance(value, kinds):
            raise ValueError(f"{attribute.name} must be a {kinds[0].__name__}, not a {type(value).__name__}")

    return check


def _header_text(_: Any, attribute: "Attribute[Any]", value: Any) -> None:
    if not isinstance(value, str) or not re.fullmatch(r"[\x20-\x7e]+", value):
        raise ValueError(f"{attribute.name} must be printable ASCII, because it goes into a header")


def _query_name(_: Any, attribute: "Attribute[Any]", value: Any) -> None:
    if not isinstance(value, str) or not re.fullmatch(r"[\w.\-\[\]]+", value, re.ASCII):
        raise ValueError(f"{attribute.name} must be a query parameter's name, not {value!r}")


@frozen(kw_only=True)
class RetryPolicy:
    """What is repeated, and how it waits.

    Repeated: 500, 502, 503, 504, lost connections and attempt time-outs of repeatable calls; 429
    and failures that prove that nothing was sent, of every call. Nothing else. A `Retry-After`
    (seconds or HTTP date, junk ignored) is obeyed; one that does not fit into `max_retry_after`
    or the deadline raises at once.
    """

    attempts: int = field(default=4, validator=_at_least(1))
    """Exchanges in all, the first one included."""
    base: float = field(default=0.5, validator=_not_negative)
    """Seconds: the n-th wait is drawn from zero to `base * 2**n`."""
    cap: float = field(default=20.0, validator=_not_negative)
    """Seconds that no drawn wait exceeds."""
    max_retry_after: float = field(default=60.0, validator=_not_negative)
    """Seconds: the longest `Retry-After` that is waited for."""

    @classmethod
    def none(cls) -> Self:
        """Nothing is repeated."""
        return cls(attempts=1)


@frozen(kw_only=True)
class Settings:
    """How a client behaves. A value that cannot work raises ValueError here."""

    base_url: str = field(default="https://api.getgo.com/G2A/rest/v1", validator=_address)
    """Where the service is; tokens go to its origin and nowhere else."""
    auth_scheme: str = field(default="Bearer", validator=validators.in_(("Bearer", "OAuth")))
    """`Bearer`, or `OAuth` for the older header form."""
    deadline: float | None = field(default=60.0, validator=_positive_or_none)
    """Seconds for one call, all of it: quota, pool, attempts and waits. None: no end."""
    attempt_timeout: float | None = field(default=30.0, validator=_positive_or_none)
    """Seconds for one exchange, its body included."""
    retry: RetryPolicy = field(factory=RetryPolicy, validator=_kind_of(RetryPolicy))
    """What is repeated."""
    requests_per_second: float | None = field(default=9.0, validator=_positive_or_none)
    """The pace. The service counts 10 in any second; evenly spaced, 9 stay below that also when the network
    delays some by up to a tenth of a second. A smaller share, for one of several processes, lets through no more than
    that share of the ten in any second, so it may be a little slower than it says. None: no limit."""
    max_connections: int = field(default=100, validator=_at_least(1))
    """Connections at once, for each event loop."""
    recording_ids_param: str = field(default="recordingIds", validator=_query_name)
    """The query parameter of `recordings.urls`, whose name the documents lost."""
    max_url_bytes: int = field(default=8000, validator=_at_least(200))
    """Bytes of a URL that servers and proxies take: batches of IDs stay within."""
    user_agent: str = field(default=f"g2a-async/{__version__}", validator=_header_text)
    """What the service sees of us."""
    proxy: str | None = field(default=None, validator=_address_or_none, repr=masked)
    """An HTTP proxy's address."""
    trust_env: bool = field(default=False, validator=_kind_of(bool))
    """Take the proxy from `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, read once."""
    ssl: SSLContext | None = field(default=None, validator=_kind_of(SSLContext, type(None)))
    """For a private certificate authority, or a client certificate."""
