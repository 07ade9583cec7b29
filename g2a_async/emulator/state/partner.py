"""The partner system: its links and its tickets."""

from collections.abc import Iterable
from datetime import datetime

from g2a_async.emulator.clock import EmulatorClock
from g2a_async.emulator.rows import SystemLink, Ticket
from g2a_async.emulator.state.base import Base


class Partner(Base):
    """The part of the state that holds links and tickets."""

    def __init__(self, clock: EmulatorClock, seed: int | None = None) -> None:
        super().__init__(clock, seed)
        self.user_tokens: set[str] = {self.secret("user")}
        """Whom the partner system knows, beside the users of the links."""
        self.system_links: list[SystemLink] = []
        self.tickets: dict[str, Ticket] = {}
        """By ID."""

    def add_system_link(
        self,
        *,
        system_name: str = "Ticket Desk",
        system_domain: str = "desk.example",
        user_email: str = "robin.keller@northwind-help.example",
        user_token: str | None = None,
        callback_url: str = "https://desk.example/g2a",
        supported_callbacks: dict[str, bool] | None = None,
    ) -> SystemLink:
        """Register a partner system; what the same user, name and domain had before goes."""
        with self.lock:
            key = system_name, system_domain, user_email
            self.system_links = [
                each for each in self.system_links if (each.system_name, each.system_domain, each.user_email) != key
            ]
            link = SystemLink(
                system_name=system_name,
                system_domain=system_domain,
                user_email=user_email,
                user_token=user_token or self.secret("user"),
                callback_url=callback_url,
                supported_callbacks=supported_callbacks or {},
            )
            self.system_links.append(link)
        return link

    def remove_system_link(self, link: SystemLink) -> None:
        """A link goes."""
        with self.lock:
            self.system_links.remove(link)

    def add_ticket(
        self,
        title: str = "Cannot sign in",
        *,
        id: str | None = None,  # noqa: A002 - the field's name
        body: str = "",
        requester_name: str = "Alex Customer",
        status: str = "open",
        created_at: datetime | None = None,
        session_ids: Iterable[str] = (),
        comments: Iterable[str] = (),
        tags: Iterable[str] = (),
    ) -> Ticket:
        """A ticket of the partner system."""
        with self.lock:
            ticket = Ticket(
                id=id or self._ticket_id(),
                title=title,
                body=body,
                requester_name=requester_name,
                status=status,
                created_at=created_at or self.clock.now().replace(microsecond=0),
                session_ids=list(session_ids),
                comments=list(comments),
                tags=list(tags),
            )
            self.tickets[ticket.id] = ticket
        return ticket

    def remove_ticket(self, ticket_id: str) -> None:
        """A ticket goes."""
        with self.lock:
            del self.tickets[ticket_id]

    def _ticket_id(self) -> str:
        taken = {int(each) for each in self.tickets if each.isdecimal()}
        return str(self._number("ticket", taken, 10_000))
