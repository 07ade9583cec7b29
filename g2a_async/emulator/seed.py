"""A help desk to look at: two accounts, and what happened in them over thirty days."""

from datetime import datetime, timedelta
from random import Random
from typing import Final

from attrs import frozen

from g2a_async.emulator.rows import Line, Machine, Session
from g2a_async.emulator.state import State

_COMPANIES: Final = 120
_SESSIONS: Final = 2_000
_RUNNING: Final = ("waiting",) * 3 + ("active",) * 5
_RECORDINGS: Final = 1_300
_TICKETS: Final = 180
_DAYS: Final = 30
_LARGEST_ID: Final = 9_999_982_253_621_659_654  # seen in the wild: more than a signed 64 bit holds


def _words(text: str) -> list[str]:
    return text.split()


_FIRST: Final = _words(
    "Aisha Anton Beatriz Bruno Chloé Daniel Elif Emeka Fiona Grace Hiro Ines Jakub Jonas Keiko Lena Liam Mateo Mei "
    "Nadia Noah Oksana Omar Priya Ravi Rosa Sam Sofia Søren Tariq Vera Wei Yara Zoë"
)
_LAST: Final = _words(
    "Abadi Becker Carvalho Dubois Eriksen Fischer García Hassan Ivanova Jensen Kowalski Lindgren Müller Nakamura "
    "O'Brien Okafor Patel Quinn Rossi Santos Tanaka Umarov Vasquez Weber Xu Yildiz Zhang"
)
_PLACES: Final = _words(
    "Alder Bayview Cedar Delta Eastgate Fjord Granite Harbor Ironwood Juniper Kestrel Lakeside Meridian Northfield "
    "Oakridge Pinewood Quarry Riverside Summit Tideline Upland Vista Westbrook Zenith"
)
_TRADES: Final = ("Dental", "Logistics", "Bakery", "Law Group", "Farms", "Motors", "Clinics", "Schools", "Print & Sign")
_FORMS: Final = ("Ltd", "GmbH", "Inc.", "S.A.", "& Sons")
_ROLES: Final = ("FRONTDESK", "SRV", "LAPTOP", "POS", "LAB", "CAD")
_TROUBLES: Final = (
    "Printer offline after update",
    "Cannot sign in to VPN",
    "Outlook asks for password again and again",
    "Monitor flickers at the front desk",
    "Backup did not run",
    "Slow start since Monday",
    "New laptop set-up",
    "Scanner sends empty pages",
)
_CHAT: Final = (
    "Hello, how can I help?",
    "It stopped working this morning.",
    "May I take control of your screen?",
    "Yes, please.",
    "I have restarted the service. Please try again.",
    "It works now, thank you!",
)


@frozen
class _Expert:
    name: str
    email: str
    user_key: str
    account_key: int


def furnish(state: State) -> None:
    """Fill *state*, from its own random numbers and its clock's start."""
    random = state.random
    second = state.add_account("Harbor IT Services")
    experts = [_expert(state, number, state.account_key if number < 9 else second) for number in range(14)]  # noqa: PLR2004 - nine of fourteen
    _companies(state, random)
    _tickets(state, random)
    sessions = _sessions(state, random, experts)
    _recordings(state, random, [each for each in sessions if each.status == "complete"])
    for expert in experts[:2]:
        state.add_system_link(user_email=expert.email)


def _person(random: Random) -> tuple[str, str]:
    first, last = random.choice(_FIRST), random.choice(_LAST)
    return f"{first} {last}", f"{first}.{last}".lower().replace("'", "")


def _expert(state: State, number: int, account_key: int) -> _Expert:
    name, mailbox = _person(state.random)
    user_key = str(int(state.user_key) + number * 7_919)
    return _Expert(name, f"{mailbox}@northwind-help.example", user_key, account_key)


def _companies(state: State, random: Random) -> None:
    names = [f"{place} {trade}" for place in _PLACES for trade in _TRADES]
    for count, name in enumerate(random.sample(names, _COMPANIES)):
        company = state.add_company(f"{name} {random.choice(_FORMS)}", company_id=2_400_000 + 37 * count)
        # One has several pages of machines, and some have none.
        machines = 130 if count == 0 else random.randrange(-1, 13)
        prefix = name.split()[0][:5].upper()
        for number in range(machines):
            status = random.choices(("ONLINE", "OFFLINE", "BLOCKED", "REMOVED"), (70, 25, 3, 2))[0]
            machine_name = f"{prefix}-{random.choice(_ROLES)}-{number + 1:02d}"
            state.add_machine(company, machine_name, machine_status=status)


