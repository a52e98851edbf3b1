"""``vitalrelay projections``: the options. What they order is imported only when it is needed."""

# ruff: noqa: PLC0415 - imported when the command is run: --help need not wait for it

from typing import Annotated, Any, Literal

import typer

from vitalrelay.adapters.inbound.cli.tools import tools_of

OLDER = "Owed for at least so long: 60s, 5m, 2h, 1d."
WHICH = "A projection's id, or the patient's."
YES = "Do not ask."
DRY = "Only say how many."
EXPECT = "Do nothing if there are more or fewer than this."
REASON = "Why, for the log."
MANY = 100_000

Status = Annotated[
    Literal["pending", "published", "failed"] | None, typer.Option(help="Only with this status.")
]
OlderThan = Annotated[str | None, typer.Option(help=OLDER)]
Subject = Annotated[str | None, typer.Option(help="Only of this patient.")]
Limit = Annotated[int, typer.Option(min=1, max=MANY, help="At most so many.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Which = Annotated[str, typer.Argument(help=WHICH, show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help=YES)]
DryRun = Annotated[bool, typer.Option("--dry-run", help=DRY)]
Expect = Annotated[int | None, typer.Option(min=0, help=EXPECT)]
Reason = Annotated[str, typer.Option(help=REASON)]


def list_(
    context: typer.Context,
    status: Status = None,
    older_than: OlderThan = None,
    subject: Subject = None,
    limit: Limit = 100,
    json: Json = False,
) -> None:
    """Projections that match, those owed longest first; never their content."""
    from vitalrelay.adapters.inbound.cli.work import projections

    which = projections.filter_of(status, older_than, subject)
    projections.list_them(tools_of(context), which, limit, as_json=json)


def show(context: typer.Context, projection: Which, json: Json = False) -> None:
    """One projection: what is wanted, what is published, and why not. 1: there is none."""
    from vitalrelay.adapters.inbound.cli.work import projections

    projections.show_one(tools_of(context), projection, as_json=json)


def retry(  # noqa: PLR0913, PLR0917 - the options of a command are its arguments
    context: typer.Context,
    projection: Annotated[str | None, typer.Argument(help=WHICH, show_default=False)] = None,
    status: Status = None,
    older_than: OlderThan = None,
    subject: Subject = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    expect: Expect = None,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """
    Owe anew, as their next version, those that match and are not published.

    Says how many before it asks. Exit status: 0 done, 1 not as many as expected, or the answer
    was no.
    """
    from vitalrelay.adapters.inbound.cli.work import projections

    which = projections.filter_of(status, older_than, subject, projection)
    consent = projections.Consent(yes, dry_run, expect, reason, json)
    projections.retry_them(tools_of(context), which, consent)


def rebuild(
    context: typer.Context,
    yes: Yes = False,
    dry_run: DryRun = False,
    expect: Expect = None,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """
    Owe every published patient again: the same versions, the most urgent first.

    Safe at any time. Says how many before it asks. Exit status: as of retry.
    """
    from vitalrelay.adapters.inbound.cli.work import projections

    consent = projections.Consent(yes, dry_run, expect, reason, json)
    projections.rebuild_all(tools_of(context), consent)


def group(**how: Any) -> typer.Typer:
    app = typer.Typer(help="What is owed to the screens, and owing it anew.", **how)
    app.command("list")(list_)
    app.command()(show)
    app.command()(retry)
    app.command()(rebuild)
    return app
