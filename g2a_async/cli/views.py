"""How records are shown: as dictionaries, as rows of csv, and as the columns of a table."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import attrs
from attrs import field, frozen

from g2a_async.cli import columns
from g2a_async.records import Session, SessionChange
from g2a_async.records.base import masked, wire_name

HIDDEN: Final = "***"


@frozen
class Column:
    """A column of a table."""

    title: str
    of: Callable[[Any], object]
    """The value in a record; times are shown as local ones."""
    whole: bool = field(default=False, kw_only=True)
    """An ID, or short: it is never folded."""
    wide: bool = field(default=False, kw_only=True)
    """Shown only where there is room for it."""
    least: int = field(default=0, kw_only=True)
    """Characters to keep free where later rows may need more than the first ones."""
    fill: bool = field(default=False, kw_only=True)
    """Takes what is left of a terminal's width."""


@frozen(kw_only=True)
class View:
    """How records of one kind are shown."""

    noun: str
    """What they are called together, where it is told that there are none."""
    table: Sequence[Column]
    csv: Sequence[str]
    """Names of columns, which are keys of a row."""
    secrets: bool = False
    """They are there to be shown."""
    row: Callable[[dict[str, Any]], dict[str, Any]] = dict
    """A flat row for csv, of what JSON has."""


def as_dict(record: Any, *, secrets: bool) -> dict[str, Any]:
    """What JSON has: `record.to_dict()`, with *** for what is secret unless *secrets*."""
    if isinstance(record, Mapping):
        return dict(record)
    if isinstance(record, SessionChange):
        before = record.previous
        return {
            "session": as_dict(record.session, secrets=secrets),
            "previous": None if before is None else as_dict(before, secrets=secrets),
        }
    row: dict[str, Any] = record.to_dict()
    if not secrets:
        row |= {name: HIDDEN for name in _secret_names(type(record)) if name in row}
    return row


def _secret_names(kind: type[Any]) -> list[str]:
    return [name for each in attrs.fields(kind) if each.repr is masked and (name := wire_name(each))]


def details(record: Any, *, secrets: bool) -> list[tuple[str, object]]:
    """Names and values of one record, for people; what is absent is left out."""
    if isinstance(record, Mapping):
        return list(record.items())
    row = as_dict(record, secrets=secrets)
    times = {
        wire_name(each): value
        for each in attrs.fields(type(record))
        if isinstance(value := getattr(record, each.name), datetime)
    }
    return [(name, times.get(name, value)) for name, value in row.items()]


def _change(row: dict[str, Any]) -> dict[str, Any]:
    before = row["previous"]
    return {"previousStatus": before["status"] if before else None, **row["session"]}


def _other_side(session: Session) -> str | None:
    return session.customer_name or session.unattended_machine_name or session.customer_email


def _lasted(session: Session) -> str:
    if session.started_at is None or session.ended_at is None:
        return ""
    minutes = round((session.ended_at - session.started_at).total_seconds() / 60)
    return f"{minutes // 60}h{minutes % 60:02d}m" if minutes >= 60 else f"{minutes}m"  # noqa: PLR2004  an hour


def _can(link: Any) -> str:
    can = link.supported_callbacks
    if can is None:
        return ""
    names = {"create": can.create_object, "search": can.search_objects, "associate": can.associate_object}
    return ", ".join(name for name, yes in names.items() if yes) or "nothing"


def _size(row: Mapping[str, Any]) -> str:
    """Of a file or of many; of one that is not here yet, as the service told it."""
    from rich.filesize import decimal  # noqa: PLC0415  for tables alone

    size = row["bytes"] or row.get("total")
    return f"{decimal(size):>9}" if size else ""


def _place(row: Mapping[str, Any]) -> str:
    """Where a file is or belongs, and below that what is wrong."""
    words = f"recording {row['recordingId']} {row.get('part') or ''}" if "recordingId" in row else "the selection"
    return "\n".join(filter(None, (row.get("path") or words, row.get("error") or row.get("reason"))))


