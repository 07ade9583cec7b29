from g2a_async.auth import Auth as Auth
from g2a_async.auth import StaticToken as StaticToken
from g2a_async.batches import RecordingUrls as RecordingUrls
from g2a_async.client import G2AClient as G2AClient
from g2a_async.clock import Clock as Clock
from g2a_async.clock import SystemClock as SystemClock
from g2a_async.errors import (
    BadRequestError as BadRequestError,
)
from g2a_async.errors import (
    ClientClosedError as ClientClosedError,
)
from g2a_async.errors import (
    ConfigError as ConfigError,
)
from g2a_async.errors import (
    ConnectError as ConnectError,
)
from g2a_async.errors import (
    DeadlineExceededError as DeadlineExceededError,
)
from g2a_async.errors import (
    DecodeError as DecodeError,
)
from g2a_async.errors import (
    ForbiddenError as ForbiddenError,
)
from g2a_async.errors import (
    G2AError as G2AError,
)
from g2a_async.errors import (
    MethodNotAllowedError as MethodNotAllowedError,
)
from g2a_async.errors import (
    NotFoundError as NotFoundError,
)
from g2a_async.errors import (
    OutcomeUnknownError as OutcomeUnknownError,
)
from g2a_async.errors import (
    PagingStalledError as PagingStalledError,
)
from g2a_async.errors import (
    RateLimitedError as RateLimitedError,
)
from g2a_async.errors import (
    ReauthorizationRequiredError as ReauthorizationRequiredError,
)
from g2a_async.errors import (
    ServerError as ServerError,
)
from g2a_async.errors import (
    StatusError as StatusError,
)
from g2a_async.errors import (
    TransportError as TransportError,
)
from g2a_async.errors import (
    UnauthorizedError as UnauthorizedError,
)
from g2a_async.errors import (
    WrongLoopError as WrongLoopError,
)
from g2a_async.events import ExchangeEvent as ExchangeEvent
from g2a_async.events import Hooks as Hooks
from g2a_async.events import RefreshEvent as RefreshEvent
from g2a_async.events import RetryEvent as RetryEvent
from g2a_async.events import Telemetry as Telemetry
from g2a_async.events import ThrottleEvent as ThrottleEvent
from g2a_async.file_store import FileTokenStore as FileTokenStore
from g2a_async.keyring_store import KeyringTokenStore as KeyringTokenStore
from g2a_async.oauth import OAuth2 as OAuth2
from g2a_async.oauth import pkce as pkce
from g2a_async.outcomes import Outcome as Outcome
from g2a_async.paging import Page as Page
from g2a_async.paging import Pager as Pager
from g2a_async.quota import Quota as Quota
from g2a_async.quota import RateLimiter as RateLimiter
from g2a_async.records import (
    AvailableRecordings as AvailableRecordings,
)
from g2a_async.records import (
    Company as Company,
)
from g2a_async.records import (
    Machine as Machine,
)
from g2a_async.records import (
    MachineStatus as MachineStatus,
)
from g2a_async.records import (
    RecordingFiles as RecordingFiles,
)
from g2a_async.records import (
    Session as Session,
)
from g2a_async.records import (
    SessionChange as SessionChange,
)
from g2a_async.records import (
    SessionKind as SessionKind,
)
from g2a_async.records import (
    SessionStatus as SessionStatus,
)
from g2a_async.records import (
    StartedSession as StartedSession,
)
from g2a_async.records import (
    SupportedCallbacks as SupportedCallbacks,
)
from g2a_async.records import (
    SystemLink as SystemLink,
)
from g2a_async.records import (
    Ticket as Ticket,
)
from g2a_async.records import (
    Transcript as Transcript,
)
from g2a_async.records import (
    TranscriptEvent as TranscriptEvent,
)
from g2a_async.services import (
    Companies as Companies,
)
from g2a_async.services import (
    Recordings as Recordings,
)
from g2a_async.services import (
    Sessions as Sessions,
)
from g2a_async.services import (
    SystemLinks as SystemLinks,
)
from g2a_async.services import (
    Tickets as Tickets,
)
from g2a_async.settings import RetryPolicy as RetryPolicy
from g2a_async.settings import Settings as Settings
from g2a_async.tokens import MemoryTokenStore as MemoryTokenStore
from g2a_async.tokens import Token as Token
from g2a_async.tokens import TokenStore as TokenStore

__version__: str
