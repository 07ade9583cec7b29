"""Companies and their machines."""

from collections.abc import Callable, Mapping
from functools import partial
from operator import attrgetter
from typing import Final, TypeVar

from g2a_async.codec import read_list
from g2a_async.endpoints import LIST_COMPANIES, LIST_MACHINES, MAX_PAGE, Endpoint
from g2a_async.errors import NotFoundError
from g2a_async.offsets import offset_pager
from g2a_async.paging import Page, Pager
from g2a_async.records import Company, Machine
from g2a_async.services.base import Service

T = TypeVar("T", Company, Machine)

_SORT_FIELDS: Final = ("companyId", "companyName")
_SORT_ORDERS: Final = ("asc", "desc")


class Companies(Service):
    """Companies that the user can reach."""

    def list(
        self,
        q: str | None = None,
        *,
        sort_field: str | None = None,
        sort_order: str | None = None,
        page_size: int = MAX_PAGE,
    ) -> Pager[Company]:
        """Companies whose name contains *q*, or all.

        `GET /companies`, *page_size* (1 to 50) a page. *sort_field*: `companyId` or `companyName`; *sort_order*:
        `asc` or `desc`. Sorted by `companyId` if nothing is said: the service promises no order of its own, and a walk
        needs one that stays. None is an empty walk, not an error. ValueError: a parameter that the service would
        refuse. (Published.)
        """
        _one_of("sort_field", sort_field, _SORT_FIELDS)
        _one_of("sort_order", sort_order, _SORT_ORDERS)
        query = {"q": q, "sortField": sort_field or _SORT_FIELDS[0], "sortOrder": sort_order}
        url = partial(self._transport.url, LIST_COMPANIES)
        return self._pager(LIST_COMPANIES, url, query, Company, "company_id", page_size)

    def machines(self, company_id: int | str, *, page_size: int = MAX_PAGE) -> Pager[Machine]:
        """The unattended machines of a company.

        `GET /companies/{companyId}/machines`, *page_size* (1 to 50) a page. None is an empty walk, not an error.
        (Published by the vendor, and seen in use.)
        """
        if isinstance(company_id, bool) or not str(company_id).isdecimal():
            raise ValueError(f"company_id must be a company's number, not {company_id!r}")
        url = partial(self._transport.url, LIST_MACHINES, companyId=company_id)
        return self._pager(LIST_MACHINES, url, {}, Machine, "machine_uuid", page_size)

    def _pager(
        self, call: Endpoint, url: Callable[..., str], query: Mapping[str, object], kind: type[T], key: str, size: int
    ) -> Pager[T]:
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MAX_PAGE:
            raise ValueError(f"page_size must be a whole number from 1 to {MAX_PAGE}, not {size!r}")

        async def fetch(offset: int, limit: int, bulk: bool) -> Page[T]:  # noqa: FBT001
            address = url(query={**query, "limit": limit, "offset": offset}.items())
            try:
                answer = await self._transport.call(call, address, bulk=bulk)
            except NotFoundError:
                if not call.empty_on_404:
                    raise
                return Page(items=(), offset=offset, total=0)
            items, total = read_list(answer.body, kind, call, by=call.map_key)
            return Page(items=items, offset=offset, total=total)

        return offset_pager(fetch, size, attrgetter(key))


def _one_of(name: str, value: str | None, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")
