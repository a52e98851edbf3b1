"""What is owed, in memory. Delays are kept to the letter: there is no herd to break up."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never
from uuid import uuid4

from vitalrelay.adapters.outbound.memory.database import MemoryDatabase, Projection
from vitalrelay.domain.projection import (
    Claim,
    GiveUp,
    HandBack,
    Lease,
    ProjectionStatus,
    Published,
    RetryLater,
    Verdict,
)


class MemoryProjections:
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def claim(self, limit: int, lease_for: timedelta) -> list[Claim]:
        lease, now = Lease(uuid4()), self._database.now
        due = [row for row in self._database.projections.values() if row.due(now)]
        claimed = [
            replace(row, attempt=row.attempt + 1, due_at=now + lease_for, lease=lease)
            for row in sorted(due, key=lambda row: (-row.urgency, row.due_at))[:limit]
        ]
        self._database.projections.update({row.snapshot.subject: row for row in claimed})
        return [row.claimed() for row in claimed]

    async def settle(self, judged: Sequence[tuple[Claim, Verdict]]) -> int:
        return sum(self._settle(claim, verdict) for claim, verdict in judged)

    def _settle(self, claim: Claim, verdict: Verdict) -> bool:
        row = self._database.projections.get(claim.subject)
        if row is None or (row.lease, row.version) != (claim.lease, claim.version):
            return False
        settled = replace(settled_by(verdict, row, self._database.now), lease=None)
        self._database.projections[claim.subject] = settled
        return True


def settled_by(verdict: Verdict, row: Projection, now: datetime) -> Projection:
    failed = replace(row, status=ProjectionStatus.FAILED, due_at=None)
    match verdict:
        case Published():
            return replace(row, status=ProjectionStatus.PUBLISHED, error="", due_at=None)
        case GiveUp(reason):
            return replace(failed, error=reason)
        case RetryLater(after, reason):
            return replace(failed, error=reason, due_at=now + after)
        case HandBack(after, reason):
            return replace(failed, error=reason, due_at=now + after, attempt=row.attempt - 1)
        case _:
            assert_never(verdict)
