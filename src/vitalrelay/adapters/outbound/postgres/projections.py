"""What is owed, as the relay sees it: two statements, a round trip each."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from vitalrelay.adapters.outbound.postgres.claim import claim_due
from vitalrelay.adapters.outbound.postgres.connection import statement
from vitalrelay.adapters.outbound.postgres.settle import settle
from vitalrelay.domain.projection import Claim, Verdict


class PostgresProjections:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def claim(self, limit: int, lease_for: timedelta) -> list[Claim]:
        async with statement(self._engine) as connection:
            return await claim_due(connection, limit, lease_for)

    async def settle(self, judged: Sequence[tuple[Claim, Verdict]]) -> int:
        async with statement(self._engine) as connection:
            return await settle(connection, judged)
