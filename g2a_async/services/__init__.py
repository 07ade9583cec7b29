"""What users call: each method builds a call, sends it, and structures the answer."""

from g2a_async.services.companies import Companies
from g2a_async.services.partner import SystemLinks, Tickets
from g2a_async.services.recordings import Recordings
from g2a_async.services.sessions import Sessions

__all__ = ["Companies", "Recordings", "Sessions", "SystemLinks", "Tickets"]
