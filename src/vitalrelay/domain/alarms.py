"""
What an alarm is: one per patient and condition, and the episode it stands for.

An episode outlives a flicker: a condition that returns within the re-arm time continues it, keeps
its acknowledgement, and is nothing new to the audit trail. Until that time is over an alarm that
was resolved rests: kept, and shown to nobody.
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from vitalrelay.domain.packet import SubjectId

SYSTEM = "system"


class AlarmKind(StrEnum):
    PHYSIOLOGICAL = "physiological"
    TECHNICAL = "technical"


class AlarmPriority(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class AlarmState(StrEnum):
    ACTIVE = "active"
    ACKNOWLEDGED = "acknowledged"
    CLEARED_UNACKNOWLEDGED = "cleared_unacknowledged"
    RESOLVED = "resolved"


class AlarmAction(StrEnum):
    RAISED = "raised"
    ACKNOWLEDGED = "acknowledged"
    MUTED = "muted"
    UNMUTED = "unmuted"
    ESCALATED = "escalated"
    CLEARED = "cleared"
    RESOLVED = "resolved"
    SUPERSEDED = "superseded"


BY_PEOPLE = (AlarmAction.ACKNOWLEDGED, AlarmAction.MUTED)  # nothing else ever does them


class AlarmPolicy(Struct, frozen=True, kw_only=True):
    """
    What is local about alarms; times in milliseconds.

    ``no_data_after_ms`` None: each patient's own cadence says when silence is one.
    """

    rearm_ms: int = 60_000  # of event time
    no_data_after_ms: int | None = None
    not_monitored_after_ms: int = 86_400_000


class Condition(Struct, frozen=True):
    name: str
    kind: AlarmKind
    priority: AlarmPriority


class Return(Struct, frozen=True):
    """The condition came back, or did and ended, and the audit trail still says ``told``."""

    at_ms: int
    told: AlarmState


class Alarm(Struct, frozen=True, kw_only=True):
    """
    One condition of one patient. ``known``: the parameters known when it was last true.

    ``ended_ms`` is the event time at which the condition ended, while it may still return.
    """

    condition: Condition
    state: AlarmState
    since_ms: int
    known: frozenset[str]
    acknowledged_by: str | None = None
    muted_until_ms: int | None = None
    stale: bool = False
    ended_ms: int | None = None
    returned: Return | None = None

    @property
    def name(self) -> str:
        return self.condition.name

    @property
    def present(self) -> bool:
        """Whether the condition is true, as far as we know."""
        return self.state in (AlarmState.ACTIVE, AlarmState.ACKNOWLEDGED)

    @property
    def shown(self) -> bool:
        return self.state is not AlarmState.RESOLVED

    def told(self) -> "Alarm | None":
        """As the audit trail has it; None where it has none, or a resolved one."""
        if self.returned is None:
            return self if self.shown else None
        if self.returned.told is AlarmState.RESOLVED:
            return None
        return replace(self, state=self.returned.told, acknowledged_by=None, returned=None)

    def over(self, at_ms: int | None) -> "Alarm":
        """The condition ended: who was not acknowledged, and matters, waits for a person."""
        waits = self.state is AlarmState.ACTIVE and self.condition.priority is not AlarmPriority.LOW
        state = AlarmState.CLEARED_UNACKNOWLEDGED if waits else AlarmState.RESOLVED
        return replace(self, state=state, stale=False, ended_ms=at_ms, returned=None)

    def back(self, at_ms: int, known: frozenset[str], acknowledged_by: str | None) -> "Alarm":
        """The condition returned in time: the same episode goes on."""
        acknowledged_by = self.acknowledged_by or acknowledged_by
        return replace(
            self,
            state=AlarmState.ACKNOWLEDGED if acknowledged_by else AlarmState.ACTIVE,
            known=known,
            acknowledged_by=acknowledged_by,
            ended_ms=None,
            returned=Return(at_ms, self.state if self.returned is None else self.returned.told),
        )


def alarm_id(subject: SubjectId, condition: str) -> str:
    return f"{subject}:{condition}"


class Transition(Struct, frozen=True):
    """
    One change worth an audit record: a person's words for ``reason``, or the rule's name.

    None: no such alarm before, or none left.
    """

    action: AlarmAction
    reason: str
    previous: Alarm | None
    current: Alarm | None


Alarms = tuple[Alarm, ...]
