"""``vitalrelay migrate``: the schema that this release speaks."""

from typing import Annotated

import typer

from vitalrelay.adapters.inbound.cli.terminal import answer, answer_json
from vitalrelay.adapters.inbound.cli.tools import Migrated, MigrateOptions, tools_of

SQL = "Print the statements of a migration from nothing, and change nothing."
WAIT = "Seconds to wait for a PostgreSQL that does not answer yet."


def migrate(
    context: typer.Context,
    sql: Annotated[bool, typer.Option("--sql", help=SQL)] = False,
    revision: Annotated[str, typer.Option(help="Where to go.")] = "head",
    wait: Annotated[float, typer.Option(min=0, help=WAIT)] = 60,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """
    Bring the schema of DATABASE_URL up to date.

    Exit status: 0 it is, 2 there is no such revision, 3 PostgreSQL cannot be reached or refuses.
    """
    options = MigrateOptions(revision=revision, wait_s=wait, only_sql=sql)
    migrated = tools_of(context).migrate(options)
    if json:
        answer_json("migrate", _document(migrated))
    else:
        answer(_words(migrated))


def _document(migrated: Migrated) -> dict[str, object]:
    if migrated.sql is not None:
        return {"sql": migrated.sql}
    return {"before": migrated.before, "after": migrated.after}


def _words(migrated: Migrated) -> str:
    if migrated.sql is not None:
        return migrated.sql.rstrip()
    if migrated.before == migrated.after:
        return f"the schema is at {migrated.after} already"
    return f"the schema went from {migrated.before or 'nothing'} to {migrated.after}"
