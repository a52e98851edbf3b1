"""The lifecycle of alarms, line by line (domain.md, sections 4.1 and 4.2)."""

from collections.abc import Sequence

import pytest

from tests.support import (
    HOUR_MS,
    MINUTE_MS,
    NOW_MS,
    SEVEN,
    a_signal,
    an_alarm,
    an_assessment,
    received,
)
from vitalrelay.domain.alarms import (
    Alarm,
    AlarmAction,
    AlarmKind,
    AlarmPriority,
    Alarms,
    AlarmState,
    Transition,
    alarm_id,
)
from vitalrelay.domain.assessment import RiskLevel
from vitalrelay.domain.conditions import alarms_after, clock_alarm_after
from vitalrelay.domain.episodes import all_resolved
from vitalrelay.domain.packet import SubjectId

ACTIVE, ACKNOWLEDGED = AlarmState.ACTIVE, AlarmState.ACKNOWLEDGED
CLEARED = AlarmState.CLEARED_UNACKNOWLEDGED
HIGH = an_assessment(RiskLevel.HIGH)
MEDIUM = an_assessment(RiskLevel.MEDIUM)
LOW = an_assessment(RiskLevel.LOW)
SPO2_RED = an_assessment(RiskLevel.LOW_MEDIUM, components={"spo2": 3})
ALL_BUT_TEMPERATURE = [name for name in SEVEN if name != "temperature"]
LATER_MS = NOW_MS + MINUTE_MS


def after(*alarms: Alarm, assessment=LOW) -> tuple[Alarms, Sequence[Transition]]:
    return alarms_after(alarms, assessment, LATER_MS, rearm_ms=0)


def names(alarms: Alarms) -> dict[str, AlarmState]:
    return {alarm.name: alarm.state for alarm in alarms}


def actions(transitions: Sequence[Transition]) -> list[tuple[AlarmAction, str]]:
    """What was done, and to which alarm."""
    return [
        (transition.action, (transition.current or transition.previous).name)
        for transition in transitions
    ]


@pytest.mark.parametrize(
    ("assessment", "raised"),
    [
        (HIGH, {"news2-high": ("physiological", "high")}),
        (MEDIUM, {"news2-medium": ("physiological", "medium")}),
        (SPO2_RED, {"vital-red:spo2": ("physiological", "medium")}),
        (LOW, {}),
        (an_assessment(RiskLevel.UNKNOWN, known=()), {}),
        (
            an_assessment(RiskLevel.HIGH, components={"spo2": 3, "heart_rate": 3}),
            {
                "vital-red:spo2": ("physiological", "medium"),
                "vital-red:heart_rate": ("physiological", "medium"),
                "news2-high": ("physiological", "high"),
            },
        ),
    ],
)
def test_each_true_condition_raises_its_alarm(assessment, raised):
    alarms, transitions = after(assessment=assessment)

    assert {a.name: (a.condition.kind, a.condition.priority) for a in alarms} == raised
    assert actions(transitions) == [(AlarmAction.RAISED, name) for name in raised]


def test_an_alarm_begins_active_unacknowledged_audible_and_knowing_what_was_known():
    assessment = an_assessment(RiskLevel.MEDIUM, known=ALL_BUT_TEMPERATURE)

    [alarm], [transition] = after(assessment=assessment)

    assert alarm == an_alarm(since_ms=LATER_MS, known=ALL_BUT_TEMPERATURE)
    assert (alarm.acknowledged_by, alarm.muted_until_ms, alarm.stale) == (None, None, False)
    assert transition == Transition(AlarmAction.RAISED, "condition-true", None, alarm)


def test_an_alarm_has_one_id_per_patient_and_condition():
    subject = SubjectId("p-0042")

    assert alarm_id(subject, "vital-red:spo2") == "p-0042:vital-red:spo2"


@pytest.mark.parametrize("state", [ACTIVE, ACKNOWLEDGED])
@pytest.mark.parametrize(
    ("name", "assessment"),
    [("news2-high", HIGH), ("news2-medium", MEDIUM), ("vital-red:spo2", SPO2_RED)],
)
def test_a_repeat_of_a_true_condition_is_nothing_new(name, assessment, state):
    alarm = an_alarm(name, state, muted_until_ms=NOW_MS + HOUR_MS)

    alarms, transitions = after(alarm, assessment=assessment)

    assert alarms == (alarm,)
    assert transitions == []


