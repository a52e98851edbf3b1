"""
Alarms: one per patient and condition, raised by what we know, ended only by knowing as much.

A repeat of a true condition confirms it and is nothing new. Missing data ends nothing. The two
conditions of the score are one ladder: climbing it starts unacknowledged, coming down it keeps
the acknowledgement.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from vitalrelay.domain.assessment import Assessment, RiskLevel
from vitalrelay.domain.packet import Received, SubjectId

CLOCK_ALARM_AHEAD_MS = 120_000
CLOCK_SUSPECT = "clock-suspect"
VITAL_RED = "vital-red:"
SYSTEM = "system"


class AlarmKind(StrEnum):
    PHYSIOLOGICAL = "physiological"
    TECHNICAL = "technical"


class AlarmPriority(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class AlarmState(StrEnum):
    """Resolved alarms are not among them: the snapshot forgets them, the audit trail does not."""

    ACTIVE = "active"
    ACKNOWLEDGED = "acknowledged"
    CLEARED_UNACKNOWLEDGED = "cleared_unacknowledged"


class AlarmAction(StrEnum):
    RAISED = "raised"
    ACKNOWLEDGED = "acknowledged"
    MUTED = "muted"
    UNMUTED = "unmuted"
    ESCALATED = "escalated"
    CLEARED = "cleared"
    RESOLVED = "resolved"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Condition:
    name: str
    kind: AlarmKind
    priority: AlarmPriority


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One condition of one patient. ``known``: the parameters known when it was last true."""

    condition: Condition
    state: AlarmState
    since_ms: int
    known: frozenset[str]
    acknowledged_by: str | None = None
    muted_until_ms: int | None = None
    stale: bool = False

    @property
    def name(self) -> str:
        return self.condition.name

    @property
    def present(self) -> bool:
        """Whether the condition is true, as far as we know."""
        return self.state is not AlarmState.CLEARED_UNACKNOWLEDGED


def alarm_id(subject: SubjectId, condition: str) -> str:
    return f"{subject}:{condition}"


@dataclass(frozen=True, slots=True)
class Transition:
    """One change worth an audit record; ``reason`` is the rule's name. None: no such alarm."""

    action: AlarmAction
    reason: str
    previous: Alarm | None
    current: Alarm | None


Alarms = tuple[Alarm, ...]


def ladder_of(model: str) -> tuple[Condition, Condition]:
    """The lower and the upper rung."""
    physiological = AlarmKind.PHYSIOLOGICAL
    return (
        Condition(f"{model}-medium", physiological, AlarmPriority.MEDIUM),
        Condition(f"{model}-high", physiological, AlarmPriority.HIGH),
    )


def alarms_after(
    before: Alarms, assessment: Assessment, as_of_ms: int
) -> tuple[Alarms, Sequence[Transition]]:
    """The patient's alarms once an assessment is in, and what changed."""
    level = assessment.risk_level
    if not before and not assessment.any_three and level not in (RiskLevel.HIGH, RiskLevel.MEDIUM):
        return before, ()
    look = _Look(before, assessment.known, as_of_ms)
    for code, points in assessment.components.items():
        name = VITAL_RED + code
        if points == 3:
            look.true(Condition(name, AlarmKind.PHYSIOLOGICAL, AlarmPriority.MEDIUM))
        else:
            look.over(name)
    _climb(look, assessment)
    return look.result()


def _climb(look: "_Look", assessment: Assessment) -> None:
    medium, high = ladder_of(assessment.model_name)
    upper = look.alarms.get(high.name)
    if assessment.risk_level is RiskLevel.HIGH:
        look.supersede(medium.name, by=high)
        return
    if upper is not None and upper.present and not assessment.knows_as_much_as(upper.known):
        return  # still on the upper rung, for all we know
    look.over(high.name)
    if assessment.risk_level is RiskLevel.MEDIUM:
        acknowledged_by = upper.acknowledged_by if upper is not None else None
        look.true(medium, acknowledged_by=acknowledged_by)
        return
    lower = look.alarms.get(medium.name)
    if lower is not None and assessment.knows_as_much_as(lower.known):
        look.over(medium.name)


