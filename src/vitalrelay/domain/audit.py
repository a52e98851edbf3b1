"""
Who or what changed which alarm: append-only, one hash chain per site.

Each hash covers the one before it and the record's canonical form, so a changed, removed or
inserted record shows.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vitalrelay.domain.alarms import SYSTEM, Transition, alarm_id
from vitalrelay.domain.assessment import Assessment
from vitalrelay.domain.document import alarm_document, assessment_document
from vitalrelay.domain.fingerprint import canonical_json
from vitalrelay.domain.packet import EncounterId, PacketId, SubjectId
from vitalrelay.domain.signals import CATALOGUE_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One transition of one alarm and what it rests on. ``occurred_at_ms`` is the database's."""

    event_id: str
    site: str
    subject: SubjectId
    encounter: EncounterId
    transition: Transition
    occurred_at_ms: int
    packet: PacketId | None
    assessment: Assessment | None
    as_of_ms: int
    request_id: str | None = None  # of a person's action; what follows by itself has its packet
    actor_ref: str = SYSTEM
    actor_role: str = SYSTEM

    @property
    def alarm_id(self) -> str:
        alarm = self.transition.current or self.transition.previous
        assert alarm is not None
        return alarm_id(self.subject, alarm.name)

    def record(self) -> Mapping[str, object]:
        """What is kept and hashed: shapes of the document, times in milliseconds."""
        before, after = self.transition.previous, self.transition.current
        assessment = self.assessment
        return {
            "eventId": self.event_id,
            "alarmId": self.alarm_id,
            "subjectId": self.subject,
            "encounterId": self.encounter,
            "siteId": self.site,
            "action": self.transition.action,
            "actorRef": self.actor_ref,
            "actorRole": self.actor_role,
            "reason": self.transition.reason,
            "occurredAtMs": self.occurred_at_ms,
            "previous": None if before is None else alarm_document(before, self.subject),
            "current": None if after is None else alarm_document(after, self.subject),
            "packetId": self.packet,
            "assessment": assessment and self._assessment(assessment),
            "modelName": assessment and assessment.model_name,
            "modelVersion": assessment and assessment.model_version,
            "policyVersion": CATALOGUE_VERSION,
            "requestId": self.request_id,
        }

    def _assessment(self, assessment: Assessment) -> Mapping[str, object]:
        return {**assessment_document(assessment), "asOfMs": self.as_of_ms}


@dataclass(frozen=True, slots=True)
class Link:
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


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A link as it was found, with the record it should be about."""

    seq: int
    previous_hash: str
    hash: str
    record: Mapping[str, object]


class ChainCheck:
    """Follows one site's chain from its start and counts the links that do not hold."""

    def __init__(self) -> None:
        self.broken = 0
        self._head = CHAIN_START
        self._states: dict[object, object] = {}  # by alarm

    def follow(self, event: StoredEvent) -> None:
        """The next link must continue the one before, and each alarm's states must join up."""
        alarm = event.record.get("alarmId")
        holds = (
            event.seq == self._head.seq + 1
            and event.previous_hash == self._head.hash
            and event.hash == chain_hash(event.previous_hash, event.record)
            and _told(event.record.get("previous")) == self._states.get(alarm)
        )
        self.broken += not holds
        self._head = Link(event.seq, event.hash)
        self._states[alarm] = _told(event.record.get("current"))

    def end(self, head: Link) -> None:
        """Where the chain says it ends: records taken from its end show here."""
        self.broken += head != self._head


def _told(alarm: object) -> object:
    """What of an alarm changes only with a record; being confirmed, or stale, makes none."""
    if not isinstance(alarm, dict):
        return alarm
    return {name: value for name, value in alarm.items() if name not in ("known", "stale")}


def by_site(events: Iterable[AuditEvent]) -> dict[str, list[AuditEvent]]:
    """Sites in order, so that two writers never lock two chains both ways round."""
    chains: dict[str, list[AuditEvent]] = {}
    for event in sorted(events, key=lambda event: event.site):
        chains.setdefault(event.site, []).append(event)
    return chains
