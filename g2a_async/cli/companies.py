"""`g2a companies` and `g2a machines`."""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from g2a_async.cli import columns, options
from g2a_async.cli.work import with_client

if TYPE_CHECKING:
    from g2a_async.cli.views import View
    from g2a_async.client import G2AClient
    from g2a_async.paging import Pager

companies = options.group("Companies that you can reach.")
machines = options.group("Machines that unattended sessions can be started on.")


class Sort(StrEnum):
    """What companies are sorted by, as the service names it."""

    ID = "companyId"
    NAME = "companyName"


class Order(StrEnum):
    """Which end comes first."""

    UP = "asc"
    DOWN = "desc"


@options.command(companies, "list", example="g2a companies list north --sort companyName", csv=columns.COMPANY)
def list_companies(
    text: Annotated[
        str | None, typer.Argument(metavar="TEXT", help="Part of the name. Default: all companies.")
    ] = None,
    *,
    sort: Annotated[
        Sort | None,
        options.choice(Sort, metavar="FIELD", help="companyId or companyName. Default: as the service does."),
    ] = None,
    order: Annotated[
        Order | None, options.choice(Order, metavar="ORDER", help="asc or desc: which end comes first. Default: asc.")
    ] = None,
    limit: options.Limit = None,
    output: options.Output = None,
) -> None:
    """List companies, page by page as they come.

    Costs one request for 50 of them.
    """
    from g2a_async.cli.views import COMPANIES  # noqa: PLC0415  the records, once a command runs

    _show(lambda client: client.companies.list(text, sort_field=sort, sort_order=order), COMPANIES, limit, output)


@options.command(machines, "list", example="g2a machines list 2400037 --output csv", csv=columns.MACHINE)
def list_machines(
    company_id: Annotated[str, typer.Argument(metavar="COMPANY_ID", help="As `g2a companies list` shows it.")],
    *,
    limit: options.Limit = None,
    output: options.Output = None,
) -> None:
    """List the unattended machines of a company.

    Costs one request for 50 of them.
    """
    from g2a_async.cli.views import MACHINES  # noqa: PLC0415

    _show(lambda client: client.companies.machines(company_id), MACHINES, limit, output)


def _show(
    listed: "Callable[[G2AClient], Pager[Any]]", view: "View", limit: int | None, output: options.Format | None
) -> None:
    from g2a_async.cli.output import Output  # noqa: PLC0415
    from g2a_async.cli.progress import show_all  # noqa: PLC0415

    async def work(client: "G2AClient") -> None:
        pager = listed(client)
        pages = (pager if limit is None else pager.limit(limit)).pages()
        await show_all(pages, Output(view, output), f"Asking for {view.noun}")

    with_client(work)
