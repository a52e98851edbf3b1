"""What the memory adapters share: rows by their keys, and a clock that others move."""

from asyncio import Lock
from dataclasses import dataclass, field
from datetime import UTC, datetime

from vitalrelay.domain.audit import AuditEvent
from vitalrelay.domain.chart import UNHEARD, Assessed
from vitalrelay.domain.document import Document
from vitalrelay.domain.hearing import Hearing
from vitalrelay.domain.packet import EncounterId, PacketId, Received, SubjectId
from vitalrelay.domain.projection import Claim, Lease, ProjectionStatus
from vitalrelay.domain.review import ReviewItem
from vitalrelay.domain.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """One patient's row; ``due_at`` is None where nothing will be tried by itself."""

    snapshot: Snapshot
    incarnation: int
    version: int
    fingerprint: str
    document: str
    urgency: int
    status: ProjectionStatus = ProjectionStatus.PENDING
    attempt: int = 0
    error: str = ""
    due_at: datetime | None = None
    lease: Lease | None = None
    hearing: Hearing = UNHEARD
    look_at_ms: int | None = None

    def due(self, now: datetime) -> bool:
        return self.due_at is not None and self.due_at <= now

    def claimed(self) -> Claim:
        assert self.lease is not None, "nobody holds a lease on this row"
        return Claim(
            subject=self.snapshot.subject,
            incarnation=self.incarnation,
            version=self.version,
            fingerprint=self.fingerprint,
            document=self.document,
            attempt=self.attempt,
            lease=self.lease,
        )


@dataclass(slots=True, kw_only=True)
class MemoryDatabase:
    """What was committed. Its clock stands still until somebody moves ``now``."""

    now: datetime = datetime(2026, 6, 1, tzinfo=UTC)
    incarnation: int = 1
    packets: dict[PacketId, Received] = field(default_factory=dict)
    projections: dict[SubjectId, Projection] = field(default_factory=dict)
    assessments: dict[EncounterId, tuple[SubjectId, Assessed]] = field(default_factory=dict)
    reviews: dict[str, ReviewItem] = field(default_factory=dict)
    audit: dict[str, AuditEvent] = field(default_factory=dict)
    answers: dict[str, tuple[str, Document]] = field(default_factory=dict)
    one_unit_at_a_time: Lock = field(default_factory=Lock)

    @property
    def now_ms(self) -> int:
        return int(self.now.timestamp() * 1000)
