"""What is owed, as the relay sees it: two statements, a round trip each."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from vitalrelay.adapters.outbound.postgres.claim import claim_due
from vitalrelay.adapters.outbound.postgres.driver import statements
from vitalrelay.adapters.outbound.postgres.settle import settle
from vitalrelay.domain.projection import Claim, Verdict


class PostgresProjections:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def claim(self, limit: int, lease_for: timedelta) -> list[Claim]:
        async with statements(self._engine) as alone:
            return await claim_due(alone, limit, lease_for)

    async def settle(self, judged: Sequence[tuple[Claim, Verdict]]) -> int:
        async with statements(self._engine) as alone:
            return await settle(alone, judged)
