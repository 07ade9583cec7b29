"""The whole GoToAssist Remote Support API over real HTTP on this machine, for tests.

It shares nothing with the client but the table of calls, so that one mistake cannot hide in both.
"""

from g2a_async.emulator.clock import EmulatorClock
from g2a_async.emulator.faults import Fault, Faults
from g2a_async.emulator.journal import Entry, Journal
from g2a_async.emulator.rate import RateLimit
from g2a_async.emulator.rows import Downloads, Lifecycle, Line, Shapes
from g2a_async.emulator.server import Emulator
from g2a_async.emulator.state import State

__all__ = [
    "Downloads",
    "Emulator",
    "EmulatorClock",
    "Entry",
    "Fault",
    "Faults",
    "Journal",
    "Lifecycle",
    "Line",
    "RateLimit",
    "Shapes",
    "State",
]
