"""`g2a links` and `g2a tickets`: partner systems."""

from typing import TYPE_CHECKING, Annotated

import typer

from g2a_async.cli import columns, options
from g2a_async.cli.inputs import secret
from g2a_async.cli.work import with_client

if TYPE_CHECKING:
    from g2a_async.client import G2AClient

links = options.group("Partner systems that are registered with the service.")
tickets = options.group("Tickets of a partner system.")

_USER_TOKEN = "G2A_USER_TOKEN"  # noqa: S105  the name of a variable
_MEANING = "the user's token for the partner system"


@options.command(links, "list", example="g2a links list desk.example", csv=columns.LINK)
def list_links(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The partner system's domain.")],
    *,
    show_secrets: options.ShowSecrets = False,
    output: options.Output = None,
) -> None:
    """List the partner systems that are registered for a domain."""
    from g2a_async.cli.output import Output  # noqa: PLC0415  the SDK and its records, once a command runs
    from g2a_async.cli.progress import while_waiting  # noqa: PLC0415
    from g2a_async.cli.views import LINKS  # noqa: PLC0415

    async def work(client: "G2AClient") -> None:
        found = await while_waiting("Asking for links", client.system_links.list(domain))
        with Output(LINKS, output, secrets=show_secrets) as shown:
            await shown.put(found)

    with_client(work)


@options.command(
    links,
    "register",
    example="g2a links register --name 'Ticket Desk' --domain desk.example --user-email robin@desk.example "
    "--callback-url https://desk.example/g2a --search --token-file token.txt",
    none_is_help=True,
)
def register_link(
    *,
    name: Annotated[str, typer.Option(metavar="NAME", help="The partner system's name, as technicians see it.")],
    domain: Annotated[str, typer.Option(metavar="DOMAIN", help="Its domain.")],
    user_email: Annotated[str, typer.Option(metavar="EMAIL", help="The technician's e-mail address.")],
    callback_url: Annotated[
        str, typer.Option(metavar="URL", envvar="G2A_CALLBACK_URL", help="Where it takes the three calls for tickets.")
    ],
    create: Annotated[bool, typer.Option("--create", help="It can create tickets.")] = False,
    search: Annotated[bool, typer.Option("--search", help="It can search its tickets.")] = False,
    associate: Annotated[bool, typer.Option("--associate", help="It can link a ticket to a session.")] = False,
    token_file: options.TokenFile = None,
) -> None:
    """Register a partner system for a technician.

    Again, for the same name, domain and technician, replaces what was registered.
    """
    user_token = secret(_USER_TOKEN, _MEANING, token_file)

    async def work(client: "G2AClient") -> None:
        await client.system_links.register(
            system_name=name,
            system_domain=domain,
            user_email=user_email,
            user_token=user_token,
            callback_url=callback_url,
            create_object=create,
            search_objects=search,
            associate_object=associate,
        )

    with_client(work)
    typer.echo(f"Registered {name} ({domain}) for {user_email}.", err=True)


@options.command(
    tickets,
    "search",
    example="g2a tickets search printer --callback-url https://desk.example/g2a --limit 10",
    csv=columns.TICKET,
)
def search_tickets(
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="What they contain. Default: all tickets.")] = None,
    *,
    callback_url: Annotated[
        str, typer.Option(metavar="URL", envvar="G2A_CALLBACK_URL", help="Where the partner system takes calls.")
    ],
    limit: options.Limit = None,
    token_file: options.TokenFile = None,
    output: options.Output = None,
) -> None:
    """Search the tickets of a partner system, as GoToAssist does.

    Costs one request for 10 of them. Needs no login at GoToAssist.
    """
    from g2a_async.cli.output import Output  # noqa: PLC0415
    from g2a_async.cli.progress import show_all  # noqa: PLC0415
    from g2a_async.cli.views import TICKETS  # noqa: PLC0415
    from g2a_async.client import G2AClient as Client  # noqa: PLC0415
    from g2a_async.settings import Settings  # noqa: PLC0415

    user_token = secret(_USER_TOKEN, _MEANING, token_file)

    async def work(client: "G2AClient") -> None:
        pager = client.tickets(callback_url, user_token).search(text)
        pages = (pager if limit is None else pager.limit(limit)).pages()
        await show_all(pages, Output(TICKETS, output), "Asking for tickets")

    with_client(work, Client(settings=Settings(trust_env=True)))