@pytest.mark.parametrize("name", ["news2-high", "news2-medium", "vital-red:spo2"])
def test_an_active_alarm_whose_condition_ends_waits_to_be_acknowledged(name):
    alarm = an_alarm(name, ACTIVE)

    [cleared], [transition] = after(alarm)

    assert cleared == an_alarm(name, CLEARED)
    assert cleared.present is False
    assert transition == Transition(AlarmAction.CLEARED, "condition-over", alarm, cleared)


@pytest.mark.parametrize("name", ["news2-high", "news2-medium", "vital-red:spo2"])
def test_an_acknowledged_alarm_whose_condition_ends_is_resolved(name):
    alarm = an_alarm(name, ACKNOWLEDGED)

    alarms, transitions = after(alarm)

    assert alarms == ()
    assert transitions == [Transition(AlarmAction.RESOLVED, "condition-over", alarm, None)]


def test_a_cleared_alarm_stays_in_the_queue_however_often_the_condition_is_false():
    cleared = an_alarm("news2-high", CLEARED)

    alarms, transitions = after(cleared)

    assert alarms == (cleared,)
    assert transitions == []


@pytest.mark.parametrize(
    ("name", "assessment"),
    [("news2-high", HIGH), ("news2-medium", MEDIUM), ("vital-red:spo2", SPO2_RED)],
)
def test_a_condition_that_returns_makes_a_cleared_alarm_active_and_audible(name, assessment):
    cleared = an_alarm(name, CLEARED, muted_until_ms=NOW_MS + HOUR_MS)

    [returned], [transition] = after(cleared, assessment=assessment)

    assert returned == an_alarm(name, ACTIVE, since_ms=NOW_MS)  # the same episode
    assert transition == Transition(AlarmAction.RAISED, "condition-returned", cleared, returned)


def test_a_condition_that_returns_after_it_was_resolved_is_a_new_episode():
    acknowledged = an_alarm("news2-high", ACKNOWLEDGED, since_ms=NOW_MS)
    resolved, _ = after(acknowledged)

    [again], [transition] = after(*resolved, assessment=HIGH)

    assert again == an_alarm("news2-high", ACTIVE, since_ms=LATER_MS)
    assert transition.previous is None


@pytest.mark.parametrize("state", [ACTIVE, ACKNOWLEDGED, CLEARED])
def test_escalation_supersedes_the_lower_rung_and_calls_anew(state):
    lower = an_alarm("news2-medium", state, muted_until_ms=NOW_MS + HOUR_MS)

    [upper], transitions = after(lower, assessment=HIGH)

    assert upper == an_alarm("news2-high", ACTIVE, since_ms=LATER_MS)
    assert upper.acknowledged_by is None
    assert upper.muted_until_ms is None
    assert transitions == [
        Transition(AlarmAction.SUPERSEDED, "news2-high", lower, None),
        Transition(AlarmAction.ESCALATED, "condition-true", None, upper),
    ]


def test_escalation_back_to_a_cleared_upper_rung_calls_anew():
    upper = an_alarm("news2-high", CLEARED, muted_until_ms=NOW_MS + HOUR_MS)
    lower = an_alarm("news2-medium", ACKNOWLEDGED)

    [again], transitions = after(upper, lower, assessment=HIGH)

    assert again == an_alarm("news2-high", ACTIVE)
    assert actions(transitions) == [
        (AlarmAction.SUPERSEDED, "news2-medium"),
        (AlarmAction.ESCALATED, "news2-high"),
    ]


def test_de_escalation_from_an_acknowledged_alarm_is_no_new_call():
    upper = an_alarm("news2-high", ACKNOWLEDGED, acknowledged_by="nurse-9")

    [lower], transitions = after(upper, assessment=MEDIUM)

    assert lower == an_alarm(
        "news2-medium", ACKNOWLEDGED, since_ms=LATER_MS, acknowledged_by="nurse-9"
    )
    assert actions(transitions) == [
        (AlarmAction.RESOLVED, "news2-high"),
        (AlarmAction.RAISED, "news2-medium"),
    ]


def test_de_escalation_from_an_unacknowledged_alarm_keeps_it_beside_the_lower_one():
    upper = an_alarm("news2-high", ACTIVE)

    alarms, transitions = after(upper, assessment=MEDIUM)

    assert names(alarms) == {"news2-high": CLEARED, "news2-medium": ACTIVE}
    assert actions(transitions) == [
        (AlarmAction.CLEARED, "news2-high"),
        (AlarmAction.RAISED, "news2-medium"),
    ]


