"""The first words to PostgreSQL: waited for as long as it takes; a wrong schema in one line."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from persistence.retry import until_it_answers
from vitalrelay.adapters.outbound.postgres.schema import (
    SchemaMismatch,
    check_revision,
    create_missing_tables,
)
from vitalrelay.settings import Settings

log = structlog.get_logger()

NOT_YET = (SQLAlchemyError, OSError, TimeoutError, SchemaMismatch)


@contextlib.asynccontextmanager
async def greeting(settings: Settings, engine: AsyncEngine) -> AsyncIterator[None]:
    """
    Greet PostgreSQL in the background: an API is there from its first second.

    Until then it lives, says why it is not ready, and answers 503.
    """
    task = asyncio.create_task(greet(settings, engine), name="greet PostgreSQL")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def greet(settings: Settings, engine: AsyncEngine) -> None:
    """Return once PostgreSQL answers and has the schema that this code speaks."""

    async def words() -> None:
        if settings.auto_create_schema:
            await create_missing_tables(engine)
        async with engine.connect() as connection:
            await check_revision(connection)

    await until_it_answers(words, NOT_YET, _Waiting())
    log.info("storage-ready")


class _Waiting:
    """Says each reason once, however often it comes."""

    def __init__(self) -> None:
        self._said: type[Exception] | None = None

    def __call__(self, error: Exception, _pause_s: float) -> None:
        if type(error) is self._said:
            return
        self._said = type(error)
        if isinstance(error, SchemaMismatch):
            log.error(
                "schema-mismatch", failureType=type(error).__name__, reason=type(error).__doc__
            )
        else:
            log.warning("waiting-for-postgres", failureType=type(error).__name__)
