"""What shows that something goes on: a bar on stderr, where that is a terminal."""

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from g2a_async.cli.output import Output

if TYPE_CHECKING:
    from rich.progress import Progress

    from g2a_async.paging import Page

T = TypeVar("T")


class Bar:
    """How far something is. Without a terminal it does nothing."""

    def __init__(self, bars: "Progress | None", meaning: str) -> None:
        self._bars = bars
        self._task = bars.add_task(meaning, total=None) if bars is not None else None

    def move(self, by: int = 1, total: int | None = None) -> None:
        """*by* more are done, of *total*, where that is known."""
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, advance=by, total=total)

    def stop(self) -> None:
        """There is something else to see now."""
        if self._bars is not None:
            self._bars.stop()


@contextmanager
def progress(meaning: str, *, counted: bool = True) -> Iterator[Bar]:
    """A bar that goes away in the end; without counts it only turns."""
    if not sys.stderr.isatty():
        yield Bar(None, meaning)
        return
    from rich.console import Console  # noqa: PLC0415  for terminals alone
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn  # noqa: PLC0415

    columns = [SpinnerColumn(), TextColumn("{task.description}")]
    if counted:
        columns += [BarColumn(), MofNCompleteColumn()]
    # Data stays on stdout: rich would send it to the console of the bar.
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as bars:
        yield Bar(bars, meaning)


async def show_all(pages: "AsyncIterator[Page[Any]]", output: Output, meaning: str) -> None:
    """Write the records of a walk, page by page as they come."""
    walk = cast("AsyncGenerator[Page[Any]]", pages)
    with progress(meaning) as bar, output:
        async with aclosing(walk):
            async for page in walk:
                if sys.stdout.isatty():
                    bar.stop()
                await output.put(page.items)
                bar.move(len(page.items), page.total)


async def while_waiting(meaning: str, work: Awaitable[T]) -> T:
    """What *work* gives."""
    with progress(meaning, counted=False):
        return await work
