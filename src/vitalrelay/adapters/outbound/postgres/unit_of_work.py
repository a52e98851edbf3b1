"""The unit of work as one transaction: it commits when told, and else leaves no trace."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from vitalrelay.adapters.outbound.postgres.answers import answer, answered, forget
from vitalrelay.adapters.outbound.postgres.driver import Transaction, begin
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
from vitalrelay.domain.idempotency import ActionKey
from vitalrelay.domain.packet import Packet, Received, SubjectId
from vitalrelay.domain.projection import Claim
from vitalrelay.domain.receipt import Recorded


class PostgresUnitOfWork:
    def __init__(
        self,
        transaction: Transaction,
        names: Names,
        recent: RecentSnapshots,
        policy: AlarmPolicy,
    ) -> None:
        self._transaction = transaction
        self._names = names
        self._recent = recent
        self._policy = policy

    async def record(self, packets: Sequence[Packet]) -> list[Recorded]:
        return await record(self._transaction, packets, self._names)

    async def lock(self, new: Sequence[Received]) -> list[Chart]:
        return await lock(self._transaction, new, self._recent)

    async def file(self, charts: Sequence[Chart]) -> None:
        await file(self._transaction, charts)

    async def owe(self, wanted: Sequence[Chart], lease_for: timedelta) -> list[Claim]:
        return await owe(self._transaction, wanted, lease_for, self._recent, self._policy)

    async def patient_of(self, about: str) -> SubjectId | None:
        return await patient_of(self._transaction, about)

    async def lock_patient(self, subject: SubjectId) -> Chart:
        return await lock_patient(self._transaction, subject, self._recent)

    async def answered(self, key: ActionKey) -> Document | None:
        return await answered(self._transaction, key)

    async def answer(self, key: ActionKey, document: Document) -> None:
        await answer(self._transaction, key, document)

    async def forget_answers(self, older_than: timedelta) -> int:
        return await forget(self._transaction, older_than)

    async def lock_due(self, limit: int) -> list[Chart]:
        return await lock_due(self._transaction, limit)

    async def look_again(self, charts: Sequence[Chart]) -> None:
        await look_again(self._transaction, charts, self._policy)

    async def commit(self) -> None:
        await self._transaction.commit()


class PostgresWork:
    """Opens units of work on one pool."""

    def __init__(self, engine: AsyncEngine, names: Names, policy: AlarmPolicy = USUAL) -> None:
        self._engine = engine
        self._names = names
        self._policy = policy
        self._recent = RecentSnapshots()

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[PostgresUnitOfWork]:
        async with begin(self._engine) as transaction:
            yield PostgresUnitOfWork(transaction, self._names, self._recent, self._policy)
