from g2a_async.services.companies import Companies as Companies
from g2a_async.services.partner import SystemLinks as SystemLinks
from g2a_async.services.partner import Tickets as Tickets
from g2a_async.services.recordings import Recordings as Recordings
from g2a_async.services.sessions import Sessions as Sessions
