"""What a clinician should look at next: the queue's order, and what somebody may ask of it."""

from datetime import timedelta

from msgspec import Struct

from vitalrelay.domain.assessment import RiskLevel
from vitalrelay.domain.document import Document
from vitalrelay.domain.packet import SubjectId


class QueueFilter(Struct, frozen=True, kw_only=True):
    """All conditions hold at once; ``older_than`` counts from the item's last move."""

    site: str | None = None
    priority: RiskLevel | None = None
    older_than: timedelta | None = None


class QueuePlace(Struct, frozen=True):
    """Where a page ended: most urgent first, then most recently moved, then by id."""

    urgency: int
    updated_ms: int
    item: str


class QueueItem(Struct, frozen=True):
    subject: SubjectId
    site: str
    place: QueuePlace
    document: Document
