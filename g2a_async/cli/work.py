"""A command's way to the service: one client, one event loop, and an end that a Ctrl-C also takes."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from g2a_async.client import G2AClient

T = TypeVar("T")


def with_client(work: "Callable[[G2AClient], Coroutine[Any, Any, T]]", client: "G2AClient | None" = None) -> T:
    """What *work* gives with a client, by default that of the G2A_* variables and of the proxy that others name.

    The first Ctrl-C cancels *work*, which closes what it holds; the second ends it there and then.
    """
    import asyncio  # noqa: PLC0415  40 ms that help need not wait for

    from g2a_async.client import G2AClient  # noqa: PLC0415  the SDK

    opened = G2AClient.from_env(trust_env=True) if client is None else client

    async def main() -> T:
        async with opened as g2a:
            return await work(g2a)

    return asyncio.run(main())
