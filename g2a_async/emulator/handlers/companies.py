"""Companies and their machines."""

from collections.abc import Sequence
from typing import Any, TypeVar

from g2a_async.emulator.call import Call
from g2a_async.emulator.rows import Company, Machine
from g2a_async.emulator.wire import Answer, not_found
from g2a_async.endpoints import MAX_PAGE

T = TypeVar("T")


def find(call: Call) -> Answer:
    """`GET /companies`."""
    query = call.query
    wanted = (query.text("q") or "").casefold()
    by_name = query.choice("sortField", "companyId", "companyName") == "companyName"
    down = query.choice("sortOrder", "asc", "desc") == "desc"
    companies = [each for each in call.state.companies.values() if wanted in each.company_name.casefold()]
    companies.sort(key=lambda each: (each.company_name.casefold() if by_name else "", each.company_id), reverse=down)
    page = _page(call, companies)
    return call.listing([_company(call, each) for each in page], len(companies))


def machines(call: Call) -> Answer:
    """`GET /companies/{companyId}/machines`."""
    company = call.names["companyId"]
    found = [each for each in call.state.machines.values() if str(each.company_id) == company]
    page = [_machine(call, each) for each in _page(call, found)]
    if not call.state.shapes.machines_as_map:
        return call.listing(page, len(found))
    by_uuid: Any = {each["machineUuid"]: each for each in page}
    return call.listing(by_uuid, len(found))


def _page(call: Call, rows: Sequence[T]) -> Sequence[T]:
    limit = call.query.integer("limit", 1, MAX_PAGE) or MAX_PAGE
    offset = call.query.integer("offset", 0) or 0
    page = rows[offset : offset + limit]
    if not rows or (not page and call.state.shapes.empty_page_is_404):
        not_found("There are no records")
    return page


def _company(call: Call, company: Company) -> dict[str, Any]:
    return call.record(companyId=call.number(company.company_id), companyName=company.company_name)


def _machine(call: Call, machine: Machine) -> dict[str, Any]:
    return call.record(
        machineUuid=machine.machine_uuid,
        machineName=machine.machine_name,
        dnsName=machine.dns_name,
        ipAddresses=machine.ip_addresses,
        machineStatus=machine.machine_status,
        companyId=str(machine.company_id),
    )
