"""``vitalrelay demo``: a ward that is made up, on real servers, in this terminal."""

# ruff: noqa: PLC0415 - imported when the command is run: --help need not wait for it

from pathlib import Path
from typing import Annotated

import typer

from vitalrelay.adapters.inbound.cli.tools import tools_of

PATIENTS = "How many beds the ward has."
SECONDS = "End after the ward was shown for so long; without it, when Ctrl-C is pressed."
DATA = "Where the demo keeps what it was sent, also for the next demo."
PORT = "The port of the API; another one is taken if this is not free."
THEIRS = "Use DATABASE_URL and REDIS_URL, and put the ward there."


def demo(
    context: typer.Context,
    patients: Annotated[int, typer.Option(min=1, max=1000, help=PATIENTS)] = 24,
    seconds: Annotated[float | None, typer.Option(min=0, help=SECONDS)] = None,
    data_dir: Annotated[Path, typer.Option(help=DATA)] = Path(".vitalrelay/demo"),
    port: Annotated[int, typer.Option(min=0, max=65535, help=PORT)] = 8000,
    given_servers: Annotated[bool, typer.Option("--given-servers", help=THEIRS)] = False,
) -> None:
    """
    Start everything, send it a synthetic ward, and show the ward as a table.

    It has servers of its own, so that nobody's patients get into anybody's database. Ctrl-C stops
    everything it started. Exit status: 0, or 3 if it could not start.
    """
    from vitalrelay.adapters.inbound.cli.work.demo import DemoOptions, demo

    options = DemoOptions(patients, seconds, data_dir, port, given_servers)
    demo(tools_of(context), options)
