"""What errors tell: how to log in, what the vendor's support asks for, and the headers of an answer."""

from collections.abc import Mapping
from typing import Any, Final

LOGIN_COMMAND: Final = "`g2a login --store file --client-id ID`"
"""What whoever must log in types."""


class Headers(dict[str, str]):
    """Header fields, found by their names in any case. A dict, so that JSON and result backends take it as one."""

    def __missing__(self, name: str) -> str:
        for known, value in self.items():
            if known.lower() == name.lower():
                return value
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in map(str.lower, self)

    def get(self, name: str, default: Any = None) -> Any:
        """The field's value, or *default*."""
        try:
            return self[name]
        except KeyError:
            return default


def describe(sent: Mapping[str, Any], status: str, headers: Mapping[str, str], body: Any) -> str:
    """The form in which the vendor's support wants a failure told."""

    def lines(values: Mapping[str, str]) -> str:
        return "".join(f"\n  {name}: {value}" for name, value in values.items()) or " none"

    return (
        f"Method: {sent.get('method', 'unknown')}\n"
        f"URL: {sent.get('url', 'unknown')}\n"
        f"Headers:{lines(sent.get('headers', {}))}\n"
        f"Body: {sent.get('body') or 'none'}\n"
        f"Status: {status}\n"
        f"Response headers:{lines(headers)}\n"
        f"Response: {body if body is not None else 'none'}\n"
        f"Client ID: {sent.get('client_id') or 'none'}"
    )