SESSIONS: Final = View(
    noun="sessions",
    csv=columns.SESSION,
    table=(
        Column("session ID", lambda one: one.session_id, whole=True),
        Column("status", lambda one: one.status, whole=True, least=10),
        Column("started", lambda one: one.started_at, whole=True, least=16),
        Column("lasted", _lasted, whole=True),
        Column("expert", lambda one: one.expert_name),
        Column("customer", _other_side),
        Column("partner object", lambda one: one.partner_object, whole=True, wide=True),
        Column("account", lambda one: one.account_key, whole=True, wide=True),
        Column("notes", lambda one: one.notes, wide=True),
    ),
)
CHANGES: Final = View(
    noun="changes",
    csv=columns.CHANGE,
    row=_change,
    table=(
        Column("seen", lambda _: f"{datetime.now().astimezone():%H:%M:%S}", whole=True),
        Column("session ID", lambda one: one.session.session_id, whole=True, least=12),
        Column("was", lambda one: one.previous.status if one.previous else "new", whole=True, least=10),
        Column("is", lambda one: one.session.status, whole=True, least=10),
        Column("expert", lambda one: one.session.expert_name, least=15),
        Column("customer", lambda one: _other_side(one.session), fill=True),
    ),
)
STARTED: Final = View(noun="sessions", csv=columns.STARTED, table=(), secrets=True)
COMPANIES: Final = View(
    noun="companies",
    csv=columns.COMPANY,
    table=(
        Column("company ID", lambda one: one.company_id, whole=True, least=10),
        Column("name", lambda one: one.company_name, fill=True),
    ),
)
MACHINES: Final = View(
    noun="machines",
    csv=columns.MACHINE,
    table=(
        Column("machine ID", lambda one: one.machine_uuid, whole=True),
        Column("status", lambda one: one.machine_status, whole=True, least=7),
        Column("name", lambda one: one.machine_name),
        Column("DNS name", lambda one: one.dns_name, wide=True, least=12),
        Column("addresses", lambda one: one.ip_addresses, wide=True, least=12),
    ),
)
AVAILABLE: Final = View(
    noun="recordings",
    csv=columns.AVAILABLE,
    table=(
        Column("recording ID", lambda one: one["recordingId"], whole=True, least=19),
        Column("state", lambda one: one["state"], whole=True, least=17),
    ),
)
FILES: Final = View(noun="recordings", csv=columns.FILES, table=(), secrets=True)
LINKS: Final = View(
    noun="links",
    csv=columns.LINK,
    table=(
        Column("system", lambda one: one.system_name),
        Column("domain", lambda one: one.system_domain),
        Column("user", lambda one: one.user_email),
        Column("callback URL", lambda one: one.callback_url),
        Column("can", _can),
    ),
)
TICKETS: Final = View(
    noun="tickets",
    csv=columns.TICKET,
    table=(
        Column("ticket ID", lambda one: one.id, whole=True),
        Column("status", lambda one: one.status, whole=True, least=8),
        Column("created", lambda one: one.created_at, whole=True, least=16),
        Column("title", lambda one: one.title, least=30),
        Column("requester", lambda one: one.requester_name, least=15),
        Column("sessions", lambda one: ", ".join(one.session_ids), wide=True),
        Column("URL", lambda one: one.url, wide=True),
    ),
)
CHECKS: Final = View(
    noun="checks",
    csv=columns.CHECK,
    table=(
        Column("result", lambda one: one["result"], whole=True, least=7),
        Column("check", lambda one: one["check"], whole=True, least=13),
        Column("found", lambda one: "\n".join(filter(None, (one["detail"], one["advice"]))), fill=True),
    ),
)
ARCHIVED: Final = View(
    noun="",
    csv=columns.ARCHIVED,
    table=(
        Column("result", lambda one: one["kind"], whole=True, least=7),
        Column("size", _size, whole=True, least=9),
        Column("file", _place, fill=True),
    ),
)
TROUBLE: Final = View(
    noun="",
    csv=columns.TROUBLE,
    table=(
        Column("state", lambda one: one["state"], whole=True, least=7),
        Column("tries", lambda one: one["attempts"], whole=True),
        Column("file", _place, fill=True),
    ),
)
STATES: Final = View(
    noun="",
    csv=(),
    table=(
        Column("state", lambda one: one["state"], whole=True),
        Column("files", lambda one: f"{one['files']:>7,}", whole=True),
        Column("size", _size, whole=True),
        Column("meaning", lambda one: one["meaning"]),
    ),
)
