"""What a piece of work costs, in round trips: the same on every machine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg.connection
from sqlalchemy import event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection
from sqlalchemy.ext.asyncio import AsyncEngine


@asynccontextmanager
async def sent(engine: AsyncEngine) -> AsyncIterator[list[str]]:
    """
    What is sent to the server in the block, its begin and commit included; the first words.

    The driver tells of what it is asked directly, and not of what SQLAlchemy has it prepare.
    """
    seen: list[str] = []
    listened: list[asyncpg.Connection] = []

    def note(query: asyncpg.connection.LoggedQuery) -> None:
        seen.append(" ".join(query.query.split()[:4]))

    def note_prepared(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(" ".join(statement.split()[:4]))

    def listen(connection: AsyncAdapt_asyncpg_connection, *_: object) -> None:
        driver = connection.driver_connection
        if driver not in listened:
            driver.add_query_logger(note)
            listened.append(driver)

    event.listen(engine.sync_engine, "checkout", listen)
    event.listen(engine.sync_engine, "before_cursor_execute", note_prepared)
    try:
        yield seen
        await asyncio.sleep(0)  # the driver tells in the next turn of the loop
    finally:
        event.remove(engine.sync_engine, "checkout", listen)
        event.remove(engine.sync_engine, "before_cursor_execute", note_prepared)
        for driver in listened:
            driver.remove_query_logger(note)
