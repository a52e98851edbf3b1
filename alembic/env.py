"""Runs the migrations on DATABASE_URL, or prints their SQL with --sql."""

import asyncio
import os

from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from alembic import context
from persistence.engine import driver_url
from vitalrelay.adapters.outbound.postgres.tables import metadata

TURN = int.from_bytes(b"vitalrel")


def run(connection: Connection | None = None) -> None:
    """All migrations in one transaction, and one such transaction at a time."""
    offline = connection is None
    context.configure(
        connection=connection,
        dialect_name="postgresql" if offline else None,
        target_metadata=metadata,
        literal_binds=offline,
        compare_server_default=True,
    )
    with context.begin_transaction():
        # Before the time-out: whoever comes second may have to wait for longer.
        context.execute(text(f"select pg_advisory_xact_lock({TURN})"))
        # A migration that waits for a lock makes everybody behind it wait too.
        context.execute(text("set local lock_timeout = '5s'"))
        context.run_migrations()


async def run_online(url: str) -> None:
    engine = create_async_engine(driver_url(url), poolclass=pool.NullPool, hide_parameters=True)
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


if context.is_offline_mode():
    run()
else:
    given = context.config.get_main_option("sqlalchemy.url")
    asyncio.run(run_online(given or os.environ["DATABASE_URL"]))
