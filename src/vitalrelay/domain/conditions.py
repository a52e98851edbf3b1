"""
Which conditions are true, by what is known of a patient.

Missing data ends nothing: a condition ends only on an assessment that knows as much as the one
by which it was last true. The two conditions of the score are one ladder: climbing it starts
unacknowledged, coming down it keeps the acknowledgement.
"""

from collections.abc import Sequence

from vitalrelay.domain.alarms import (
    AlarmAction,
    AlarmKind,
    AlarmPriority,
    Alarms,
    Condition,
    Transition,
)
from vitalrelay.domain.assessment import Assessment, RiskLevel
from vitalrelay.domain.episodes import Episodes
from vitalrelay.domain.packet import Received

CLOCK_ALARM_AHEAD_MS = 120_000
CLOCK_SUSPECT = Condition("clock-suspect", AlarmKind.TECHNICAL, AlarmPriority.LOW)
NO_DATA = Condition("no-data", AlarmKind.TECHNICAL, AlarmPriority.MEDIUM)
VITAL_RED = "vital-red:"


def ladder_of(model: str) -> tuple[Condition, Condition]:
    """The lower and the upper rung."""
    physiological = AlarmKind.PHYSIOLOGICAL
    return (
        Condition(f"{model}-medium", physiological, AlarmPriority.MEDIUM),
        Condition(f"{model}-high", physiological, AlarmPriority.HIGH),
    )


def alarms_after(
    before: Alarms, assessment: Assessment, as_of_ms: int, rearm_ms: int
) -> tuple[Alarms, Sequence[Transition]]:
    """The patient's alarms once an assessment is in, and what changed."""
    level = assessment.risk_level
    if not before and not assessment.any_three and level not in (RiskLevel.HIGH, RiskLevel.MEDIUM):
        return before, ()
    episodes = Episodes(before, as_of_ms, rearm_ms)
    for code, points in assessment.components.items():
        name = VITAL_RED + code
        if points == 3:
            red = Condition(name, AlarmKind.PHYSIOLOGICAL, AlarmPriority.MEDIUM)
            episodes.true(red, assessment.known)
        else:
            episodes.over(name)
    _climb(episodes, assessment)
    episodes.mark_stale()
    return episodes.result()


def _climb(episodes: Episodes, assessment: Assessment) -> None:
    medium, high = ladder_of(assessment.model_name)
    upper = episodes.shown(high.name)
    if assessment.risk_level is RiskLevel.HIGH:
        _to_the_top(episodes, assessment, medium, high)
        return
    if upper is not None and upper.present and not assessment.knows_as_much_as(upper.known):
        return  # still on the upper rung, for all we know
    episodes.over(high.name)
    if assessment.risk_level is RiskLevel.MEDIUM:
        acknowledged_by = upper.acknowledged_by if upper is not None else None
        episodes.true(medium, assessment.known, acknowledged_by)
        return
    lower = episodes.shown(medium.name)
    if lower is not None and assessment.knows_as_much_as(lower.known):
        episodes.over(medium.name)


def _to_the_top(
    episodes: Episodes, assessment: Assessment, medium: Condition, high: Condition
) -> None:
    """The lower rung is taken up in the upper one."""
    if episodes.resolve(medium.name, AlarmAction.SUPERSEDED, high.name):
        episodes.escalated(high, assessment.known)
    else:
        episodes.true(high, assessment.known)


def clock_alarm_after(
    before: Alarms, received: Received, as_of_ms: int, rearm_ms: int
) -> tuple[Alarms, Sequence[Transition]]:
    """The device's clock is judged by each packet anew; it resolves by itself."""
    ahead = received.ahead_ms > CLOCK_ALARM_AHEAD_MS
    if not ahead and all(alarm.condition != CLOCK_SUSPECT for alarm in before):
        return before, ()
    episodes = Episodes(before, as_of_ms, rearm_ms)
    if ahead:
        episodes.true(CLOCK_SUSPECT)
    else:
        episodes.over(CLOCK_SUSPECT.name)
    return episodes.result()