def test_the_lower_rung_of_a_cleared_upper_one_ends_on_its_own():
    upper, lower = an_alarm("news2-high", CLEARED), an_alarm("news2-medium", ACKNOWLEDGED)

    alarms, transitions = after(upper, lower)

    assert alarms == (upper,)
    assert actions(transitions) == [(AlarmAction.RESOLVED, "news2-medium")]


def test_only_one_rung_of_the_ladder_is_climbed_at_a_time():
    alarms: Alarms = ()
    seen = []

    for assessment in (MEDIUM, HIGH, HIGH, MEDIUM, LOW):
        alarms, _ = after(*alarms, assessment=assessment)
        seen.append([alarm.name for alarm in alarms if alarm.present])

    assert seen == [["news2-medium"], ["news2-high"], ["news2-high"], ["news2-medium"], []]


@pytest.mark.parametrize("state", [ACTIVE, ACKNOWLEDGED])
@pytest.mark.parametrize("name", ["news2-high", "news2-medium"])
@pytest.mark.parametrize("level", [RiskLevel.LOW, RiskLevel.LOW_MEDIUM])
def test_an_assessment_that_knows_less_ends_nothing(name, level, state):
    alarm = an_alarm(name, state)
    knows_less = an_assessment(level, known=ALL_BUT_TEMPERATURE)

    alarms, transitions = after(alarm, assessment=knows_less)

    assert alarms == (an_alarm(name, state, stale=True),)
    assert transitions == []


def test_where_nothing_is_known_every_present_alarm_is_kept_as_stale():
    present = [an_alarm("news2-high", ACKNOWLEDGED), an_alarm("vital-red:spo2")]
    cleared = an_alarm("vital-red:heart_rate", CLEARED)
    nothing = an_assessment(RiskLevel.UNKNOWN, known=())

    alarms, transitions = after(*present, cleared, assessment=nothing)

    assert {alarm.name: alarm.stale for alarm in alarms} == {
        "news2-high": True,
        "vital-red:spo2": True,
        "vital-red:heart_rate": False,
    }
    assert names(alarms) == names((*present, cleared))
    assert transitions == []


def test_the_upper_rung_does_not_come_down_on_less_knowledge():
    upper = an_alarm("news2-high", ACKNOWLEDGED)
    knows_less = an_assessment(RiskLevel.MEDIUM, known=ALL_BUT_TEMPERATURE)

    alarms, transitions = after(upper, assessment=knows_less)

    assert alarms == (an_alarm("news2-high", ACKNOWLEDGED, stale=True),)
    assert transitions == []


def test_an_alarm_ends_on_an_assessment_that_knows_what_was_known_when_it_was_last_true():
    upper = an_alarm("news2-high", known=SEVEN)
    still_high = an_assessment(RiskLevel.HIGH, known=ALL_BUT_TEMPERATURE)
    not_high = an_assessment(RiskLevel.LOW, known=ALL_BUT_TEMPERATURE)

    confirmed, _ = after(upper, assessment=still_high)
    ended, _ = after(*confirmed, assessment=not_high)

    assert confirmed == (an_alarm("news2-high", known=ALL_BUT_TEMPERATURE),)
    assert names(ended) == {"news2-high": CLEARED}


def test_a_confirmation_that_knows_more_asks_for_as_much_at_the_end():
    upper = an_alarm("news2-high", known=ALL_BUT_TEMPERATURE)
    confirmed, _ = after(upper, assessment=HIGH)

    knows_less = an_assessment(RiskLevel.LOW, known=ALL_BUT_TEMPERATURE)
    kept, _ = after(*confirmed, assessment=knows_less)

    assert kept == (an_alarm("news2-high", known=SEVEN, stale=True),)


@pytest.mark.parametrize(
    ("assessment", "state", "stale"), [(HIGH, ACTIVE, False), (LOW, CLEARED, False)]
)
def test_a_stale_alarm_is_fresh_again_once_enough_is_known(assessment, state, stale):
    alarm = an_alarm("news2-high", ACTIVE, stale=True)

    [seen], _ = after(alarm, assessment=assessment)

    assert (seen.state, seen.stale) == (state, stale)


