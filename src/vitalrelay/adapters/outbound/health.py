"""Whether PostgreSQL and Redis answer, and whether the schema is the one this code speaks."""

import time
from collections.abc import Mapping

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from persistence.readiness import Check, run_checks
from vitalrelay.adapters.outbound.postgres.schema import check_revision
from vitalrelay.ports.health import Checked, Purpose, Readiness


class StorageHealth:
    """Asks on connections of its own, so that a busy pool does not look like an outage."""

    def __init__(self, engine: AsyncEngine, redis: Redis, deadline_s: float) -> None:
        self._engine = engine
        self._redis = redis
        self._deadline_s = deadline_s

    async def check(self, purpose: Purpose) -> Readiness:
        started = time.monotonic()
        results = await run_checks(self._checks(purpose), self._deadline_s)
        checks = tuple(Checked(one.name, one.duration_ms, one.failure) for one in results)
        return Readiness(checks, round((time.monotonic() - started) * 1000))

    def _checks(self, purpose: Purpose) -> Mapping[str, Check]:
        if purpose is Purpose.INGEST:
            return {"postgres": self._postgres}
        return {"postgres": self._postgres, "redis": self._ping}

    async def _postgres(self) -> None:
        async with self._engine.connect() as connection:
            await check_revision(connection)

    async def _ping(self) -> None:
        await self._redis.ping()
