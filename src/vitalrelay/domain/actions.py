"""What a clinician may do: a closed set; each acts on the wanted snapshot, and is signed."""

from msgspec import Struct

from vitalrelay.domain.alarms import Alarm, AlarmPolicy, alarm_id
from vitalrelay.domain.audit import Signature
from vitalrelay.domain.chart import Chart
from vitalrelay.domain.document import Document, alarm_document, review_document
from vitalrelay.domain.errors import NotFound
from vitalrelay.domain.packet import EncounterId
from vitalrelay.domain.review import review_item_id


class Acknowledge(Struct, frozen=True, kw_only=True):
    """Seen, acting."""

    about: str
    reason: str

    def on(self, chart: Chart, signed: Signature, policy: AlarmPolicy) -> None:
        """Raises NotPossible where there is nothing left to acknowledge."""
        episodes = chart.episodes(policy)
        episodes.acknowledge(condition_of(self.about, chart), signed.actor_ref, self.reason)
        chart.take(episodes, signed)


class Mute(Struct, frozen=True, kw_only=True):
    """Quiet for a while; the alarm stays in sight."""

    about: str
    reason: str
    for_ms: int

    def on(self, chart: Chart, signed: Signature, policy: AlarmPolicy) -> None:
        """Raises NotPossible where there is nothing to be heard."""
        episodes = chart.episodes(policy)
        episodes.mute(condition_of(self.about, chart), chart.now_ms + self.for_ms, self.reason)
        chart.take(episodes, signed)


class ResolveReview(Struct, frozen=True, kw_only=True):
    """Looked at and dealt with; the note says how."""

    about: str
    note: str

    def on(self, chart: Chart, signed: Signature, policy: AlarmPolicy) -> None:
        """Raises NotPossible where the item is closed, with its encounter or by the risk."""
        if self.about != review_item_id(EncounterId(thing_in(self.about))):
            raise NotFound
        chart.resolve_review(self.about, signed, self.note)


Action = Acknowledge | Mute | ResolveReview


def condition_of(alarm: str, chart: Chart) -> str:
    """The condition in an alarm's id. Raises NotFound for the id of something else."""
    condition = thing_in(alarm)
    if alarm != alarm_id(chart.subject, condition):
        raise NotFound
    return condition


def thing_in(about: str) -> str:
    """What stands in an id after whose, or which kind of thing, it is."""
    return about.partition(":")[2]


def thing_of(action: Action, chart: Chart) -> Document | None:
    """What the action was about, as it is afterwards; None where it is gone."""
    if isinstance(action, ResolveReview):
        review = chart.snapshot.review
        return None if review is None else review_document(review)
    return next((alarm_document(alarm, chart.subject) for alarm in _about(action, chart)), None)


def _about(action: Acknowledge | Mute, chart: Chart) -> list[Alarm]:
    return [a for a in chart.snapshot.alarms if a.name == thing_in(action.about)]
