"""The emulator's companies and machines."""

from typing import Any

import pytest
from emulator_asking import asking

NAMES = ("beta Clinic", "Alpha Farm", "Gamma clinic", "alpha Bakery")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [1, 2, 3, 4]),
        ({"sortOrder": "desc"}, [4, 3, 2, 1]),
        ({"sortField": "companyId", "sortOrder": "asc"}, [1, 2, 3, 4]),
        ({"sortField": "companyName"}, [4, 2, 1, 3]),
        ({"sortField": "companyName", "sortOrder": "desc"}, [3, 1, 2, 4]),
        ({"limit": 3}, [1, 2, 3]),
        ({"limit": 3, "offset": 3}, [4]),
        ({"offset": 9}, []),
        ({"q": "CLINIC"}, [1, 3]),
    ],
)
async def test_companies_are_sorted_found_and_paged(query: dict[str, Any], expected: list[int]) -> None:
    """Each query gives its companies in its order, and the total counts all that match."""
    async with asking() as ask:
        for number, name in enumerate(NAMES, 1):
            ask.emulator.state.add_company(name, company_id=number)
        answer = (await ask("GET", "/companies", **query)).json()

        assert [each["companyId"] for each in answer["companies"]] == expected
        assert answer["totalNumCompanies"] == (2 if "q" in query else 4)


async def test_a_page_has_fifty_companies_unless_asked_otherwise() -> None:
    """Fifty is the default."""
    async with asking() as ask:
        for _ in range(51):
            ask.emulator.state.add_company()

        assert len((await ask("GET", "/companies")).json()["companies"]) == 50


async def test_no_records_is_a_404() -> None:
    """That is how the service says it: no company, none that matches, no machine, no such company."""
    async with asking() as ask:
        replies = [await ask("GET", "/companies")]
        company = ask.emulator.state.add_company("Alpha")
        replies.append(await ask("GET", "/companies", q="x"))
        replies.append(await ask("GET", f"/companies/{company.company_id}/machines"))
        replies.append(await ask("GET", "/companies/none/machines"))

        assert [each.status for each in replies] == [404, 404, 404, 404]
        assert replies[0].json().keys() == {"errorCode", "description", "incident"}


async def test_a_page_past_the_end_can_be_a_404_too() -> None:
    """The documents leave it open, so it is a switch."""
    async with asking() as ask:
        ask.emulator.state.add_company()
        ask.emulator.state.shapes.empty_page_is_404 = True

        assert (await ask("GET", "/companies", offset=1)).status == 404
        assert (await ask("GET", "/companies", offset=0)).status == 200


async def test_machines_are_those_of_the_company() -> None:
    """A machine has the documented attributes, its company's ID as text; other companies' machines are not there."""
    async with asking() as ask:
        state = ask.emulator.state
        company, other = state.add_company(), state.add_company()
        state.add_machine(other)
        state.add_machine(
            company,
            "SRV-1",
            machine_uuid="u-1",
            dns_name="srv-1.example",
            ip_addresses="10.0.0.9",
            machine_status="BLOCKED",
        )
        answer = (await ask("GET", f"/companies/{company.company_id}/machines")).json()

        assert answer == {
            "totalNumMachines": 1,
            "machines": [
                {
                    "machineUuid": "u-1",
                    "machineName": "SRV-1",
                    "dnsName": "srv-1.example",
                    "ipAddresses": "10.0.0.9",
                    "machineStatus": "BLOCKED",
                    "companyId": str(company.company_id),
                }
            ],
        }


async def test_machines_are_paged_and_can_be_a_map() -> None:
    """`limit` and `offset` hold in both shapes."""
    async with asking() as ask:
        state = ask.emulator.state
        company = state.add_company()
        uuids = [state.add_machine(company).machine_uuid for _ in range(3)]
        path = f"/companies/{company.company_id}/machines"
        listed = (await ask("GET", path, limit=2, offset=1)).json()
        state.shapes.machines_as_map = True
        mapped = (await ask("GET", path, limit=1)).json()

        assert [each["machineUuid"] for each in listed["machines"]] == uuids[1:]
        assert list(mapped["machines"]) == uuids[:1]
        assert (listed["totalNumMachines"], mapped["totalNumMachines"]) == (3, 3)


async def test_companies_come_and_go() -> None:
    """A removed company takes its machines with it; a removed machine leaves the others."""
    async with asking() as ask:
        state = ask.emulator.state
        first, second = state.add_company(), state.add_company()
        gone, stays = state.add_machine(second), state.add_machine(second)
        state.add_machine(first)
        state.remove_company(first.company_id)
        state.remove_machine(gone.machine_uuid)

        assert [each["companyId"] for each in (await ask("GET", "/companies")).json()["companies"]] == [
            second.company_id
        ]
        assert list(state.machines) == [stays.machine_uuid]


async def test_the_shapes_can_be_others() -> None:
    """Bare lists, no totals, numbers as text and unknown attributes are all switches."""
    async with asking() as ask:
        state = ask.emulator.state
        state.add_company("Alpha", company_id=7)
        state.shapes.totals = False
        no_total = (await ask("GET", "/companies")).json()
        state.shapes.bare_lists = state.shapes.numbers_as_text = state.shapes.unknown_attributes = True
        bare = (await ask("GET", "/companies")).json()

        assert no_total == {"companies": [{"companyId": 7, "companyName": "Alpha"}]}
        assert bare == [{"companyId": "7", "companyName": "Alpha", "addedLater": {"by": "the vendor"}}]
