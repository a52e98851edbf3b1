"""One patient's bedside: what the monitor, people and time do there, and what is told of it."""

from collections.abc import Callable, Iterable, Sequence

from tests.support import NOW_MS, received, reread
from vitalrelay.domain.actions import Acknowledge, Action, Mute
from vitalrelay.domain.alarms import Alarm, AlarmPolicy, AlarmState
from vitalrelay.domain.assessment import Assessment
from vitalrelay.domain.audit import CHAIN_START, AuditEvent, Signature, by_site, chain
from vitalrelay.domain.chain_check import ChainCheck, StoredEvent
from vitalrelay.domain.chart import Assess, Chart, fold_all
from vitalrelay.domain.document import parse_document
from vitalrelay.domain.fingerprint import canonical_json
from vitalrelay.domain.hearing import Hearing
from vitalrelay.domain.packet import EncounterId, Received, SubjectId
from vitalrelay.domain.snapshot import Encounter, Snapshot
from vitalrelay.domain.watch import look

SUBJECT = SubjectId("p-0042")


class Bedside:
    """
    Seconds count from the test's beginning; between two steps the patient is a document.

    ``sees`` is a packet with what the risk model makes of it.
    """

    def __init__(self, **policy: int | None) -> None:
        self.policy = AlarmPolicy(**policy)
        self.snapshot = Snapshot(subject=SUBJECT)
        self.hearing = Hearing()
        self.now_ms = 0
        self.events: list[AuditEvent] = []
        self._stays: dict[EncounterId, Encounter] = {}

    def sees(self, assessment: Assessment, at_s: float, **packet: object) -> None:
        self.receives((at(at_s, self.now_ms, **packet), assessment))

    def receives(self, *together: tuple[Received, Assessment]) -> None:
        """In one transaction."""

        def fold(chart: Chart) -> None:
            for packet, assessment in together:
                chart.fold(packet, lambda _, says=assessment: says, self.policy)

        self._now(packet for packet, _ in together)
        self._step(fold)

    def measures(self, packets: Sequence[Received], assess: Assess) -> None:
        """In one transaction, and the risk model says what to make of them."""
        self._now(packets)
        self._step(lambda chart: fold_all([chart], packets, assess, self.policy))

    def _now(self, packets: Iterable[Received]) -> None:
        self.now_ms = max(self.now_ms, *(packet.at_ms for packet in packets))

    def acknowledges(self, name: str, by: str = "nurse-7") -> None:
        self.acts(Acknowledge(about=f"{SUBJECT}:{name}", reason="seen at bedside"), by)

    def mutes(self, name: str, for_s: int = 600, by: str = "nurse-7") -> None:
        about = f"{SUBJECT}:{name}"
        self.acts(Mute(about=about, reason="at the bedside", for_ms=for_s * 1000), by)

    def acts(self, action: Action, by: str) -> None:
        signed = Signature(actor_ref=by, actor_role="clinician")
        self._step(lambda chart: action.on(chart, signed, self.policy))

    def looks(self, at_s: float) -> None:
        """The worker does, at that time by the server's clock."""
        self.now_ms = NOW_MS + round(at_s * 1000)
        self._step(lambda chart: look(chart, self.policy))

    def _step(self, do: Callable[[Chart], None]) -> None:
        chart = Chart(self.snapshot, self.hearing, self.now_ms)
        chart.recall(self._stays)
        do(chart)
        self._stays |= {stay.encounter.id: stay.encounter for stay in chart.assessed.values()}
        self.hearing = chart.hearing
        self.events += chart.audit
        self.snapshot = reread(chart.snapshot)
        assert self.snapshot == chart.snapshot, "the document does not say it all"

    def alarm(self, name: str) -> Alarm:
        [alarm] = [alarm for alarm in self.snapshot.alarms if alarm.name == name]
        return alarm

    @property
    def shown(self) -> dict[str, AlarmState]:
        return {alarm.name: alarm.state for alarm in self.snapshot.alarms}

    @property
    def resting(self) -> list[str]:
        return [alarm.name for alarm in self.snapshot.resting]

    def trail(self, name: str) -> list[str]:
        """What was told of one alarm: ``raised by system: nothing > active``."""
        return [line(event) for event in self.events if event.about == f"{SUBJECT}:{name}"]

    def broken(self) -> int:
        """Links that do not hold, in the trails as they are kept."""
        return sum(broken(events) for events in by_site(self.events).values())


def at(at_s: float, now_ms: int = 0, *, late_s: float = 0, **packet: object) -> Received:
    """A packet measured then; ``late_s`` later it came, and never before what came before it."""
    at_ms = NOW_MS + round(at_s * 1000)
    received_ms = max(now_ms, at_ms + round(late_s * 1000))
    return received(at_ms=at_ms, received_ms=received_ms, heart_rate=70, **packet)


def line(event: AuditEvent) -> str:
    record = event.record()
    before, after = (
        thing["state"] if thing else "nothing" for thing in (record["previous"], record["current"])
    )
    return f"{record['action']} by {record['actorRef']}: {before} > {after}"


def broken(events: list[AuditEvent]) -> int:
    check, previous = ChainCheck(), CHAIN_START
    for event, link in zip(events, chain(CHAIN_START, events), strict=True):
        record = parse_document(canonical_json(event.record()))
        check.follow(StoredEvent(link.seq, previous.hash, link.hash, record))
        previous = link
    check.end(previous)
    return check.broken
