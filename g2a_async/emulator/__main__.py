"""`python -m g2a_async.emulator`: a service to talk to from any language, until Ctrl-C."""

import argparse
import asyncio
import signal
from collections.abc import Sequence

from g2a_async.emulator.server import Emulator

_SHOWN = (
    "url",
    "token_url",
    "authorize_url",
    "callback_url",
    "files_url",
    "access_token",
    "refresh_token",
    "client_id",
    "client_secret",
    "user_token",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m g2a_async.emulator", description=Emulator.__doc__)
    parser.add_argument("--port", type=int, default=0, help="the API's port; 0, the default, is a free one")
    parser.add_argument("--seed", type=int, default=None, help="furnish a help desk from this number")
    parser.add_argument("--rate", type=float, default=None, help="requests per second, above which it answers 429")
    chosen = parser.parse_args(arguments)
    try:
        emulator = Emulator(seed=chosen.seed, port=chosen.port, requests_per_second=chosen.rate)
    except ValueError as error:
        parser.error(str(error))
    try:
        asyncio.run(serve(emulator))
    except OSError as error:
        parser.exit(1, f"{parser.prog}: {error.strerror or error}\n")


async def serve(emulator: Emulator) -> None:
    """Run *emulator* until Ctrl-C, and tell where it is."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with emulator:
        lines = [f"{name:<14}{getattr(emulator, name)}" for name in _SHOWN]
        lines.append(f"{'account_key':<14}{emulator.state.account_key}")
        print("\n".join(lines), flush=True)  # noqa: T201 - its purpose
        await stop.wait()


if __name__ == "__main__":
    main()
