"""Lines for people, and bars while they wait."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn


class Report:
    """A line for each step when it is done; a bar on the terminal while it is not."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.whole = True
        """Whether every step went as it should."""
        # On the same console as the lines, or they would break each other; what is piped is plain lines.
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    @contextmanager
    def step(self, meaning: str, total: int | None = None) -> Iterator[tuple[Callable[..., None], Callable[..., None]]]:
        """While something is done: a function that moves the bar, and one that says how it went."""
        began = time.monotonic()
        task = self._bars.add_task(meaning, total=total)

        def move(by: int = 1, total: int | None = None) -> None:
            self._bars.update(task, advance=by, total=total)

        def say(line: str, *, whole: bool = True) -> None:
            self._bars.remove_task(task)
            mark = "[green]ok[/]  " if whole else "[red]FAIL[/]"
            self.console.print(f"{mark} {line} [dim]({time.monotonic() - began:.1f} s)[/]")
            self.whole = self.whole and whole

        yield move, say
