"""Ctrl-C twice: the first asks for a good end, the second ends at once."""

import asyncio
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Final, Self

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """What Ctrl-C and SIGTERM do in the `with` of a task: *stop* at the first, at the second cancel the task.

    Of that cancellation nothing is heard after the `with`. What is ignored, as by `nohup`, stays ignored.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self.came = False
        """Whether there was one."""
        self._stop = stop
        self._is_cancelled = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._restore()
        if self._is_cancelled and self._task is not None:
            self._task.uncancel()
        return self._is_cancelled and isinstance(error, asyncio.CancelledError)

    def _hear(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  signals call it so
        self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if not self.came:
            self.came = True
            self._stop()
        elif self._task is not None and not self._is_cancelled:
            self._is_cancelled = True
            self._restore()  # who cannot wait for the cancellation either can end the process
            self._task.cancel()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
