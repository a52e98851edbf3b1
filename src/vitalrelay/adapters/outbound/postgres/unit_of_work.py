"""The unit of work as one transaction: it commits when told, and else leaves no trace."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from persistence.faults import POSTGRES_ERRORS, Fault, fault_of, sqlstate_of
from vitalrelay.adapters.outbound.postgres.connection import transaction
from vitalrelay.adapters.outbound.postgres.file import file
from vitalrelay.adapters.outbound.postgres.lock import lock
from vitalrelay.adapters.outbound.postgres.owe import owe
from vitalrelay.adapters.outbound.postgres.recent import RecentSnapshots
from vitalrelay.adapters.outbound.postgres.record import Names, record
from vitalrelay.domain.chart import Chart
from vitalrelay.domain.errors import OutcomeUnknown
from vitalrelay.domain.packet import Packet, Received
from vitalrelay.domain.projection import Claim
from vitalrelay.domain.receipt import Recorded


class PostgresUnitOfWork:
    def __init__(self, connection: AsyncConnection, names: Names, recent: RecentSnapshots) -> None:
        self._connection = connection
        self._names = names
        self._recent = recent

    async def record(self, packets: Sequence[Packet]) -> list[Recorded]:
        return await record(self._connection, packets, self._names)

    async def lock(self, new: Sequence[Received]) -> list[Chart]:
        return await lock(self._connection, new, self._recent)

    async def file(self, charts: Sequence[Chart]) -> None:
        await file(self._connection, charts)

    async def owe(self, wanted: Sequence[Chart], lease_for: timedelta) -> list[Claim]:
        return await owe(self._connection, wanted, lease_for, self._recent)

    async def commit(self) -> None:
        try:
            await self._connection.commit()
        except POSTGRES_ERRORS as error:
            if fault_of(error) is not Fault.AWAY:
                raise
            await self._connection.invalidate()
            raise OutcomeUnknown(sqlstate_of(error) or type(error).__name__) from None


class PostgresWork:
    """Opens units of work on one pool."""

    def __init__(self, engine: AsyncEngine, names: Names) -> None:
        self._engine = engine
        self._names = names
        self._recent = RecentSnapshots()

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[PostgresUnitOfWork]:
        async with transaction(self._engine) as connection:
            yield PostgresUnitOfWork(connection, self._names, self._recent)
