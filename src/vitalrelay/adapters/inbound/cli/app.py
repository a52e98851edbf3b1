"""The console command: which commands there are, and how each of them may fail."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from vitalrelay.adapters.inbound.cli import (
    config,
    demo,
    doctor,
    migrate,
    processes,
    projections,
    replay,
    up,
    verify,
)
from vitalrelay.adapters.inbound.cli.terminal import answer, explained, say


class InOneLine(TyperGroup):
    """Whatever goes wrong is a line on stderr; the trace is for those who ask for it."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (typer.TyperException, typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if ctx.params["verbose"]:
                raise
            line, status = explained(error)
            say(line)
            raise typer.Exit(status) from None


def show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version as version_of  # noqa: PLC0415 - slow to import

        answer(f"vitalrelay {version_of('vitalrelay')}")
        raise typer.Exit


Verbose = Annotated[bool, typer.Option("--verbose", help="Show where an error comes from.")]
Version = Annotated[
    bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
]


def vitalrelay(verbose: Verbose = False, version: Version = False) -> None:
    """
    Vital signs from bedside gateways, kept in PostgreSQL and shown from Redis.

    A secondary display and notification system; not a medical device.

    Where DATABASE_URL and REDIS_URL are not set, verify, projections, doctor and config are about
    what vitalrelay up keeps in .vitalrelay of this directory.
    """


def console() -> typer.Typer:
    plain: dict[str, Any] = {
        "rich_markup_mode": None,
        "no_args_is_help": True,
        "pretty_exceptions_enable": False,
        "context_settings": {"help_option_names": ["-h", "--help"]},
    }
    app = typer.Typer(cls=InOneLine, **plain)
    app.callback()(vitalrelay)
    app.command()(demo.demo)
    app.command()(up.up)
    app.command()(processes.api)
    app.command()(processes.worker)
    app.command()(migrate.migrate)
    app.command()(replay.replay)
    app.add_typer(projections.group(**plain), name="projections")
    app.command()(verify.verify)
    app.command()(doctor.doctor)
    app.add_typer(config.group(**plain), name="config")
    return app
