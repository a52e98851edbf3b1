"""The unit of work as one transaction: it commits when told, and else leaves no trace."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from persistence.faults import POSTGRES_ERRORS, Fault, fault_of, sqlstate_of
from vitalrelay.adapters.outbound.postgres.answers import answer, answered, forget
from vitalrelay.adapters.outbound.postgres.connection import transaction
from vitalrelay.adapters.outbound.postgres.file import file
from vitalrelay.adapters.outbound.postgres.lock import lock, lock_due, lock_patient
from vitalrelay.adapters.outbound.postgres.look_again import look_again
from vitalrelay.adapters.outbound.postgres.owe import owe
from vitalrelay.adapters.outbound.postgres.patient_of import patient_of
from vitalrelay.adapters.outbound.postgres.recent import RecentSnapshots
from vitalrelay.adapters.outbound.postgres.record import Names, record
from vitalrelay.domain.alarms import AlarmPolicy
from vitalrelay.domain.chart import USUAL, Chart
from vitalrelay.domain.document import Document
from vitalrelay.domain.errors import OutcomeUnknown
from vitalrelay.domain.idempotency import ActionKey
from vitalrelay.domain.packet import Packet, Received, SubjectId
from vitalrelay.domain.projection import Claim
from vitalrelay.domain.receipt import Recorded


class PostgresUnitOfWork:
    def __init__(
        self,
        connection: AsyncConnection,
        names: Names,
        recent: RecentSnapshots,
        policy: AlarmPolicy,
    ) -> None:
        self._connection = connection
        self._names = names
        self._recent = recent
        self._policy = policy

    async def record(self, packets: Sequence[Packet]) -> list[Recorded]:
        return await record(self._connection, packets, self._names)

    async def lock(self, new: Sequence[Received]) -> list[Chart]:
        return await lock(self._connection, new, self._recent)

    async def file(self, charts: Sequence[Chart]) -> None:
        await file(self._connection, charts)

    async def owe(self, wanted: Sequence[Chart], lease_for: timedelta) -> list[Claim]:
        return await owe(self._connection, wanted, lease_for, self._recent, self._policy)

    async def patient_of(self, about: str) -> SubjectId | None:
        return await patient_of(self._connection, about)

    async def lock_patient(self, subject: SubjectId) -> Chart:
        return await lock_patient(self._connection, subject, self._recent)

    async def answered(self, key: ActionKey) -> Document | None:
        return await answered(self._connection, key)

    async def answer(self, key: ActionKey, document: Document) -> None:
        await answer(self._connection, key, document)

    async def forget_answers(self, older_than: timedelta) -> int:
        return await forget(self._connection, older_than)

    async def lock_due(self, limit: int) -> list[Chart]:
        return await lock_due(self._connection, limit, self._recent)

    async def look_again(self, charts: Sequence[Chart]) -> None:
        await look_again(self._connection, charts, self._policy)

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

    def __init__(self, engine: AsyncEngine, names: Names, policy: AlarmPolicy = USUAL) -> None:
        self._engine = engine
        self._names = names
        self._policy = policy
        self._recent = RecentSnapshots()

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[PostgresUnitOfWork]:
        async with transaction(self._engine) as connection:
            yield PostgresUnitOfWork(connection, self._names, self._recent, self._policy)
