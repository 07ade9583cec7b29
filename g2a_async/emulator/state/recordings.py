"""Recordings."""

from datetime import datetime, timedelta

from g2a_async.emulator.clock import EmulatorClock
from g2a_async.emulator.rows import Recording, Session
from g2a_async.emulator.state.base import Base

_RECORDINGS = 9_000_000_000_000_000_000  # 19 digits, which a double cannot hold


class Recordings(Base):
    """The part of the state that holds recordings."""

    def __init__(self, clock: EmulatorClock, seed: int | None = None) -> None:
        super().__init__(clock, seed)
        self.recordings: dict[int, Recording] = {}
        """By ID."""

    def add_recording(
        self,
        *,
        recording_id: int | None = None,
        started_at: datetime | None = None,
        ready: bool = True,
        archived: bool = False,
        account_key: int | None = None,
        user_key: str | None = None,
        company_id: int | None = None,
        session: Session | None = None,
        padding: int | None = None,
    ) -> Recording:
        """A recording, by default ready and an hour old; with *company_id*, of an unattended session.

        Of *session* it takes times, account, expert and chat. *padding* makes the MP4 so many bytes larger.
        """
        with self.lock:
            number = self._number("recording", self.recordings, _RECORDINGS) if recording_id is None else recording_id
            start = started_at or (session.started_at if session else None)
            start = start or (self.clock.now() - timedelta(hours=1)).replace(microsecond=0)
            recording = Recording(
                recording_id=number,
                started_at=start,
                account_key=account_key or (session.account_key if session else self.account_key),
                user_key=user_key or (session.expert_user_key if session else self.user_key),
                company_id=company_id,
                ready_at=start if ready else None,
                archived=archived,
                padding=600 + number * 2_654_435_761 % 4001 if padding is None else padding,
                events=session.transcript if session else [],
            )
            self._know(recording.account_key, recording.user_key)
            self.recordings[number] = recording
            if session is not None:
                session.recording_id = number
        return recording

    def remove_recording(self, recording_id: int) -> None:
        """A recording goes; its URLs answer 404."""
        with self.lock:
            del self.recordings[recording_id]

    def is_ready(self, recording: Recording) -> bool:
        """Whether it can be downloaded now."""
        return recording.ready_at is not None and recording.ready_at <= self.clock.now()
