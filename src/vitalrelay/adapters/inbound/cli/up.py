"""``vitalrelay up``: everything, on this machine, from one command."""

from pathlib import Path
from typing import Annotated

import typer

from vitalrelay.adapters.inbound.cli.tools import UpOptions, tools_of

DATA = "Where PostgreSQL and Redis keep their files, and we the ids of our processes."
PORT = "The port of the API; 0 takes a free one."
POSTGRES = "The port of our PostgreSQL; 0 takes a free one. Unused with DATABASE_URL."
REDIS = "The port of our Redis; 0 takes a free one. Unused with REDIS_URL."


def up(  # noqa: PLR0913, PLR0917 - the options of a command are its arguments
    context: typer.Context,
    data_dir: Annotated[Path, typer.Option(help=DATA)] = Path(".vitalrelay"),
    host: Annotated[str, typer.Option(help="The address the API listens on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help=PORT)] = 8000,
    api_workers: Annotated[int, typer.Option(min=1, help="API processes.")] = 1,
    relay_workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    postgres_port: Annotated[int, typer.Option(min=0, max=65535, help=POSTGRES)] = 0,
    redis_port: Annotated[int, typer.Option(min=0, max=65535, help=REDIS)] = 0,
) -> None:
    """
    Start PostgreSQL, Redis, the API and the workers, and keep them running.

    DATABASE_URL and REDIS_URL are used where they are set. When everything answers, stdout gets
    one line: a JSON object with addresses and process ids. SIGTERM and SIGINT stop all of it.

    Exit status: 0 stopped when told to, 2 a setting is wrong, 3 it could not start.
    """
    options = UpOptions(
        data_dir=data_dir,
        host=host,
        port=port,
        api_workers=api_workers,
        relay_workers=relay_workers,
        postgres_port=postgres_port,
        redis_port=redis_port,
    )
    tools_of(context).up(options)
