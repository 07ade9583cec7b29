"""`g2a doctor`: what stands between this machine and the service."""

import typer

from g2a_async.cli import options


def doctor(*, output: options.Output = None) -> None:
    """Check what stands between this machine and the service.

    Configuration, DNS, TLS, the clock, the token and the quota: each is a line, with what to do where it fails.
    Sends two requests that change nothing, and shows no secret. Exits with 3 when configuration or token fail, with
    4 when the quota is used up, with 1 when something else fails.
    """
    import asyncio  # noqa: PLC0415  help need not wait for these

    from g2a_async.cli.checks import FAILED, Check, checks  # noqa: PLC0415
    from g2a_async.cli.output import Output  # noqa: PLC0415
    from g2a_async.cli.views import CHECKS  # noqa: PLC0415

    failed: list[Check] = []

    async def main() -> None:
        with Output(CHECKS, output) as shown:
            async for check in checks():
                await shown.put([check.to_dict()])
                if check.result == FAILED:
                    failed.append(check)

    asyncio.run(main())
    if failed:
        raise typer.Exit(max(check.exit_code for check in failed))
