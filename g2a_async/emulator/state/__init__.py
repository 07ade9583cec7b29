"""What the account holds. Tests add to it, remove from it and change its rows while the emulator runs."""

from g2a_async.emulator.state.companies import Companies
from g2a_async.emulator.state.partner import Partner
from g2a_async.emulator.state.recordings import Recordings
from g2a_async.emulator.state.sessions import Sessions


class State(Companies, Sessions, Recordings, Partner):
    """Accounts, companies, machines, sessions, recordings, links and tickets.

    Everything is the same in each run with the same *seed*. A whole answer is made under `lock`, so a test
    that changes several rows at once may hold it too.
    """
