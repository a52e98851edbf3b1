"""``vitalrelay api`` and ``vitalrelay worker``: one process each, until it is told to end."""

from typing import Annotated

import typer

from vitalrelay.adapters.inbound.cli.tools import tools_of

Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")]


def api(context: typer.Context, host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """
    Serve the HTTP API on DATABASE_URL and REDIS_URL.

    Several of these may share a port. SIGTERM and SIGINT end it with 0, once what was accepted
    is answered.
    """
    tools_of(context).api(host, port)


def worker(context: typer.Context) -> None:
    """
    Publish what is due, and notice what Redis lost.

    SIGTERM and SIGINT end it with 0, once the batch in hand is settled.
    """
    tools_of(context).worker()
