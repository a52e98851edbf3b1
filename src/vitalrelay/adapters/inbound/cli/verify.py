"""``vitalrelay verify``: the options. What they order is done elsewhere, and imported only then."""

# ruff: noqa: PLC0415 - imported when the command is run: --help need not wait for it

from pathlib import Path
from typing import Annotated

import typer

from vitalrelay.adapters.inbound.cli.tools import tools_of

ACK_LOG = "What a client was told is safe: a file of vitalrelay replay. Can be given again."
REPAIR = "Owe again what is not shown as it should be, and remove documents of nobody."


def verify(
    context: typer.Context,
    ack_log: Annotated[list[Path] | None, typer.Option(help=ACK_LOG)] = None,
    repair: Annotated[bool, typer.Option("--repair", help=REPAIR)] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """
    Hold Redis against PostgreSQL, and PostgreSQL against what clients were told.

    Safe against a live system. Exit status: 0 all is well, 1 differences were found, 2 a log
    cannot be read, 3 a server does not answer.
    """
    from vitalrelay.adapters.inbound.cli.work.verify import verify as work

    raise typer.Exit(work(tools_of(context), ack_log or [], repair=repair, as_json=json))
