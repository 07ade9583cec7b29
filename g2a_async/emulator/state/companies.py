"""Companies and their machines."""

from uuid import UUID

from g2a_async.emulator.clock import EmulatorClock
from g2a_async.emulator.rows import Company, Machine
from g2a_async.emulator.state.base import Base

_COMPANIES = 1_000_000


class Companies(Base):
    """The part of the state that holds companies."""

    def __init__(self, clock: EmulatorClock, seed: int | None = None) -> None:
        super().__init__(clock, seed)
        self.companies: dict[int, Company] = {}
        """By ID."""
        self.machines: dict[str, Machine] = {}
        """By UUID."""

    def add_company(self, company_name: str | None = None, *, company_id: int | None = None) -> Company:
        """A company."""
        with self.lock:
            number = self._number("company", self.companies, _COMPANIES) if company_id is None else company_id
            company = Company(company_id=number, company_name=company_name or f"Company {number}")
            self.companies[number] = company
        return company

    def remove_company(self, company_id: int) -> None:
        """A company goes, and its machines."""
        with self.lock:
            del self.companies[company_id]
            for machine in [each for each in self.machines.values() if each.company_id == company_id]:
                del self.machines[machine.machine_uuid]

    def add_machine(
        self,
        company: Company | int,
        machine_name: str | None = None,
        *,
        machine_uuid: str | None = None,
        dns_name: str | None = None,
        ip_addresses: str | None = None,
        machine_status: str = "ONLINE",
    ) -> Machine:
        """An unattended machine of *company*."""
        with self.lock:
            count = len(self.machines) + 1
            name = machine_name or f"PC-{count:04d}"
            uuid = machine_uuid or str(UUID(self._digest("machine", 32)))
            machine = Machine(
                machine_uuid=uuid,
                company_id=company.company_id if isinstance(company, Company) else company,
                machine_name=name,
                dns_name=dns_name or f"{name.lower()}.corp.example",
                ip_addresses=ip_addresses or f"10.{count >> 16 & 255}.{count >> 8 & 255}.{count & 255}",
                machine_status=machine_status,
            )
            self.machines[uuid] = machine
        return machine

    def remove_machine(self, machine_uuid: str) -> None:
        """A machine goes."""
        with self.lock:
            del self.machines[machine_uuid]
