"""A patient's chart while packets are taken in: what is shown, and what came of each packet."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from vitalrelay.domain.alarms import Transition, alarms_after, all_resolved, clock_alarm_after
from vitalrelay.domain.assessment import Assessment
from vitalrelay.domain.audit import AuditEvent
from vitalrelay.domain.packet import EncounterId, Received, SubjectId
from vitalrelay.domain.review import ReviewItem, review_after
from vitalrelay.domain.snapshot import Encounter, Snapshot

ENCOUNTER_ENDED = "encounter-ended"


Assess = Callable[[Encounter], Assessment]


@dataclass(frozen=True, slots=True)
class Assessed:
    """The current assessment of one encounter, whether or not that encounter is shown."""

    encounter: Encounter
    assessment: Assessment
    at_ms: int


class Chart:
    """
    One patient, one version on.

    ``stays`` are the other encounters that the packets to come belong to, folded from what is
    stored: a late packet may belong to one, and may make it current again.
    """

    def __init__(self, snapshot: Snapshot, stays: Mapping[EncounterId, Encounter]) -> None:
        self.snapshot = replace(snapshot, version=snapshot.version + 1)
        self.assessed: dict[EncounterId, Assessed] = {}
        self.reviews: dict[EncounterId, ReviewItem] = {}
        self.audit: list[AuditEvent] = []
        self._stays = dict(stays)
        if snapshot.encounter is not None:
            self._stays[snapshot.encounter.id] = snapshot.encounter

    @property
    def subject(self) -> SubjectId:
        return self.snapshot.subject

    @property
    def site(self) -> str:
        assert self.snapshot.encounter is not None, "no packet was folded yet"
        return self.snapshot.encounter.as_of.site

    def fold(self, received: Received, assess: Assess) -> None:
        """Take in one packet and draw the consequences, as if it had come alone."""
        known = self._stays.get(received.packet.encounter)
        stay = Encounter.begun_by(received) if known is None else known.fold(received)
        self._stays[stay.id] = stay
        assessment = assess(stay)
        self.assessed[stay.id] = Assessed(stay, assessment, received.at_ms)
        current = self.snapshot.encounter
        if current is not None and current.id != stay.id:
            if stay.newest < current.newest:
                return  # late, of an earlier stay: kept, and nothing shown changes
            self._end(current, received)
        self._show(stay, assessment, received)

    def _end(self, encounter: Encounter, received: Received) -> None:
        """Another stay is current now: alarms and review item of the old one end with it."""
        ended = all_resolved(self.snapshot.alarms, ENCOUNTER_ENDED)
        self._note(ended, encounter, received, self.snapshot.assessment)
        if self.snapshot.review is not None:
            self.reviews[encounter.id] = self.snapshot.review.closed(encounter.as_of.at_ms)
        self.snapshot = replace(self.snapshot, alarms=(), review=None)

    def _show(self, stay: Encounter, assessment: Assessment, received: Received) -> None:
        as_of_ms = stay.as_of.at_ms
        alarms, of_risk = alarms_after(self.snapshot.alarms, assessment, as_of_ms)
        alarms, of_clock = clock_alarm_after(alarms, received, as_of_ms)
        if of_risk or of_clock:
            self._note([*of_risk, *of_clock], stay, received, assessment)
        review = review_after(self.snapshot.review, assessment, stay.id, as_of_ms)
        if review is not None and review is not self.snapshot.review:
            self.reviews[stay.id] = review
        self.snapshot = Snapshot(
            subject=self.snapshot.subject,
            version=self.snapshot.version,
            encounter=stay,
            assessment=assessment,
            alarms=alarms,
            review=review,
        )

    def _note(
        self,
        transitions: Sequence[Transition],
        encounter: Encounter,
        received: Received,
        assessment: Assessment | None,
    ) -> None:
        for transition in transitions:
            ordinal = f"{self.snapshot.version}.{len(self.audit) + 1}"
            self.audit.append(
                AuditEvent(
                    event_id=f"{self.subject}:{ordinal}",
                    site=received.packet.site,
                    subject=self.subject,
                    encounter=encounter.id,
                    transition=transition,
                    occurred_at_ms=received.at_ms,
                    packet=received.packet.id,
                    assessment=assessment,
                    as_of_ms=encounter.as_of.at_ms,
                )
            )


def fold_all(charts: Iterable[Chart], packets: Iterable[Received], assess: Assess) -> list[Chart]:
    """Every packet into its own patient's chart, in the order given."""
    by_subject = {chart.subject: chart for chart in charts}
    for received in packets:
        by_subject[received.packet.subject].fold(received, assess)
    return list(by_subject.values())
