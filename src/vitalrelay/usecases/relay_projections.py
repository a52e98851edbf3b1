"""The second story: claim what is due, publish it, judge what came of it, settle."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from vitalrelay.domain.breaker import Breaker
from vitalrelay.domain.projection import Claim, Judged, RelayReport, RetryPolicy
from vitalrelay.ports.projections import Projections, SnapshotPublisher


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayProjections:
    """While the breaker is open nothing is tried and nothing is claimed."""

    projections: Projections
    publisher: SnapshotPublisher
    breaker: Breaker
    retry: RetryPolicy
    batch_size: int
    lease_for: timedelta

    async def run_once(self) -> RelayReport:
        if not self.breaker.lets_through():
            return RelayReport()
        claims = await self.projections.claim(self.batch_size, self.lease_for)
        return await self.settle(await self._publish(claims))

    async def deliver(self, claims: Sequence[Claim]) -> RelayReport:
        """What was born claimed comes in here; what is left lying falls due by itself."""
        return await self.settle(await self.publish(claims))

    async def publish(self, claims: Sequence[Claim]) -> list[Judged]:
        """The first half of it; until the second, another may publish the same once more."""
        if not self.breaker.lets_through():
            return []
        return await self._publish(claims)

    async def settle(self, judged: Sequence[Judged]) -> RelayReport:
        if not judged:
            return RelayReport()
        settled = await self.projections.settle([(one.claim, one.verdict) for one in judged])
        return RelayReport.of(judged, settled)

    async def _publish(self, claims: Sequence[Claim]) -> list[Judged]:
        if not claims:
            return []
        outcomes = await self.publisher.publish(claims)
        self.breaker.learn(outcomes)
        return [
            Judged(claim, outcome, claim.judge(outcome, self.retry))
            for claim, outcome in zip(claims, outcomes, strict=True)
        ]
