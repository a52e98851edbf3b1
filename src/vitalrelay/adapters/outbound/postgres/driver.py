"""
Statements on the driver itself, for what runs with every packet and every snapshot.

What SQLAlchemy does around a statement takes longer than the driver needs for all of it. So the
pool and the statements' named parameters are SQLAlchemy's, and between them is nothing.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import asyncpg
from sqlalchemy import TextClause
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from persistence.faults import POSTGRES_ERRORS, Fault, fault_of, sqlstate_of
from vitalrelay.adapters.outbound.postgres.connection import lent
from vitalrelay.domain.errors import OutcomeUnknown

Parameters = Mapping[str, object]


class Statements:
    """Each is its own transaction, in one round trip."""

    def __init__(self, driver: asyncpg.Connection) -> None:
        self._driver = driver

    async def fetch(self, statement: TextClause, parameters: Parameters) -> list[Any]:
        """The rows; each can be unpacked, or asked for a column."""
        sql, names = for_the_driver(statement)
        rows: list[Any] = await self._driver.fetch(sql, *[parameters[name] for name in names])
        return rows

    async def run(self, statement: TextClause, parameters: Parameters) -> int:
        """How many rows it was about."""
        sql, names = for_the_driver(statement)
        status = await self._driver.execute(sql, *[parameters[name] for name in names])
        return int(status.rpartition(" ")[2])


class Transaction(Statements):
    """Statements that count together: it commits when told, and else leaves no trace."""

    def __init__(self, connection: AsyncConnection, driver: asyncpg.Connection) -> None:
        super().__init__(driver)
        self._connection = connection
        self._of_driver = driver.transaction()
        self._open = False

    async def start(self) -> None:
        await self._of_driver.start()
        self._open = True

    async def commit(self) -> None:
        """Raises OutcomeUnknown where the server went away over it."""
        self._open = False
        try:
            await self._of_driver.commit()
        except POSTGRES_ERRORS as error:
            if fault_of(error) is not Fault.AWAY:
                raise
            await self._connection.invalidate()
            raise OutcomeUnknown(sqlstate_of(error) or type(error).__name__) from None

    async def leave(self) -> None:
        """Undo what was not committed, so that the connection can be used again."""
        if not self._open:
            return
        self._open = False
        try:
            await self._of_driver.rollback()
        except POSTGRES_ERRORS:
            await self._connection.invalidate()


@asynccontextmanager
async def begin(engine: AsyncEngine) -> AsyncIterator[Transaction]:
    """Errors are told as ``connection.lent`` tells them."""
    async with lent(engine) as connection:
        begun = Transaction(connection, await driver_of(connection))
        await begun.start()
        try:
            yield begun
        except Exception:
            await begun.leave()
            raise
        await begun.leave()


@asynccontextmanager
async def statements(engine: AsyncEngine) -> AsyncIterator[Statements]:
    """Errors are told as ``connection.lent`` tells them."""
    async with lent(engine) as connection:
        yield Statements(await driver_of(connection))


async def driver_of(connection: AsyncConnection) -> asyncpg.Connection:
    driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, asyncpg.Connection)
    return driver


@cache
def for_the_driver(statement: TextClause) -> tuple[str, tuple[str, ...]]:
    """With numbers for names, and the names in the order of their numbers."""
    compiled = statement.compile(dialect=dialect())  # type: ignore[no-untyped-call]  # theirs
    return str(compiled), tuple(compiled.positiontup or ())
