"""Alembic, called by us: found wherever we are installed, waiting for PostgreSQL to answer."""

import asyncio
import io
import os
from pathlib import Path

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from alembic import command
from persistence.engine import PoolPolicy, create_engine
from persistence.faults import POSTGRES_ERRORS, sqlstate_of
from persistence.retry import until_it_answers
from vitalrelay.adapters.inbound.cli.errors import CannotStart, WrongUsage
from vitalrelay.adapters.inbound.cli.terminal import say
from vitalrelay.adapters.inbound.cli.tools import Migrated, MigrateOptions

INI = "VITALRELAY_ALEMBIC_INI"
BESIDE_SRC = Path(__file__).parents[3] / "alembic.ini"
NO_USE_WAITING = ("28", "3D", "42")  # login refused, no such database, no right to look
SHORTEST_WAIT_S = 1.0


def migrate(options: MigrateOptions) -> Migrated:
    """Raises WrongUsage for a revision or setting that does not exist, CannotStart for the rest."""
    config = Config(ini(), output_buffer=(output := io.StringIO()))
    revision = revision_called(options.revision, config)
    if options.only_sql:
        command.upgrade(config, revision, sql=True)
        return Migrated(sql=output.getvalue())
    before = asyncio.run(revision_at(database_url(), options.wait_s))
    try:
        command.upgrade(config, revision)
    except POSTGRES_ERRORS as error:
        raise CannotStart(f"PostgreSQL refuses the migration: {reason(error)}") from None
    except CommandError as error:
        raise CannotStart(f"this release cannot migrate that database: {error}") from None
    return Migrated(before=before, after=asyncio.run(revision_at(database_url(), options.wait_s)))


def ini() -> Path:
    """Where we are told, beside our source, or in the working directory."""
    if told := os.environ.get(INI):
        if not Path(told).is_file():
            raise WrongUsage(f"{INI}: there is no such file")
        return Path(told)
    found = next((path for path in (BESIDE_SRC, Path("alembic.ini")) if path.is_file()), None)
    if found is None:
        raise CannotStart(f"alembic.ini is nowhere to be found; {INI} says where it is")
    return found


def revision_called(name: str, config: Config) -> str:
    try:
        found = ScriptDirectory.from_config(config).get_revision(name)
    except CommandError:
        found = None
    if found is None:
        raise WrongUsage(f"--revision {name}: there is no such revision")
    return found.revision


def database_url() -> str:
    """Redis is no business of a migration, so the other settings are not asked for."""
    if url := os.environ.get("DATABASE_URL"):
        return url
    raise WrongUsage("DATABASE_URL: is required")


async def revision_at(url: str, wait_s: float) -> str | None:
    """The revision a database is at, None where nothing was migrated."""
    try:
        engine = create_engine(url, PoolPolicy(size=1), "vitalrelay-migrate")
    except (ValueError, SQLAlchemyError):
        raise WrongUsage("DATABASE_URL: must be like postgresql://user:password@host/db") from None
    waiting = Waiting()
    try:
        async with asyncio.timeout(max(wait_s, SHORTEST_WAIT_S)):
            return await until_it_answers(lambda: asked(engine), POSTGRES_ERRORS, waiting)
    except TimeoutError:
        raise CannotStart(f"PostgreSQL does not answer: {waiting.reason}") from None
    finally:
        await engine.dispose()


async def asked(engine: AsyncEngine) -> str | None:
    def current(connection: Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    try:
        async with engine.connect() as connection:
            return await connection.run_sync(current)
    except POSTGRES_ERRORS as error:
        if sqlstate_of(error).startswith(NO_USE_WAITING):
            raise CannotStart(f"PostgreSQL turns us away: {reason(error)}") from None
        raise


class Waiting:
    """Says once that it waits, and knows in the end for what."""

    def __init__(self) -> None:
        self.reason = "no connection in time"

    def __call__(self, error: Exception, _pause_s: float) -> None:
        if self.reason != reason(error):
            self.reason = reason(error)
            say(f"waiting for PostgreSQL: {self.reason}")


def reason(error: Exception) -> str:
    """Never the text of a driver."""
    state = sqlstate_of(error)
    original = getattr(error, "orig", None)
    name = type(getattr(original, "__cause__", None) or original or error).__name__
    return f"{name} (SQLSTATE {state})" if state else name
