"""Fixtures for tests of code that uses the SDK. Loading this costs nothing: the rest is imported when it is needed."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from g2a_async import G2AClient
    from g2a_async.emulator import Emulator


@pytest.fixture
def g2a_emulator() -> "Iterator[Emulator]":
    """A private GoToAssist with an empty account, on a port and in a thread of its own."""
    from g2a_async.emulator import Emulator  # noqa: PLC0415 - see the module

    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def g2a_client(g2a_emulator: "Emulator") -> "Iterator[G2AClient]":
    """A client of `g2a_emulator`, without a rate limit. It works in any loop, and closes by itself."""
    from g2a_async import G2AClient, Settings  # noqa: PLC0415 - see the module

    settings = Settings(base_url=g2a_emulator.url, requests_per_second=None)
    client = G2AClient(g2a_emulator.access_token, settings=settings)
    yield client
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(client.aclose())
