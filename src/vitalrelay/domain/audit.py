"""
Who or what changed which alarm: append-only, one hash chain per site.

Each hash covers the one before it and the record's canonical form, so a changed, removed or
inserted record shows.
"""

import hashlib
from collections.abc import Iterable, Mapping

from msgspec import Struct

from vitalrelay.domain.alarms import SYSTEM, Alarm, AlarmAction, Transition, alarm_id
from vitalrelay.domain.assessment import Assessment
from vitalrelay.domain.document import alarm_document, assessment_document, review_document
from vitalrelay.domain.fingerprint import canonical_json
from vitalrelay.domain.packet import EncounterId, PacketId, SubjectId
from vitalrelay.domain.review import ReviewItem
from vitalrelay.domain.signals import CATALOGUE_VERSION

POLICY = "alarms-1"


class Signature(Struct, frozen=True, kw_only=True):
    """
    Who wanted it, and how it is tied to what they sent.

    ``client_ms`` is what their clock said; nothing is decided by it. ``key`` stands for their
    Idempotency-Key, where they gave one, and names the record.
    """

    actor_ref: str
    actor_role: str
    client_ms: int | None = None
    request_id: str | None = None
    key: str | None = None


BY_SYSTEM = Signature(actor_ref=SYSTEM, actor_role=SYSTEM)


class ReviewResolved(Struct, frozen=True):
    """A person's answer to a review item; what the risk does to one is in the assessments."""

    reason: str
    previous: ReviewItem
    current: ReviewItem

    @property
    def action(self) -> AlarmAction:
        return AlarmAction.RESOLVED


Change = Transition | ReviewResolved


class AuditEvent(Struct, frozen=True, kw_only=True):
    """One change and what it rests on. ``occurred_at_ms`` is the database's."""

    event_id: str
    site: str
    subject: SubjectId
    encounter: EncounterId
    change: Change
    occurred_at_ms: int
    packet: PacketId | None
    assessment: Assessment | None
    as_of_ms: int
    signed: Signature = BY_SYSTEM

    @property
    def about(self) -> str:
        """The id of the alarm, or of the review item."""
        thing = self.change.current or self.change.previous
        assert thing is not None
        return alarm_id(self.subject, thing.name) if isinstance(thing, Alarm) else thing.id

    def record(self) -> Mapping[str, object]:
        """What is kept and hashed: shapes of the document, times in milliseconds."""
        assessment, of_review = self.assessment, isinstance(self.change, ReviewResolved)
        return {
            "eventId": self.event_id,
            **({"reviewItemId": self.about} if of_review else {"alarmId": self.about}),
            "subjectId": self.subject,
            "encounterId": self.encounter,
            "siteId": self.site,
            "action": self.change.action,
            "actorRef": self.signed.actor_ref,
            "actorRole": self.signed.actor_role,
            "reason": self.change.reason,
            "occurredAtMs": self.occurred_at_ms,
            "clientTimeMs": self.signed.client_ms,
            "previous": self._thing(self.change.previous),
            "current": self._thing(self.change.current),
            "packetId": self.packet,
            "assessment": assessment and self._assessment(assessment),
            "modelName": assessment and assessment.model_name,
            "modelVersion": assessment and assessment.model_version,
            "policyVersion": f"{CATALOGUE_VERSION}+{POLICY}",
            "requestId": self.signed.request_id,
        }

    def _thing(self, thing: Alarm | ReviewItem | None) -> Mapping[str, object] | None:
        if isinstance(thing, Alarm):
            return alarm_document(thing, self.subject)
        return None if thing is None else review_document(thing)

    def _assessment(self, assessment: Assessment) -> Mapping[str, object]:
        return {**assessment_document(assessment), "asOfMs": self.as_of_ms}


class Link(Struct, frozen=True):
    """A record's place in its site's chain; ``seq`` counts from 1 without a gap."""

    seq: int
    hash: str


CHAIN_START = Link(0, "0" * 64)


def chain(head: Link, events: Iterable[AuditEvent]) -> list[Link]:
    """The links of these events, which follow the head."""
    links = [head]
    for event in events:
        links.append(Link(links[-1].seq + 1, chain_hash(links[-1].hash, event.record())))
    return links[1:]


def chain_hash(previous_hash: str, record: Mapping[str, object]) -> str:
    return hashlib.sha256((previous_hash + canonical_json(record)).encode()).hexdigest()


def by_site(events: Iterable[AuditEvent]) -> dict[str, list[AuditEvent]]:
    """Sites in order, so that two writers never lock two chains both ways round."""
    chains: dict[str, list[AuditEvent]] = {}
    for event in sorted(events, key=lambda event: event.site):
        chains.setdefault(event.site, []).append(event)
    return chains