def test_a_red_vital_ends_only_when_that_component_is_known_and_below_three():
    red = an_alarm("vital-red:spo2")
    without_spo2 = an_assessment(known=[name for name in SEVEN if name != "spo2"])
    spo2_alone = an_assessment(known=["spo2"], components={"spo2": 2})

    kept, none = after(red, assessment=without_spo2)
    ended, [transition] = after(red, assessment=spo2_alone)

    assert (kept, none) == ((an_alarm("vital-red:spo2", stale=True),), [])
    assert names(ended) == {"vital-red:spo2": CLEARED}
    assert transition.action is AlarmAction.CLEARED


@pytest.mark.parametrize(("assessment", "rung"), [(HIGH, "news2-high"), (MEDIUM, "news2-medium")])
def test_a_red_vital_stands_beside_either_rung_and_is_judged_alone(assessment, rung):
    red, other = an_alarm("vital-red:spo2", ACKNOWLEDGED), an_alarm(rung, ACKNOWLEDGED)

    alarms, transitions = after(red, other, assessment=assessment)

    assert names(alarms) == {rung: ACKNOWLEDGED}
    assert actions(transitions) == [(AlarmAction.RESOLVED, "vital-red:spo2")]


def test_a_red_vital_survives_the_end_of_the_rung():
    red, rung = an_alarm("vital-red:spo2", ACKNOWLEDGED), an_alarm("news2-medium", ACKNOWLEDGED)

    alarms, transitions = after(red, rung, assessment=SPO2_RED)

    assert alarms == (red,)
    assert actions(transitions) == [(AlarmAction.RESOLVED, "news2-medium")]


def test_an_assessment_says_nothing_of_technical_alarms():
    technical = [an_alarm("clock-suspect"), an_alarm("no-data", ACKNOWLEDGED)]

    alarms, transitions = after(*technical)

    assert alarms == tuple(technical)
    assert transitions == []


@pytest.mark.parametrize(("ahead_ms", "raised"), [(120_000, 0), (120_001, 1)])
def test_a_clock_is_suspect_beyond_two_minutes_ahead_of_receipt(ahead_ms, raised):
    packet = received(a_signal(measured_ms=NOW_MS + ahead_ms), received_ms=NOW_MS)

    alarms, transitions = clock_alarm_after((), packet, LATER_MS, rearm_ms=0)

    assert len(alarms) == len(transitions) == raised


def test_a_suspect_clock_raises_a_technical_alarm_of_low_priority():
    packet = received(a_signal(), at_ms=NOW_MS + HOUR_MS, received_ms=NOW_MS)

    [alarm], [transition] = clock_alarm_after((), packet, LATER_MS, rearm_ms=0)

    assert alarm.name == "clock-suspect"
    assert alarm.condition.kind is AlarmKind.TECHNICAL
    assert alarm.condition.priority is AlarmPriority.LOW
    assert transition.action is AlarmAction.RAISED


@pytest.mark.parametrize("state", [ACTIVE, ACKNOWLEDGED])
def test_a_suspect_clock_that_is_right_again_resolves_by_itself(state):
    alarm, other = an_alarm("clock-suspect", state), an_alarm("news2-high")
    right = received(a_signal(), received_ms=NOW_MS)

    alarms, transitions = clock_alarm_after((alarm, other), right, LATER_MS, rearm_ms=0)

    assert alarms == (other,)
    assert transitions == [Transition(AlarmAction.RESOLVED, "condition-over", alarm, None)]


def test_a_clock_that_stays_suspect_is_nothing_new():
    alarm = an_alarm("clock-suspect", ACKNOWLEDGED, known=())
    ahead = received(a_signal(), at_ms=NOW_MS + HOUR_MS, received_ms=NOW_MS)

    alarms, transitions = clock_alarm_after((alarm,), ahead, LATER_MS, rearm_ms=0)

    assert alarms == (alarm,)
    assert transitions == []


def test_the_end_of_an_encounter_resolves_every_alarm_with_its_reason():
    alarms = (an_alarm("news2-high", CLEARED), an_alarm("vital-red:spo2", ACKNOWLEDGED))

    transitions = all_resolved(alarms, LATER_MS, "encounter-ended")

    assert transitions == [
        Transition(AlarmAction.RESOLVED, "encounter-ended", alarm, None) for alarm in alarms
    ]


def test_another_model_climbs_a_ladder_of_its_own():
    count_high = an_assessment(RiskLevel.HIGH, model_name="count")

    alarms, _ = after(assessment=count_high)

    assert names(alarms) == {"count-high": ACTIVE}
