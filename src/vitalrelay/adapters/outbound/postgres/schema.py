"""The schema's revision: the one this code speaks, and what a database says of itself."""

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from vitalrelay.adapters.outbound.postgres.tables import metadata

# Oldest first; a test holds it against alembic/.
REVISIONS = (
    "0001_patient_risk_baseline",
    "0002_actions_and_silence",
    "0003_payloads_without_statistics",
    "0004_updates_stay_on_their_page",
    "0005_room_for_versions",
)
UNDEFINED_TABLE = "42P01"

REVISION = text("select version_num from alembic_version")
STAMP = (
    "create table if not exists alembic_version (version_num varchar(32) primary key)",
    """
    insert into alembic_version
    select cast(:revision as text) where not exists (select from alembic_version)
    """,
)


class SchemaMismatch(Exception):
    """The database speaks another schema than this code."""


class SchemaNotMigrated(SchemaMismatch):
    """There is no schema yet; run: vitalrelay migrate"""


class SchemaOutdated(SchemaMismatch):
    """The schema is older than this code; run: vitalrelay migrate"""


class SchemaTooNew(SchemaMismatch):
    """The schema is newer than this code; run the release that migrated it."""


async def check_revision(connection: AsyncConnection) -> None:
    """Raises a SchemaMismatch unless the database is at the revision this code speaks."""
    try:
        revision = (await connection.execute(REVISION)).scalar_one_or_none()
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != UNDEFINED_TABLE:
            raise
        revision = None
    if revision is None:
        raise SchemaNotMigrated
    if revision not in REVISIONS:
        raise SchemaTooNew
    if revision != REVISIONS[-1]:
        raise SchemaOutdated


async def create_missing_tables(engine: AsyncEngine) -> None:
    """For demos: what a migration would have made, where nothing is. It changes no table."""
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
        for statement in STAMP:
            await connection.execute(text(statement), {"revision": REVISIONS[-1]})
