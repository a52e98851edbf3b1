"""The second story: claim what is due, publish it, judge what came of it, settle."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from vitalrelay.domain.breaker import Breaker
from vitalrelay.domain.projection import Claim, RelayReport, RetryPolicy
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
        return await self._deliver(await self.projections.claim(self.batch_size, self.lease_for))

    async def deliver(self, claims: Sequence[Claim]) -> RelayReport:
        """What was born claimed comes in here; what is left lying falls due by itself."""
        if not self.breaker.lets_through():
            return RelayReport()
        return await self._deliver(claims)

    async def _deliver(self, claims: Sequence[Claim]) -> RelayReport:
        if not claims:
            return RelayReport()
        outcomes = await self.publisher.publish(claims)
        self.breaker.learn(outcomes)
        judged = [
            (claim, claim.judge(outcome, self.retry))
            for claim, outcome in zip(claims, outcomes, strict=True)
        ]
        settled = await self.projections.settle(judged)
        return RelayReport.of(judged, settled, outcomes)
