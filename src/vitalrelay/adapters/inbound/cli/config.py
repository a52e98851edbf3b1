"""``vitalrelay config``: what the settings come to."""

from typing import Annotated, Any

import typer

from vitalrelay.adapters.inbound.cli.terminal import answer, answer_json
from vitalrelay.adapters.inbound.cli.tools import tools_of


def show(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """
    Every setting, its value without secrets, and where that came from.

    Exit status: 0 fine, 2 a setting is wrong or missing.
    """
    settings = tools_of(context).settings()
    if json:
        items = [{"name": one.name, "value": one.value, "source": one.source} for one in settings]
        answer_json("config", {"settings": items})
        return
    for one in settings:
        answer(f"{one.name}={one.value}" + ("  # default" if one.source == "default" else ""))


def group(**how: Any) -> typer.Typer:
    app = typer.Typer(help="What the settings come to.", **how)
    app.command()(show)
    app.callback()(_only_groups)
    return app


def _only_groups() -> None:
    """What the settings come to."""
