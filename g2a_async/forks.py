"""What a forked child must forget: its parent's locks, sockets and tasks are not its own."""

import os
import weakref
from collections.abc import Callable
from typing import Final, Protocol


class Forgetful(Protocol):
    """Has something of the process that made it."""

    def forget_parent(self) -> None:
        """In a forked child: begin anew."""
        ...


_LIVING: Final["weakref.WeakSet[Forgetful]"] = weakref.WeakSet()
_KEPT: Final[list[object]] = []


def forgets(one: Forgetful) -> None:
    """*one* is told in a forked child, as long as it lives."""
    _LIVING.add(one)


def keep(*parents: object) -> None:
    """In a forked child: the parent's things are not used, and never end here either."""
    _KEPT.extend(parents)


def in_children(forget: Callable[[], None]) -> None:
    """*forget* is called in every forked child."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forget)


def _forget() -> None:
    for one in _LIVING:
        one.forget_parent()


in_children(_forget)
