"""``vitalrelay doctor``: is this installation able to work, and if not, what to do."""

# ruff: noqa: PLC0415 - imported when the command is run: --help need not wait for it

from pathlib import Path
from typing import Annotated, Literal

import typer

from vitalrelay.adapters.inbound.cli.tools import tools_of

FOR = "all, or ingest: only what taking in packets needs."
DATA = "The directory whose disk is looked at."


def doctor(
    context: typer.Context,
    purpose: Annotated[Literal["all", "ingest"], typer.Option("--for", help=FOR)] = "all",
    data_dir: Annotated[Path, typer.Option(help=DATA)] = Path(".vitalrelay"),
    quiet: Annotated[bool, typer.Option("--quiet", help="Only the exit status.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """
    Look at everything that has to be right, and say what to do where it is not.

    Exit status: 0 able to work, 1 at least one check failed.
    """
    from vitalrelay.adapters.inbound.cli.work.doctor import examine

    only_ingest = purpose == "ingest"
    raise typer.Exit(
        examine(tools_of(context), data_dir, only_ingest=only_ingest, quiet=quiet, as_json=json)
    )
