"""aioresponses 0.7.9 with aiohttp 3.14.

It builds aiohttp's ClientResponse without the `stream_writer` argument, which aiohttp 3.14 requires: upstream issue
pnuckowski/aioresponses#289. Its `response_class=` is the place for a class that supplies it. A test in
test_services_shapes.py fails when this is no longer needed.
"""

from types import SimpleNamespace
from typing import Any

from aiohttp import ClientResponse
from aioresponses import CallbackResult, aioresponses
from yarl import URL


class Response(ClientResponse):
    """A response of a request that was sent, and took no bytes."""

    def __init__(self, method: str, url: URL, **names: Any) -> None:
        names.setdefault("stream_writer", SimpleNamespace(output_size=0))
        super().__init__(method, url, **names)


class Responses(aioresponses):
    """Its stand-in for the network, with responses that can be built."""

    def add(self, url: Any, *args: Any, **names: Any) -> None:
        """Answer this URL so."""
        names.setdefault("response_class", Response)
        super().add(url, *args, **names)

    @property
    def sent(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Method, address and arguments of each request."""
        return [(method, str(url), call.kwargs) for (method, url), calls in self.requests.items() for call in calls]

    @staticmethod
    def answer(payload: Any) -> CallbackResult:
        """What a callback gives."""
        return CallbackResult(payload=payload, response_class=Response)