def _tickets(state: State, random: Random) -> None:
    for _ in range(_TICKETS):
        state.add_ticket(
            random.choice(_TROUBLES),
            body="Since this morning. Please call back.",
            requester_name=_person(random)[0],
            status=random.choice(("open", "open", "pending", "closed")),
            created_at=_moment(state, random),
            tags=random.sample(("hardware", "network", "mail", "urgent"), 2),
            comments=["Called, no answer."] if random.random() < 0.2 else (),  # noqa: PLR2004 - a fifth
        )


def _moment(state: State, random: Random) -> datetime:
    """A second of the last thirty days, the last hour excepted, that is likely to be within working hours."""
    newest = state.clock.start - timedelta(hours=1)
    while True:
        moment = newest - timedelta(seconds=random.randrange(_DAYS * 86_400 - 7_200))
        working = 7 <= moment.hour < 18 and moment.weekday() < 5  # noqa: PLR2004 - hours and days
        if working or random.random() < 0.06:  # noqa: PLR2004 - now and then
            return moment


def _sessions(state: State, random: Random, experts: list[_Expert]) -> list[Session]:
    ended = random.choices(("complete", "abandoned", "notStarted"), (88, 9, 3), k=_SESSIONS - len(_RUNNING))
    times = sorted(_moment(state, random) for _ in ended)
    running = [state.clock.start - timedelta(seconds=random.randrange(60, 1_500)) for _ in _RUNNING]
    machines = [each for each in state.machines.values() if each.machine_status != "REMOVED"]
    tickets = list(state.tickets)
    sessions = []
    number = 3_104_118_200
    for status, moment in zip((*ended, *_RUNNING), (*times, *sorted(running)), strict=True):
        number += random.randrange(1, 400)
        machine = random.choice(machines) if status != "abandoned" and random.random() < 0.3 else None  # noqa: PLR2004 - a third
        ticket = random.choice(tickets) if random.random() < 0.6 else None  # noqa: PLR2004 - most
        sessions.append(_session(state, random, number, status, moment, random.choice(experts), machine, ticket))
    return sessions


def _session(
    state: State,
    random: Random,
    number: int,
    status: str,
    moment: datetime,
    expert: _Expert,
    machine: Machine | None,
    ticket: str | None,
) -> Session:
    joined = moment + timedelta(seconds=random.randrange(15, 240))
    ended = joined + timedelta(seconds=int(random.lognormvariate(6.4, 0.8)) % 2_700 + 60)
    customer, mailbox = (None, None) if machine else _person(random)
    chat = status == "complete" and machine is None and random.random() < 0.3  # noqa: PLR2004 - a third
    speakers = expert.name, customer or "Customer"
    session = state.add_session(
        session_id=number,
        status=status,
        started_at=moment,
        account_key=expert.account_key,
        expert_name=expert.name,
        expert_email=expert.email,
        expert_user_key=expert.user_key,
        customer_name=customer,
        customer_email=f"{mailbox}@customer.example" if mailbox else None,
        partner_object=ticket,
        partner_object_url=f"https://desk.example/tickets/{ticket}" if ticket else None,
        machine=machine,
        notes=random.choice(_TROUBLES) if random.random() < 0.4 else None,  # noqa: PLR2004 - some
        collaborators=[_person(random)[0]] if random.random() < 0.05 else (),  # noqa: PLR2004 - few
        transcript=[
            Line(time=joined + timedelta(seconds=20 * count), name=speakers[count % 2], text=text)
            for count, text in enumerate(_CHAT if chat else ())
        ],
    )
    session.customer_joined_at = joined if status in {"active", "complete"} else None
    session.ended_at = ended if status in {"complete", "abandoned"} else None
    return session


def _recordings(state: State, random: Random, sessions: list[Session]) -> None:
    chosen = sorted(random.sample(range(len(sessions)), _RECORDINGS))
    numbers = {_LARGEST_ID}
    while len(numbers) < _RECORDINGS:
        numbers.add(random.randrange(10**18, _LARGEST_ID))
    aged = state.clock.start - timedelta(days=20)
    for index, number in zip(chosen, random.sample(sorted(numbers), _RECORDINGS), strict=True):
        session = sessions[index]
        machine = state.machines.get(session.machine_uuid or "")
        started = session.customer_joined_at or session.begun_at
        state.add_recording(
            recording_id=number,
            session=session,
            started_at=started,
            company_id=machine.company_id if machine else None,
            ready=random.random() < 0.85,  # noqa: PLR2004 - most
            archived=started < aged and random.random() < 0.5,  # noqa: PLR2004 - half
        )
