"""The command line `g2a`."""

import sys


def main() -> None:
    """Run `g2a`; without the extra that it needs, say which."""
    try:
        from g2a_async.cli.app import run  # noqa: PLC0415  the extra may not be there

        run()
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in {"rich", "typer"}:
            raise
        sys.exit(f"g2a needs {missing}: pip install 'g2a-async[cli]'")
