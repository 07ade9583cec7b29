"""Sessions, and how they go on."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from g2a_async.emulator.clock import EmulatorClock
from g2a_async.emulator.rows import Line, Machine, Session
from g2a_async.emulator.state.base import Base

_EXPERT = "Robin Keller"
_SESSIONS = 1_000_000_000


class Sessions(Base):
    """The part of the state that holds sessions."""

    def __init__(self, clock: EmulatorClock, seed: int | None = None) -> None:
        super().__init__(clock, seed)
        self.sessions: dict[str, Session] = {}
        """By session token."""
        self._by_id: dict[str, Session] = {}

    def add_session(
        self,
        *,
        session_id: str | int | None = None,
        status: str = "complete",
        started_at: datetime | None = None,
        customer_joined_at: datetime | None = None,
        ended_at: datetime | None = None,
        account_key: int | None = None,
        expert_name: str = _EXPERT,
        expert_email: str | None = None,
        expert_user_key: str | None = None,
        customer_name: str | None = None,
        customer_email: str | None = None,
        partner_object: str | None = None,
        partner_object_url: str | None = None,
        machine: Machine | None = None,
        notes: str | None = None,
        collaborators: Iterable[str] = (),
        transcript: Iterable[Line | tuple[str, str]] = (),
    ) -> Session:
        """A session in *status*, whose times are the likely ones unless given: it started ten minutes ago.

        *transcript* holds lines, or names and texts.
        """
        with self.lock:
            now = self.clock.now().replace(microsecond=0)
            start = started_at or now - timedelta(minutes=10)
            joined = start + timedelta(seconds=40) if status in {"active", "complete"} else None
            ended = start + timedelta(minutes=9) if status in {"complete", "abandoned"} else None
            session = self._session(
                status=status,
                begun_at=start,
                account_key=account_key,
                expert_user_key=expert_user_key,
                expert_name=expert_name,
                expert_email=expert_email,
            )
            self._identify(session, None if session_id is None else str(session_id))
            session.started_at = None if status == "notStarted" else start
            session.customer_joined_at = customer_joined_at or joined
            session.ended_at = ended_at or ended
            session.customer_name = customer_name
            session.customer_email = customer_email
            session.partner_object = partner_object
            session.partner_object_url = partner_object_url
            session.notes = notes
            session.collaborators = list(collaborators)
            session.transcript = [_line(each, start) for each in transcript]
            if machine is not None:
                session.machine_uuid, session.machine_name = machine.machine_uuid, machine.machine_name
        return session

    def begin_session(self, *, machine: Machine | None = None) -> Session:
        """What `POST /sessions` and `GET /session` do: a session that goes on by `lifecycle`."""
        with self.lock:
            session = self._session(status="notStarted", begun_at=self.clock.now())
            if machine is not None:
                session.machine_uuid, session.machine_name = machine.machine_uuid, machine.machine_name
            if self.autostart:
                self.launch(session)
        return session

    def launch(self, session: Session) -> None:
        """Someone opens the launch URL: the session starts on an endpoint and gets its ID."""
        with self.lock:
            session.begun_at = self.clock.now()
            self._identify(session)
            session.lifecycle = self.lifecycle
            self.settle(session)

    def settle(self, session: Session) -> None:
        """Let the session's lifecycle catch up with the clock."""
        if session.lifecycle is None:
            return
        elapsed = (self.clock.now() - session.begun_at).total_seconds()
        for status, seconds in session.lifecycle.steps():
            if elapsed >= seconds:
                self._enter(session, status, session.begun_at + timedelta(seconds=seconds))

    def set_status(self, session: Session, status: str) -> None:
        """Put the session into *status* now, and stop its lifecycle."""
        with self.lock:
            session.lifecycle = None
            self._identify(session)
            self._enter(session, status, self.clock.now())

    def find_session(self, key: str) -> Session | None:
        """By session ID or token, settled; None too once it is past `retention`."""
        found = self.sessions.get(key) or self._by_id.get(key)
        return found if found is not None and self.visible(found) else None

    def visible(self, session: Session) -> bool:
        """Whether the service knows the session: it was started, and not too long ago."""
        self.settle(session)
        if session.session_id is None:
            return False
        if self.retention is None or session.ended_at is None:
            return True
        return session.ended_at >= self.clock.now() - self.retention

    def remove_session(self, session: Session) -> None:
        """A session goes."""
        with self.lock:
            del self.sessions[session.session_token]
            self._by_id.pop(session.session_id or "", None)

    def _session(
        self,
        *,
        status: str,
        begun_at: datetime,
        account_key: int | None = None,
        expert_user_key: str | None = None,
        expert_name: str = _EXPERT,
        expert_email: str | None = None,
    ) -> Session:
        key = account_key or self.account_key
        user_key = expert_user_key or self.user_key
        self._know(key, user_key)
        session = Session(
            session_token=str(int(self._digest("session", 14), 16)),
            session_id=None,
            status=status,
            begun_at=begun_at,
            account_key=key,
            expert_name=expert_name,
            expert_email=expert_email or f"{expert_name.lower().replace(' ', '.')}@northwind-help.example",
            expert_user_key=user_key,
        )
        self.sessions[session.session_token] = session
        return session

    def _identify(self, session: Session, session_id: str | None = None) -> None:
        if session.session_id is None:
            name = session_id or str(_SESSIONS + self._count("session ID"))
            if name in self._by_id:
                message = f"there is a session {name} already"
                raise ValueError(message)
            session.session_id = name
            self._by_id[name] = session

    @staticmethod
    def _enter(session: Session, status: str, moment: datetime) -> None:
        session.status = status
        if status != "notStarted":
            session.started_at = session.started_at or moment
        if status == "active":
            session.customer_joined_at = session.customer_joined_at or moment
        if status in {"complete", "abandoned"}:
            session.ended_at = session.ended_at or moment
            session.lifecycle = None


def _line(line: Line | tuple[str, str], start: datetime) -> Line:
    return line if isinstance(line, Line) else Line(time=start, name=line[0], text=line[1])
