"""Partner systems: their links with the service, and the client side of their tickets."""

from g2a_async import endpoints
from g2a_async.codec import parse, read_list, structure
from g2a_async.exchange import mask_url
from g2a_async.offsets import offset_pager
from g2a_async.paging import Page, Pager
from g2a_async.records import SystemLink, Ticket
from g2a_async.services.base import Service
from g2a_async.transport import Transport


class SystemLinks(Service):
    """Partner systems that are registered with the service."""

    async def register(
        self,
        *,
        system_name: str,
        system_domain: str,
        user_email: str,
        user_token: str,
        callback_url: str,
        create_object: bool = False,
        search_objects: bool = False,
        associate_object: bool = False,
    ) -> None:
        """Register a partner system for a user, with what it can do. Again for the same user, name and domain: replace.

        `POST /systemLinks`, after the user has logged in. *user_token* is the partner's own, and authenticates the
        service's calls for that user. BadRequestError: an invalid callback URL. (Published.)
        """
        wire, call = self._transport, endpoints.REGISTER_SYSTEM_LINK
        body = {
            "systemName": system_name,
            "systemDomain": system_domain,
            "userEmail": user_email,
            "userToken": user_token,
            "callbackURL": callback_url,
            "supportedCallbacks": {
                "createObject": create_object,
                "searchObjects": search_objects,
                "associateObject": associate_object,
            },
        }
        await wire.call(call, wire.url(call), json=body, secrets=(user_token,))

    async def list(self, system_domain: str) -> tuple[SystemLink, ...]:
        """The partner systems that are registered for a domain.

        `GET /systemLinks`. (Published.)
        """
        if not system_domain:
            raise ValueError("system_domain must name a domain")
        wire, call = self._transport, endpoints.LIST_SYSTEM_LINKS
        answer = await wire.call(call, wire.url(call, [("systemDomain", system_domain)]))
        return read_list(answer.body, SystemLink, call)[0]


class Tickets(Service):
    """The tickets of a partner system, as the service itself asks for them. Sends `userToken`, never our token."""

    def __init__(self, transport: Transport, callback_url: str, user_token: str) -> None:
        super().__init__(transport)
        self._callback_url = callback_url
        self._user_token = user_token

    def __repr__(self) -> str:
        return f"Tickets({mask_url(self._callback_url)!r}, '***')"

    def search(self, q: str | None = None, *, page_size: int = 10) -> Pager[Ticket]:
        """Tickets that contain *q*, without case, wherever the partner looks; or all.

        `GET {callbackURL}/`, *page_size* a page, of which the documents suggest at most 10. Ends on an empty page: a
        partner may give short ones, and no total. (Published, but for the answer.)
        """
        if isinstance(page_size, bool) or not isinstance(page_size, int) or page_size < 1:
            raise ValueError(f"page_size must be a whole number, one or more, not {page_size!r}")
        wire, call = self._transport, endpoints.SEARCH_TICKETS

        async def fetch(offset: int, limit: int, bulk: bool) -> Page[Ticket]:  # noqa: FBT001
            query = {"userToken": self._user_token, "q": q, "limit": limit, "offset": offset}
            answer = await wire.call(
                call, wire.url(call, query.items(), self._callback_url), secrets=self._secrets, bulk=bulk
            )
            items, total = read_list(answer.body, Ticket, call)
            return Page(items=items, offset=offset, total=total)

        return offset_pager(fetch, page_size, lambda ticket: ticket.id)

    async def create(self, *, session_id: str, title: str, body: str) -> Ticket | None:
        """A new ticket for a session; None where the partner does not say which.

        `POST {callbackURL}/`. Twice makes two, so it is not repeated when its answer is lost: OutcomeUnknownError.
        (Published, but for the answer.)
        """
        wire, call = self._transport, endpoints.CREATE_TICKET
        json = {"sessionId": session_id, "userToken": self._user_token, "title": title, "body": body}
        answer = await wire.call(call, wire.url(call, base=self._callback_url), json=json, secrets=self._secrets)
        if not answer.body.strip():
            return None
        data = parse(answer.body, call.name)
        wrapped = [value for value in data.values() if isinstance(value, dict)] if isinstance(data, dict) else []
        if len(wrapped) == 1 and "id" not in data:
            data = wrapped[0]
        return None if data is None else structure(data, Ticket, call.name)

    async def associate(self, *, session_id: str, partner_object: str) -> None:
        """Link a ticket to a session. Twice has the effect of once.

        `PUT {callbackURL}/`. (Published.)
        """
        wire, call = self._transport, endpoints.ASSOCIATE_TICKET
        json = {"sessionId": session_id, "userToken": self._user_token, "partnerObject": partner_object}
        await wire.call(call, wire.url(call, base=self._callback_url), json=json, secrets=self._secrets)

    @property
    def _secrets(self) -> tuple[str, ...]:
        return (self._user_token,)
