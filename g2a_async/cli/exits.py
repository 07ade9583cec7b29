"""What a command exits with, and what it says before."""

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, NoReturn, TypeVar

import typer

from g2a_async.errors import (
    ConfigError,
    DeadlineExceededError,
    G2AError,
    RateLimitedError,
    ReauthorizationRequiredError,
    StatusError,
    TransportError,
    UnauthorizedError,
)

F = TypeVar("F", bound=Callable[..., None])

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
CREDENTIALS: Final = 3
TOO_LATE: Final = 4
"""Quota or deadline."""
PARTLY: Final = 5
"""Part of it failed."""
INTERRUPTED: Final = 130

MEANINGS: Final = (
    "Exit codes: 0 done, 1 error, 2 wrong usage, 3 credentials or configuration, 4 quota or deadline, "
    "5 part of it failed, 130 interrupted."
)

_CODES: Final[dict[type[Exception], int]] = {
    ConfigError: CREDENTIALS,
    UnauthorizedError: CREDENTIALS,
    ReauthorizationRequiredError: CREDENTIALS,
    RateLimitedError: TOO_LATE,
    DeadlineExceededError: TOO_LATE,
    TimeoutError: TOO_LATE,
    G2AError: FAILED,
    OSError: FAILED,
    ValueError: USAGE,
}
"""The first that fits. A ValueError is an argument that the SDK refuses before anything is sent."""


def exit_code(error: Exception) -> int:
    """What a command that fails with *error* exits with."""
    return next(code for kind, code in _CODES.items() if isinstance(error, kind))


def complain(message: object) -> None:
    """One line on stderr."""
    typer.echo(f"g2a: {message}", err=True)


def refuse(message: str) -> NoReturn:
    """The command was called wrongly. Nothing was sent."""
    complain(message)
    raise typer.Exit(USAGE)


def guarded(function: F) -> F:
    """*function* as a command: a failure is a line on stderr and an exit code, a reader that has gone is none."""

    @wraps(function)
    def command(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
            sys.stdout.flush()
        except BrokenPipeError:
            _leave_pipe()
            raise typer.Exit(OK) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except tuple(_CODES) as error:
            complain(error)
            _report(error)
            raise typer.Exit(exit_code(error)) from None

    return command  # type: ignore[return-value]  # the same parameters


def _report(error: Exception) -> None:
    """What the vendor's support asks for, where `--verbose` asked for all."""
    import logging  # noqa: PLC0415  5 ms that help need not wait for

    if isinstance(error, StatusError | TransportError) and logging.getLogger("g2a_async").isEnabledFor(logging.DEBUG):
        typer.echo(error.support_report(), err=True)


def _leave_pipe() -> None:
    """Nobody reads on: what is still buffered goes nowhere, and nothing is said at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
