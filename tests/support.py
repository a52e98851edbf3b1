"""What tests are about, in few words: whatever a test does not name is ordinary."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from vitalrelay.domain.alarms import Alarm, AlarmKind, AlarmPriority, AlarmState, Condition
from vitalrelay.domain.assessment import Assessment, Completeness, RiskLevel, Source
from vitalrelay.domain.document import document_of, parse_document, snapshot_from
from vitalrelay.domain.fingerprint import canonical_json, fingerprint
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.packet import (
    EncounterId,
    Packet,
    Quality,
    Received,
    Signal,
    SubjectId,
    packet_id,
)
from vitalrelay.domain.projection import Claim, Lease, RetryPolicy
from vitalrelay.domain.review import ReviewItem, ReviewState
from vitalrelay.domain.snapshot import Encounter, Snapshot, folded

NOW_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

SECOND = timedelta(seconds=1)
LEASE = timedelta(seconds=30)
TWICE = RetryPolicy(
    max_attempts=2, first_delay=SECOND, longest_delay=8 * SECOND, outage_pause=5 * SECOND
)

# Complete, and worth no point.
WELL: Mapping[str, Any] = {
    "respiratory_rate": 16,
    "spo2": 97,
    "supplemental_oxygen": False,
    "systolic_bp": 120,
    "heart_rate": 70,
    "consciousness": "A",
    "temperature": 36.8,
}
SEVEN = tuple(WELL)

JsonValue = int | float | Decimal | bool | str


def a_value(value: JsonValue) -> Decimal | bool | str:
    """A number as the wire reads it; True, False and words as they are."""
    return value if isinstance(value, bool | str) else Decimal(str(value))


def a_signal(
    code: str = "heart_rate",
    value: JsonValue = 81,
    unit: str | None = None,
    measured_ms: int = NOW_MS,
    quality: Quality = Quality.GOOD,
) -> Signal:
    return Signal(code, a_value(value), unit, measured_ms, quality)


def a_packet(
    *signals: Signal,
    at_ms: int = NOW_MS,
    subject: str = "p-0042",
    encounter: str | None = None,
    site: str = "seoul-01",
    device: str = "bed-12",
    sequence: int | None = None,
    **values: JsonValue,
) -> Packet:
    """``a_packet(heart_rate=81)``; signals with a time or a quality of their own come first."""
    measured_now = [a_signal(code, value, measured_ms=at_ms) for code, value in values.items()]
    return Packet(
        id=packet_id(site, device, at_ms, sequence),
        site=site,
        device=device,
        subject=SubjectId(subject),
        encounter=EncounterId(encounter or subject),
        timestamp_ms=at_ms,
        sequence=sequence,
        signals=(*signals, *measured_now),
    )


def received(
    *signals: Signal, at_ms: int = NOW_MS, received_ms: int | None = None, **packet: Any
) -> Received:
    """A packet that came in the moment it was sent, unless ``received_ms`` says otherwise."""
    return Received(
        a_packet(*signals, at_ms=at_ms, **packet), at_ms if received_ms is None else received_ms
    )


def an_encounter(*packets: Received, **values: JsonValue) -> Encounter:
    """The stay that these packets make, or one packet with these values."""
    return folded(packets or [received(**values)])


def assessed(*packets: Received, **values: JsonValue) -> Assessment:
    """What NEWS2 says of the stay that these packets, or these values, make."""
    return News2()(an_encounter(*packets, **values))


def an_assessment(
    risk_level: RiskLevel = RiskLevel.LOW,
    *,
    known: Collection[str] = SEVEN,
    components: Mapping[str, int] | None = None,
    model_name: str = "news2",
) -> Assessment:
    """A level as the test wants it; known parameters without points in ``components`` have 0."""
    points = {name: 0 for name in SEVEN if name in known} | dict(components or {})
    missing = tuple(name for name in SEVEN if name not in points)
    some = Completeness.PARTIAL if points else Completeness.UNKNOWN
    return Assessment(
        model_name=model_name,
        model_version=f"{model_name}/test",
        risk_level=risk_level,
        score=sum(points.values()) if points else None,
        upper_bound=20,
        completeness=some if missing else Completeness.COMPLETE,
        missing=missing,
        components=points,
        sources={name: Source(name, NOW_MS) for name in points},
        any_three=3 in points.values(),
        review_required=risk_level not in (RiskLevel.LOW, RiskLevel.UNKNOWN),
    )


def an_alarm(
    name: str = "news2-medium",
    state: AlarmState = AlarmState.ACTIVE,
    *,
    since_ms: int = NOW_MS,
    known: Collection[str] = SEVEN,
    acknowledged_by: str | None = None,
    muted_until_ms: int | None = None,
    stale: bool = False,
) -> Alarm:
    if state is AlarmState.ACKNOWLEDGED and acknowledged_by is None:
        acknowledged_by = "nurse-7"
    return Alarm(
        condition=_condition(name),
        state=state,
        since_ms=since_ms,
        known=frozenset(known),
        acknowledged_by=acknowledged_by,
        muted_until_ms=muted_until_ms,
        stale=stale,
    )


def _condition(name: str) -> Condition:
    if name == "clock-suspect":
        return Condition(name, AlarmKind.TECHNICAL, AlarmPriority.LOW)
    if name == "no-data":
        return Condition(name, AlarmKind.TECHNICAL, AlarmPriority.MEDIUM)
    priority = AlarmPriority.HIGH if name.endswith("-high") else AlarmPriority.MEDIUM
    return Condition(name, AlarmKind.PHYSIOLOGICAL, priority)


def a_review_item(
    priority: RiskLevel = RiskLevel.MEDIUM,
    state: ReviewState = ReviewState.OPEN,
    *,
    encounter: str = "p-0042",
    updated_ms: int = NOW_MS,
    known: Collection[str] = SEVEN,
    resolved_by: str | None = None,
) -> ReviewItem:
    if state is ReviewState.RESOLVED and resolved_by is None:
        resolved_by = "nurse-7"
    return ReviewItem(
        encounter=EncounterId(encounter),
        priority=priority,
        state=state,
        updated_ms=updated_ms,
        known=frozenset(known),
        resolved_by=resolved_by,
    )


def a_snapshot(*packets: Received, version: int = 1, **values: JsonValue) -> Snapshot:
    """What is shown of a patient after these packets, or one packet with these values."""
    sent = packets or (received(**values),)
    stay = an_encounter(*sent)
    return Snapshot(
        subject=sent[0].packet.subject,
        version=version,
        encounter=stay,
        assessment=News2()(stay),
    )


def reread(snapshot: Snapshot) -> Snapshot:
    """The snapshot after a stay in the database, where it is canonical JSON."""
    text = canonical_json(document_of(snapshot))
    return snapshot_from(parse_document(text), snapshot.version)


def a_claim(
    subject: str = "p-1",
    *,
    version: int = 1,
    attempt: int = 1,
    incarnation: int = 1,
    document: str | None = None,
    lease: Lease | None = None,
) -> Claim:
    text = document or canonical_json({"subjectId": subject, "asOfMs": NOW_MS})
    return Claim(
        subject=SubjectId(subject),
        incarnation=incarnation,
        version=version,
        fingerprint=fingerprint(text),
        document=text,
        attempt=attempt,
        lease=lease or Lease(uuid4()),
    )