def clock_alarm_after(
    before: Alarms, received: Received, as_of_ms: int
) -> tuple[Alarms, Sequence[Transition]]:
    """The device's clock is judged by each packet anew; it resolves by itself."""
    ahead = received.ahead_ms > CLOCK_ALARM_AHEAD_MS
    if not ahead and all(alarm.name != CLOCK_SUSPECT for alarm in before):
        return before, ()
    look = _Look(before, frozenset(), as_of_ms, touched=False)
    if ahead:
        look.true(Condition(CLOCK_SUSPECT, AlarmKind.TECHNICAL, AlarmPriority.LOW))
    else:
        look.over(CLOCK_SUSPECT)
    return look.result()


def all_resolved(before: Alarms, reason: str) -> Sequence[Transition]:
    return [Transition(AlarmAction.RESOLVED, reason, alarm, None) for alarm in before]


class _Look:
    """One look at a patient: which conditions are true, which are over, the rest unknown."""

    def __init__(
        self, before: Alarms, known: frozenset[str], as_of_ms: int, touched: bool = True
    ) -> None:
        self.alarms = {alarm.name: alarm for alarm in before}
        self._unseen = {
            alarm.name
            for alarm in before
            if touched and alarm.present and alarm.condition.kind is AlarmKind.PHYSIOLOGICAL
        }
        self._known = known
        self._as_of_ms = as_of_ms
        self._transitions: list[Transition] = []

    def true(self, condition: Condition, acknowledged_by: str | None = None) -> None:
        self._unseen.discard(condition.name)
        alarm = self.alarms.get(condition.name)
        if alarm is None:
            state = AlarmState.ACKNOWLEDGED if acknowledged_by else AlarmState.ACTIVE
            new = Alarm(
                condition=condition,
                state=state,
                since_ms=self._as_of_ms,
                known=self._known,
                acknowledged_by=acknowledged_by,
            )
            self._change(AlarmAction.RAISED, "condition-true", None, new)
        elif not alarm.present:
            again = replace(
                alarm, state=AlarmState.ACTIVE, known=self._known, muted_until_ms=None, stale=False
            )
            self._change(AlarmAction.RAISED, "condition-returned", alarm, again)
        elif alarm.known != self._known or alarm.stale:
            self.alarms[condition.name] = replace(alarm, known=self._known, stale=False)

    def over(self, name: str) -> None:
        self._unseen.discard(name)
        alarm = self.alarms.get(name)
        if alarm is None or not alarm.present:
            return
        if alarm.state is AlarmState.ACTIVE and alarm.condition.priority is not AlarmPriority.LOW:
            cleared = replace(alarm, state=AlarmState.CLEARED_UNACKNOWLEDGED, stale=False)
            self._change(AlarmAction.CLEARED, "condition-over", alarm, cleared)
        else:
            self._change(AlarmAction.RESOLVED, "condition-over", alarm, None)

    def supersede(self, name: str, by: Condition) -> None:
        """The upper rung: the lower one is taken up in it, and it calls anew."""
        self._unseen.discard(name)
        lower = self.alarms.get(name)
        if lower is not None:
            self._change(AlarmAction.SUPERSEDED, by.name, lower, None)
        raised_before = len(self._transitions)
        self.true(by)
        if lower is not None and len(self._transitions) > raised_before:
            self._transitions[-1] = replace(self._transitions[-1], action=AlarmAction.ESCALATED)

    def result(self) -> tuple[Alarms, Sequence[Transition]]:
        for name in self._unseen:
            if not self.alarms[name].stale:
                self.alarms[name] = replace(self.alarms[name], stale=True)
        return tuple(self.alarms.values()), self._transitions

    def _change(
        self, action: AlarmAction, reason: str, previous: Alarm | None, current: Alarm | None
    ) -> None:
        if current is not None:
            self.alarms[current.name] = current
        elif previous is not None:
            del self.alarms[previous.name]
        self._transitions.append(Transition(action, reason, previous, current))
