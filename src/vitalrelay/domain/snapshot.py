"""
A patient's current state, folded from packets in whatever order they arrive.

Taking in a vital is a join: commutative, associative, idempotent. So the vitals are a function
of the set of packets, and no order of arrival can be told from the result.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from vitalrelay.domain.alarms import Alarms
from vitalrelay.domain.assessment import Assessment
from vitalrelay.domain.packet import EncounterId, PacketId, Quality, Received, SubjectId, Value
from vitalrelay.domain.review import ReviewItem
from vitalrelay.domain.signals import read


class Moment(NamedTuple):
    """An effective time and the packet that holds it: of two equal times the greater id wins."""

    at_ms: int
    packet: PacketId

    @property
    def site(self) -> str:
        return self.packet.partition(":")[0]


class Vital(Struct, frozen=True):
    """
    The newest value of one signal, in the canonical unit, and the newest good one before it.

    ``conflict``: another value claims the same time. ``last_good`` is None where the value
    itself is good, or where none ever was.
    """

    value: Value
    unit: str | None
    moment: Moment
    quality: Quality
    quality_reason: str | None = None
    conflict: bool = False
    last_good: "Vital | None" = None

    @property
    def good(self) -> "Vital | None":
        """What may be scored: a slipped probe must not make the last good value disappear."""
        return self if self.quality is Quality.GOOD else self.last_good

    def replaces(self, other: "Vital") -> bool:
        """Later, and good: nothing of the other remains. So it is with nearly all."""
        later = self.moment.at_ms > other.moment.at_ms
        return later and self.quality is Quality.GOOD and not self.conflict

    def join(self, other: "Vital") -> "Vital":
        """Both taken together. Within one packet the first entry wins: ``self``, on a full tie."""
        if other.replaces(self):
            return other
        newer, older = (self, other) if self.moment >= other.moment else (other, self)
        if newer.moment.at_ms == older.moment.at_ms:
            conflict = newer.conflict or older.conflict or newer.value != older.value
        else:
            conflict = newer.conflict
        shown_is_good = newer.quality is Quality.GOOD
        last_good = None if shown_is_good else newest_good(self.good, other.good)
        if conflict is newer.conflict and last_good is newer.last_good:
            return newer
        return replace(newer, conflict=conflict, last_good=last_good)


def newest_good(one: Vital | None, other: Vital | None) -> Vital | None:
    if one is None or other is None:
        best = one or other
    else:
        best = one if one.moment >= other.moment else other
    if best is None or not best.conflict:
        return best
    # A conflict belongs to the time shown; carried along here it would depend on the order.
    return replace(best, conflict=False)


class Encounter(Struct, frozen=True, kw_only=True):
    """
    One stay of a patient, folded from that stay's packets alone.

    ``newest`` is the newest packet by its own time and decides which stay is current.
    ``as_of`` is the newest time of any packet or signal: what everything else is as old against.
    """

    id: EncounterId
    newest: Moment
    as_of: Moment
    vitals: Mapping[str, Vital] = field(default_factory=dict)

    @classmethod
    def begun_by(cls, received: Received) -> "Encounter":
        moment = Moment(received.effective_ms, received.packet.id)
        return cls(id=received.packet.encounter, newest=moment, as_of=moment).fold(received)

    def fold(self, received: Received) -> "Encounter":
        """Take in one packet of this stay. Any order of arrival ends in the same encounter."""
        packet = received.packet
        vitals = dict(self.vitals)
        newest = Moment(received.effective_ms, packet.id)
        as_of = max(self.as_of, newest)
        for signal in packet.signals:
            moment = newest
            if signal.measured_ms != packet.timestamp_ms:
                moment = Moment(min(signal.measured_ms, received.at_ms), packet.id)
                as_of = max(as_of, moment)
            value, unit, quality, reason = read(signal)
            vital = Vital(value, unit, moment, quality, reason)
            known = vitals.get(signal.code)
            vitals[signal.code] = vital if known is None else known.join(vital)
        return Encounter(id=self.id, newest=max(self.newest, newest), as_of=as_of, vitals=vitals)


def folded(packets: Iterable[Received]) -> Encounter:
    """One stay from all its packets, at least one, in any order."""
    first, *rest = packets
    encounter = Encounter.begun_by(first)
    for received in rest:
        encounter = encounter.fold(received)
    return encounter


class Snapshot(Struct, frozen=True, kw_only=True):
    """
    What the screens are to show of a patient.

    Vitals and assessment are functions of the stored packets; alarms and the review item are
    not: they record what we knew when, and what people did about it.
    """

    subject: SubjectId
    version: int = 0  # 0: nothing is known of this patient yet
    encounter: Encounter | None = None
    assessment: Assessment | None = None
    alarms: Alarms = ()
    resting: Alarms = ()  # resolved so lately that their condition may still return to them
    review: ReviewItem | None = None
    monitored: bool = True  # until nothing was heard for so long that nobody listens any more

    @property
    def every_alarm(self) -> Alarms:
        return self.alarms + self.resting

    def with_alarms(self, alarms: Alarms) -> "Snapshot":
        if not alarms and not self.every_alarm:
            return self
        shown = tuple(alarm for alarm in alarms if alarm.shown)
        resting = tuple(alarm for alarm in alarms if not alarm.shown)
        return replace(self, alarms=shown, resting=resting)

    @property
    def urgency(self) -> int:
        """How soon this must be shown, against other patients: more is sooner."""
        return 0 if self.assessment is None else self.assessment.risk_level.urgency
