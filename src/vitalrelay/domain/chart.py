"""A patient's chart while it is ours to change: what is shown, and what came of each packet."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from vitalrelay.domain.alarms import BY_PEOPLE, AlarmPolicy, Alarms, Transition
from vitalrelay.domain.assessment import Assessment
from vitalrelay.domain.audit import BY_SYSTEM, AuditEvent, Change, ReviewResolved, Signature
from vitalrelay.domain.conditions import NO_DATA, alarms_after, clock_alarm_after
from vitalrelay.domain.episodes import Episodes, all_resolved
from vitalrelay.domain.errors import NotPossible
from vitalrelay.domain.hearing import Hearing, live
from vitalrelay.domain.packet import EncounterId, PacketId, Received, SubjectId
from vitalrelay.domain.review import ReviewItem, ReviewState, review_after
from vitalrelay.domain.snapshot import Encounter, Snapshot

ENCOUNTER_ENDED = "encounter-ended"
USUAL = AlarmPolicy()
UNHEARD = Hearing()

Assess = Callable[[Encounter], Assessment]


class Assessed(Struct, frozen=True):
    """The current assessment of one encounter, whether or not that encounter is shown."""

    encounter: Encounter
    assessment: Assessment
    at_ms: int


class Chart:
    """
    One patient, one version on.

    ``now_ms`` is when the chart became ours, by the database's clock.
    """

    def __init__(self, snapshot: Snapshot, hearing: Hearing = UNHEARD, now_ms: int = 0) -> None:
        self.snapshot = replace(snapshot, version=snapshot.version + 1)
        self.hearing = hearing
        self.now_ms = now_ms
        self.assessed: dict[EncounterId, Assessed] = {}
        self.reviews: dict[EncounterId, ReviewItem] = {}
        self.audit: list[AuditEvent] = []
        self._before = self.snapshot
        self._stays: dict[EncounterId, Encounter] = {}
        if snapshot.encounter is not None:
            self._stays[snapshot.encounter.id] = snapshot.encounter

    def recall(self, stays: Mapping[EncounterId, Encounter]) -> None:
        """
        The other encounters that the packets to come belong to, folded from what is stored.

        A late packet may belong to one, and may make it current again.
        """
        self._stays = {**stays, **self._stays}

    @property
    def subject(self) -> SubjectId:
        return self.snapshot.subject

    @property
    def current(self) -> Encounter:
        assert self.snapshot.encounter is not None, "no packet was folded yet"
        return self.snapshot.encounter

    @property
    def site(self) -> str:
        return self.current.as_of.site

    @property
    def changed(self) -> bool:
        """Whether there is anything new to show."""
        return self.snapshot != self._before

    @property
    def wanted_version(self) -> int:
        return self.snapshot.version if self.changed else self._before.version - 1

    def fold(self, received: Received, assess: Assess, policy: AlarmPolicy = USUAL) -> None:
        """Take in one packet and draw the consequences, as if it had come alone."""
        if live(received):
            self.hearing = self.hearing.heard(received)
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
        self._show(stay, assessment, received, policy.rearm_ms)

    def _end(self, encounter: Encounter, received: Received) -> None:
        """Another stay is current now: alarms and review item of the old one end with it."""
        as_of_ms = encounter.as_of.at_ms
        ended = all_resolved(self.snapshot.every_alarm, as_of_ms, ENCOUNTER_ENDED)
        self._note(ended, received.at_ms, received.packet.id)
        if self.snapshot.review is not None:
            self.reviews[encounter.id] = self.snapshot.review.closed(as_of_ms)
        self.snapshot = replace(self.snapshot, alarms=(), resting=(), review=None)

    def _show(
        self, stay: Encounter, assessment: Assessment, received: Received, rearm_ms: int
    ) -> None:
        before, as_of_ms = self.snapshot, stay.as_of.at_ms
        alarms, of_risk = alarms_after(before.every_alarm, assessment, as_of_ms, rearm_ms)
        alarms, of_clock = clock_alarm_after(alarms, received, as_of_ms, rearm_ms)
        alarms, of_silence = self._heard(alarms, received, as_of_ms, rearm_ms)
        review = review_after(before.review, assessment, stay.id, as_of_ms)
        if review is not None and review is not before.review:
            self.reviews[stay.id] = review
        self.snapshot = replace(
            before,
            encounter=stay,
            assessment=assessment,
            review=review,
            monitored=before.monitored or live(received),
        ).with_alarms(alarms)
        self._note([*of_risk, *of_clock, *of_silence], received.at_ms, received.packet.id)

    def _heard(
        self, alarms: Alarms, received: Received, as_of_ms: int, rearm_ms: int
    ) -> tuple[Alarms, Sequence[Transition]]:
        """A packet ends the silence, if it speaks of now."""
        if not live(received) or all(alarm.condition != NO_DATA for alarm in alarms):
            return alarms, ()
        episodes = Episodes(alarms, as_of_ms, rearm_ms)
        episodes.over(NO_DATA.name)
        return episodes.result()

    def episodes(self, policy: AlarmPolicy) -> Episodes:
        """A look at the alarms without a packet: event time stands still for it."""
        as_of_ms = self.current.as_of.at_ms
        return Episodes(self.snapshot.every_alarm, as_of_ms, policy.rearm_ms)

    def take(self, episodes: Episodes, signed: Signature = BY_SYSTEM) -> None:
        """What came of such a look: signed is what a person did, the rest followed by itself."""
        alarms, transitions = episodes.result()
        self.snapshot = self.snapshot.with_alarms(alarms)
        for transition in transitions:
            by = signed if transition.action in BY_PEOPLE else BY_SYSTEM
            self._note([transition], self.now_ms, None, by)

    def resolve_review(self, review_item: str, signed: Signature, note: str) -> None:
        """Raises NotPossible where it is closed: so is every item but the current stay's."""
        item = self.snapshot.review
        if item is None or item.id != review_item:
            raise NotPossible(ReviewState.CLOSED)
        resolved = item.resolved(signed.actor_ref, self.current.as_of.at_ms)
        if resolved is item:
            return
        self.reviews[item.encounter] = resolved
        self.snapshot = replace(self.snapshot, review=resolved)
        self._note([ReviewResolved(note, item, resolved)], self.now_ms, None, signed)

    def _note(
        self,
        changes: Sequence[Change],
        at_ms: int,
        packet: PacketId | None,
        signed: Signature = BY_SYSTEM,
    ) -> None:
        for change in changes:
            ordinal = f"{self.snapshot.version}.{len(self.audit) + 1}"
            key = "" if signed.key is None else f":{signed.key}"
            event = AuditEvent(
                event_id=f"{self.subject}:{ordinal}{key}",
                site=self.site,
                subject=self.subject,
                encounter=self.current.id,
                change=change,
                occurred_at_ms=at_ms,
                packet=packet,
                assessment=self.snapshot.assessment,
                as_of_ms=self.current.as_of.at_ms,
                signed=signed,
            )
            self.audit.append(event)


def fold_all(
    charts: Iterable[Chart],
    packets: Iterable[Received],
    assess: Assess,
    policy: AlarmPolicy = USUAL,
) -> list[Chart]:
    """Every packet into its own patient's chart, in the order given."""
    by_subject = {chart.subject: chart for chart in charts}
    for received in packets:
        by_subject[received.packet.subject].fold(received, assess, policy)
    return list(by_subject.values())
