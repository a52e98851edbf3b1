"""Connections on loan, and the one place where a driver's error becomes one of ours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from persistence.faults import POSTGRES_ERRORS, Fault, fault_of, sqlstate_of, wrong_server
from vitalrelay.domain.errors import (
    Contention,
    InvalidPacket,
    NotFound,
    StorageUnavailable,
    VitalrelayError,
)


@asynccontextmanager
async def lent(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """
    A connection of the pool, in a transaction; whoever borrows it commits.

    A connection that saw an outage, or whose borrower was cancelled, is thrown away: nobody
    knows what the server still sends on it.
    """
    try:
        connection = await engine.connect()
    except POSTGRES_ERRORS as error:
        if fault_of(error) is Fault.DATA:  # a role or a setting of ours; nobody sent anything yet
            raise StorageUnavailable(sqlstate_of(error)) from None
        raise await told_apart(engine, error) from None
    try:
        yield connection
    except POSTGRES_ERRORS as error:
        if fault_of(error) is Fault.AWAY:
            await connection.invalidate()
        raise await told_apart(engine, error) from None
    except VitalrelayError:
        raise
    except BaseException:
        await connection.invalidate()
        raise
    finally:
        await connection.close()


@asynccontextmanager
async def statement(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection on which every statement is its own transaction, in one round trip."""
    try:
        async with lent(engine) as connection:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")
    except InvalidPacket:
        raise NotFound from None  # what the database cannot hold, it does not have


async def told_apart(engine: AsyncEngine, error: Exception) -> VitalrelayError:
    """What a driver's error means to us; it says nothing of what was in the statement."""
    if wrong_server(error):
        await engine.dispose()
    cause = sqlstate_of(error) or type(error).__name__
    match fault_of(error):
        case Fault.DATA:
            return InvalidPacket()
        case Fault.BUSY:
            return Contention(cause)
        case Fault.AWAY:
            return StorageUnavailable(cause)
