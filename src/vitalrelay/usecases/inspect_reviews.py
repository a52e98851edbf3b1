"""What waits for a clinician, and what was done about it: page by page."""

from collections.abc import Sequence
from dataclasses import dataclass

from vitalrelay.domain.chain_check import StoredEvent
from vitalrelay.domain.errors import NotFound
from vitalrelay.domain.review_queue import QueueFilter, QueueItem, QueuePlace
from vitalrelay.ports.audit_trail import AuditPlace, AuditTrail
from vitalrelay.ports.review_queue import ReviewQueue


@dataclass(frozen=True, slots=True)
class QueuePage:
    """``then`` leads to the next page; None on the last one."""

    items: Sequence[QueueItem]
    then: QueuePlace | None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """``then`` leads to the next page; None on the last one."""

    events: Sequence[StoredEvent]
    then: AuditPlace | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectReviews:
    queue: ReviewQueue
    trail: AuditTrail

    async def open(self, which: QueueFilter, limit: int, after: QueuePlace | None) -> QueuePage:
        """Open items, most urgent first."""
        items = await self.queue.some(which, limit + 1, after)
        page = items[:limit]
        return QueuePage(page, page[-1].place if len(items) > limit else None)

    async def audit_of(self, about: str, limit: int, before: AuditPlace | None) -> AuditPage:
        """Newest first. Raises NotFound for what never was."""
        events = await self.trail.of(about, limit + 1, before)
        if not events and before is None:
            raise NotFound
        page = events[:limit]
        if len(events) <= limit:
            return AuditPage(page, None)
        last = page[-1]
        return AuditPage(page, AuditPlace(int(str(last.record["occurredAtMs"])), last.seq))
