"""
Episodes at the bedside: what flickers, what rests, what is told, and what people may do.

The trails are written by hand, from the lifecycle and the re-arm rule; seconds are event time.
"""

import pytest

from tests.support import NOW_MS, SEVEN, an_alarm, an_assessment
from tests.unit.domain.bedside import Bedside
from vitalrelay.domain.alarms import AlarmState
from vitalrelay.domain.assessment import RiskLevel
from vitalrelay.domain.errors import NotPossible

ACTIVE, ACKNOWLEDGED = AlarmState.ACTIVE, AlarmState.ACKNOWLEDGED
CLEARED = AlarmState.CLEARED_UNACKNOWLEDGED

RED, MEDIUM, HIGH = "vital-red:spo2", "news2-medium", "news2-high"
CLOCK = "clock-suspect"
BUT_SPO2 = [name for name in SEVEN if name != "spo2"]

IS_RED = an_assessment(RiskLevel.LOW_MEDIUM, components={"spo2": 3})
IS_WELL = an_assessment(RiskLevel.LOW)
IS_UNKNOWN = an_assessment(RiskLevel.LOW, known=BUT_SPO2)
IS_MEDIUM = an_assessment(RiskLevel.MEDIUM)
IS_HIGH = an_assessment(RiskLevel.HIGH)

RAISED = "raised by system: nothing > active"
SEEN = "acknowledged by nurse-7: active > acknowledged"
ENDED = "cleared by system: active > cleared_unacknowledged"
ENDED_SEEN = "resolved by system: acknowledged > nothing"
BACK = "raised by system: cleared_unacknowledged > active"
BACK_SEEN = "raised by system: nothing > acknowledged"


SUPERSEDED = "superseded by system: active > nothing"


def waiting_after_superseded() -> Bedside:
    """The lower rung was taken up, came back in silence, and at 30 s it ended unseen."""
    bedside = Bedside()
    for at_s, assessment in enumerate([IS_MEDIUM, IS_HIGH, IS_MEDIUM, IS_WELL]):
        bedside.sees(assessment, 10 * at_s)
    return bedside


def red_bedside(**policy: int) -> Bedside:
    """SpO2 is red since the beginning."""
    bedside = Bedside(**policy)
    bedside.sees(IS_RED, 0)
    return bedside


def seen_bedside(**policy: int) -> Bedside:
    """And somebody has seen it."""
    bedside = red_bedside(**policy)
    bedside.acknowledges(RED)
    return bedside


def ms(seconds: float) -> int:
    return NOW_MS + round(seconds * 1000)


class TestFlicker:
    def test_an_active_alarm_that_flickers_is_one_episode_and_two_records(self):
        bedside = red_bedside()

        for at_s in range(10, 600, 20):
            bedside.sees(IS_WELL, at_s)
            bedside.sees(IS_RED, at_s + 10)

        assert bedside.shown == {RED: ACTIVE}
        assert bedside.alarm(RED).since_ms == NOW_MS
        assert bedside.trail(RED) == [RAISED, ENDED]
        assert bedside.broken() == 0

    def test_the_state_follows_each_packet(self):
        bedside = red_bedside()
        seen = []

        for at_s, assessment in enumerate([IS_WELL, IS_RED, IS_RED, IS_WELL, IS_WELL, IS_RED], 1):
            bedside.sees(assessment, at_s)
            seen.append(bedside.alarm(RED).state)

        assert seen == [CLEARED, ACTIVE, ACTIVE, CLEARED, CLEARED, ACTIVE]

    def test_an_acknowledged_alarm_that_flickers_stays_acknowledged(self):
        bedside = seen_bedside()
        shown = []

        for at_s, assessment in enumerate([IS_WELL, IS_RED, IS_WELL, IS_RED], 1):
            bedside.sees(assessment, at_s)
            shown.append(bedside.shown)

        assert shown == [{}, {RED: ACKNOWLEDGED}, {}, {RED: ACKNOWLEDGED}]
        assert bedside.alarm(RED).acknowledged_by == "nurse-7"
        assert bedside.alarm(RED).since_ms == NOW_MS
        assert bedside.trail(RED) == [RAISED, SEEN, ENDED_SEEN]
        assert bedside.broken() == 0

    def test_a_muted_alarm_that_flickers_stays_muted(self):
        bedside = red_bedside()
        bedside.mutes(RED, for_s=600)

        for at_s in (10, 30):
            bedside.sees(IS_WELL, at_s)
            bedside.sees(IS_RED, at_s + 10)

        assert bedside.shown == {RED: ACTIVE}
        assert bedside.alarm(RED).muted_until_ms == ms(600)
        assert bedside.trail(RED) == [RAISED, "muted by nurse-7: active > active", ENDED]
        assert bedside.broken() == 0

    def test_what_was_acknowledged_after_it_cleared_returns_acknowledged(self):
        bedside = red_bedside()
        bedside.sees(IS_WELL, 10)
        bedside.acknowledges(RED)
        gone = bedside.shown

        bedside.sees(IS_RED, 20)

        assert gone == {}
        assert bedside.shown == {RED: ACKNOWLEDGED}
        assert bedside.trail(RED) == [
            RAISED,
            ENDED,
            "acknowledged by nurse-7: cleared_unacknowledged > nothing",
        ]
        assert bedside.broken() == 0

    def test_what_is_known_at_its_return_is_asked_for_at_its_next_end(self):
        bedside = red_bedside()
        bedside.sees(IS_WELL, 10)

        bedside.sees(an_assessment(RiskLevel.LOW_MEDIUM, known=(), components={"spo2": 3}), 20)

        assert bedside.alarm(RED).known == {"spo2"}

    def test_one_alarm_that_flickers_tells_nothing_of_another(self):
        two = an_assessment(RiskLevel.LOW_MEDIUM, components={"spo2": 3, "heart_rate": 3})
        bedside = Bedside()

        for at_s in range(0, 100, 10):
            bedside.sees(two if at_s % 20 else IS_RED, at_s)

        assert bedside.trail(RED) == [RAISED]
        assert bedside.trail("vital-red:heart_rate") == [RAISED, ENDED]


class TestTheRearmTime:
    @pytest.mark.parametrize("gap_s", [0.001, 59.999, 60])
    def test_who_returns_within_it_continues_the_episode(self, gap_s: float):
        bedside = seen_bedside()
        bedside.sees(IS_WELL, 100)

        bedside.sees(IS_RED, 100 + gap_s)

        assert bedside.shown == {RED: ACKNOWLEDGED}
        assert bedside.alarm(RED).since_ms == NOW_MS
        assert bedside.trail(RED) == [RAISED, SEEN, ENDED_SEEN]

    def test_who_was_resolved_and_returns_beyond_it_begins_another_episode(self):
        bedside = seen_bedside()
        bedside.sees(IS_WELL, 100)

        bedside.sees(IS_RED, 160.001)

        alarm = bedside.alarm(RED)
        assert (alarm.state, alarm.since_ms, alarm.acknowledged_by) == (ACTIVE, ms(160.001), None)
        assert bedside.trail(RED) == [RAISED, SEEN, ENDED_SEEN, RAISED]
        assert bedside.broken() == 0

    def test_who_waits_in_the_queue_and_returns_beyond_it_is_called_again_and_audible(self):
        bedside = red_bedside()
        bedside.mutes(RED, for_s=1800)
        bedside.sees(IS_WELL, 100)

        bedside.sees(IS_RED, 160.001)

        alarm = bedside.alarm(RED)
        assert (alarm.state, alarm.since_ms, alarm.muted_until_ms) == (ACTIVE, NOW_MS, None)
        assert bedside.trail(RED) == [RAISED, "muted by nurse-7: active > active", ENDED, BACK]
        assert [event.change.reason for event in bedside.events][-1] == "condition-returned"
        assert bedside.broken() == 0

    def test_it_counts_from_the_last_end(self):
        bedside = seen_bedside()
        for at_s in (50, 100, 150):
            bedside.sees(IS_WELL, at_s)
            bedside.sees(IS_RED, at_s + 40)

        assert bedside.alarm(RED).since_ms == NOW_MS
        assert bedside.trail(RED) == [RAISED, SEEN, ENDED_SEEN]

    def test_a_condition_that_stays_false_does_not_put_it_off(self):
        bedside = seen_bedside()
        for at_s in (100, 130, 160):
            bedside.sees(IS_WELL, at_s)

        bedside.sees(IS_RED, 161)

        assert bedside.alarm(RED).since_ms == ms(161)

    def test_who_was_resolved_rests_until_it_is_over_and_is_shown_to_nobody(self):
        bedside = seen_bedside()
        resting = []

        for at_s in (100, 160, 160.001):
            bedside.sees(IS_WELL, at_s)
            resting.append((bedside.shown, bedside.resting))

        assert resting == [({}, [RED]), ({}, [RED]), ({}, [])]

    def test_time_is_the_events_and_not_the_servers(self):
        """A replay of an hour in a second flickers as it did at the bedside."""
        bedside = Bedside()
        bedside.sees(IS_RED, -3600, late_s=3600)
        bedside.sees(IS_WELL, -3590, late_s=3590)

        bedside.sees(IS_RED, -3529, late_s=3529)

        assert bedside.now_ms == NOW_MS
        assert bedside.trail(RED) == [RAISED, ENDED, BACK]

    def test_a_late_packet_does_not_move_it(self):
        bedside = seen_bedside()
        bedside.sees(IS_WELL, 100)

        bedside.sees(IS_WELL, 50)  # what is known changes, and time does not
        bedside.sees(IS_RED, 60)
        bedside.sees(IS_WELL, 70)

        assert bedside.snapshot.encounter.as_of.at_ms == ms(100)
        assert (bedside.shown, bedside.resting) == ({}, [RED])
        assert bedside.trail(RED) == [RAISED, SEEN, ENDED_SEEN]
        assert bedside.broken() == 0

    def test_none_of_it_and_each_return_is_a_call_of_its_own(self):
        bedside = seen_bedside(rearm_ms=0)
        bedside.sees(IS_WELL, 1)
        resting = bedside.resting

        bedside.sees(IS_RED, 2)
        bedside.sees(IS_WELL, 3)
        bedside.sees(IS_RED, 4)

        assert resting == []
        assert bedside.alarm(RED).since_ms == ms(2)  # it waited in the queue meanwhile
        assert bedside.trail(RED) == [RAISED, SEEN, ENDED_SEEN, RAISED, ENDED, BACK]
        assert bedside.broken() == 0

    def test_none_of_it_holds_at_one_and_the_same_moment_too(self):
        bedside = seen_bedside(rearm_ms=0)
        bedside.sees(IS_WELL, 0)

        bedside.sees(IS_RED, 0)

        assert bedside.shown == {RED: ACTIVE}
        assert bedside.trail(RED) == [RAISED, SEEN, ENDED_SEEN, RAISED]


class TestWhatIsTold:
    """The trail's last word is the truth, or becomes it within the re-arm time."""

    def test_a_silent_return_that_stands_is_told_after_it(self):
        bedside = red_bedside()
        bedside.sees(IS_WELL, 10)
        bedside.sees(IS_RED, 20)

        bedside.sees(IS_RED, 80)
        before = bedside.trail(RED)
        bedside.sees(IS_RED, 80.001)

        assert before == [RAISED, ENDED]
        assert bedside.trail(RED) == [RAISED, ENDED, BACK]
        assert bedside.events[-1].change.reason == "condition-returned"
        assert bedside.alarm(RED).since_ms == NOW_MS
        assert bedside.broken() == 0

    def test_it_is_told_once(self):
        bedside = red_bedside()
        bedside.sees(IS_WELL, 10)

        for at_s in range(20, 300, 20):
            bedside.sees(IS_RED, at_s)

        assert bedside.trail(RED) == [RAISED, ENDED, BACK]

    def test_an_acknowledged_one_is_told_with_who_has_seen_it(self):
        bedside = seen_bedside()
        bedside.sees(IS_WELL, 10)
        bedside.sees(IS_RED, 20)

        bedside.sees(IS_RED, 81)

        assert bedside.trail(RED) == [RAISED, SEEN, ENDED_SEEN, BACK_SEEN]
        assert bedside.events[-1].change.current.acknowledged_by == "nurse-7"
        assert bedside.broken() == 0

    def test_it_is_told_of_what_is_stale_by_then(self):
        bedside = red_bedside()
        bedside.sees(IS_WELL, 10)
        bedside.sees(IS_RED, 20)

        bedside.sees(IS_UNKNOWN, 81)

        assert (bedside.shown, bedside.alarm(RED).stale) == ({RED: ACTIVE}, True)
        assert bedside.trail(RED) == [RAISED, ENDED, BACK]

    def test_an_end_after_a_return_was_told_is_told_at_once(self):
        bedside = red_bedside()
        bedside.sees(IS_WELL, 10)
        bedside.sees(IS_RED, 20)

        bedside.sees(IS_WELL, 81)

        assert bedside.trail(RED) == [RAISED, ENDED, BACK, ENDED]
        assert bedside.broken() == 0

    def test_a_return_that_ends_in_another_state_is_told_once_that_stands(self):
        """The trail says superseded, and now it waits for a person."""
        bedside = waiting_after_superseded()

        before = bedside.trail(MEDIUM)
        bedside.sees(IS_WELL, 90)
        at_the_limit = bedside.trail(MEDIUM)
        bedside.sees(IS_WELL, 90.001)

        assert bedside.shown == {HIGH: CLEARED, MEDIUM: CLEARED}
        assert before == at_the_limit == [RAISED, SUPERSEDED]
        assert bedside.trail(MEDIUM) == [RAISED, SUPERSEDED, RAISED, ENDED]
        back, ended = (event.change.current for event in bedside.events[-2:])
        assert (back.ended_ms, ended.since_ms) == (None, NOW_MS)
        assert bedside.broken() == 0

    def test_a_person_who_acts_upon_such_an_end_has_it_told_first(self):
        bedside = waiting_after_superseded()

        bedside.acknowledges(MEDIUM)

        assert bedside.shown == {HIGH: CLEARED}
        assert bedside.trail(MEDIUM) == [
            *(RAISED, SUPERSEDED, RAISED, ENDED),
            "acknowledged by nurse-7: cleared_unacknowledged > nothing",
        ]
        assert [event.signed.actor_ref for event in bedside.events[-3:]] == [
            *("system", "system", "nurse-7")
        ]
        assert bedside.broken() == 0

    def test_such_an_end_that_is_superseded_again_never_was(self):
        bedside = waiting_after_superseded()

        bedside.sees(IS_HIGH, 40)
        bedside.sees(IS_HIGH, 101)

        assert (bedside.shown, bedside.resting) == ({HIGH: ACTIVE}, [])
        assert bedside.trail(MEDIUM) == [RAISED, SUPERSEDED]
        assert bedside.broken() == 0

    def test_such_an_end_that_flickers_on_is_still_known_as_superseded(self):
        bedside = waiting_after_superseded()

        bedside.sees(IS_MEDIUM, 40)
        bedside.sees(IS_HIGH, 50)

        assert (bedside.shown, bedside.resting) == ({HIGH: ACTIVE}, [MEDIUM])
        assert bedside.trail(MEDIUM) == [RAISED, SUPERSEDED]
        assert bedside.broken() == 0

    def test_such_an_end_is_told_before_another_encounter_resolves_it(self):
        bedside = waiting_after_superseded()
        bedside.sees(IS_WELL, 40)

        bedside.sees(IS_WELL, 50, encounter="e-2")

        assert bedside.trail(MEDIUM)[-1] == ("resolved by system: cleared_unacknowledged > nothing")
        assert bedside.broken() == 0

    def test_what_was_told_as_waiting_and_is_superseded_is_told_at_once(self):
        """Nobody must look for a call in the queue that another has taken up."""
        bedside = Bedside()
        for at_s, assessment in enumerate([IS_MEDIUM, IS_WELL, IS_MEDIUM, IS_HIGH]):
            bedside.sees(assessment, 10 * at_s)

        assert bedside.shown == {HIGH: ACTIVE}
        assert bedside.trail(MEDIUM) == [RAISED, ENDED, BACK, SUPERSEDED]
        assert bedside.broken() == 0

    def test_whoever_waits_in_the_trail_was_seen_by_nobody(self):
        back = an_alarm(RED, CLEARED).back(NOW_MS, frozenset(), "nurse-7")

        assert back.told() == an_alarm(RED, CLEARED, known=())

    def test_what_a_person_does_to_a_silent_return_is_told_after_it_by_the_person(self):
        bedside = red_bedside()
        bedside.sees(IS_WELL, 10)
        bedside.sees(IS_RED, 20)

        bedside.acknowledges(RED, by="nurse-9")

        assert bedside.trail(RED) == [
            RAISED,
            ENDED,
            BACK,
            "acknowledged by nurse-9: active > acknowledged",
        ]
        assert bedside.broken() == 0

    @pytest.mark.parametrize(
        ("seen", "trail"),
        [
            (False, [RAISED, ENDED, BACK, "muted by nurse-9: active > active"]),
            (
                True,
                [
                    *(RAISED, SEEN, ENDED_SEEN, BACK_SEEN),
                    "muted by nurse-9: acknowledged > acknowledged",
                ],
            ),
        ],
    )
    def test_to_mute_a_silent_return_tells_it_first(self, seen: bool, trail: list[str]):
        bedside = seen_bedside() if seen else red_bedside()
        bedside.sees(IS_WELL, 10)
        bedside.sees(IS_RED, 20)

        bedside.mutes(RED, by="nurse-9")

        assert bedside.trail(RED) == trail
        assert bedside.broken() == 0

    def test_once_told_to_a_person_the_next_end_is_told_too(self):
        bedside = red_bedside()
        bedside.sees(IS_WELL, 10)
        bedside.sees(IS_RED, 20)
        bedside.acknowledges(RED)

        bedside.sees(IS_WELL, 30)
        bedside.sees(IS_RED, 40)

        assert bedside.shown == {RED: ACKNOWLEDGED}
        assert bedside.trail(RED) == [RAISED, ENDED, BACK, SEEN, ENDED_SEEN]
        assert bedside.broken() == 0

    @pytest.mark.parametrize(("noticed_s", "others"), [(140, {"no-data": ACTIVE}), (86_420, {})])
    def test_a_return_that_silence_leaves_standing_is_told_when_silence_is_noticed(
        self, noticed_s: int, others: dict[str, AlarmState]
    ):
        """No packet follows that could tell it."""
        bedside = red_bedside(no_data_after_ms=120_000)
        bedside.sees(IS_WELL, 10)
        bedside.sees(IS_RED, 20)

        bedside.looks(139)
        before = bedside.trail(RED)
        bedside.looks(noticed_s)

        assert bedside.shown == {RED: ACTIVE} | others
        assert (before, bedside.trail(RED)) == ([RAISED, ENDED], [RAISED, ENDED, BACK])
        assert bedside.broken() == 0


class TestTheLadder:
    def test_a_score_between_six_and_seven_is_at_most_three_records_a_rung(self):
        bedside = Bedside()
        bedside.sees(IS_MEDIUM, 0)
        for at_s in range(10, 600, 20):
            bedside.sees(IS_HIGH, at_s)
            bedside.sees(IS_MEDIUM, at_s + 10)

        bedside.sees(IS_MEDIUM, 661)

        assert bedside.shown == {HIGH: CLEARED, MEDIUM: ACTIVE}
        assert bedside.alarm(MEDIUM).since_ms == NOW_MS
        assert bedside.alarm(HIGH).since_ms == ms(10)
        assert bedside.trail(MEDIUM) == [RAISED, SUPERSEDED, RAISED]
        assert bedside.trail(HIGH) == ["escalated by system: nothing > active", ENDED]
        assert bedside.broken() == 0

    def test_the_upper_rung_that_stands_in_the_end_is_told(self):
        bedside = Bedside()
        for at_s, assessment in enumerate([IS_MEDIUM, IS_HIGH, IS_MEDIUM, IS_HIGH]):
            bedside.sees(assessment, 10 * at_s)

        bedside.sees(IS_HIGH, 91)

        assert (bedside.shown, bedside.resting) == ({HIGH: ACTIVE}, [])
        assert bedside.trail(HIGH) == ["escalated by system: nothing > active", ENDED, BACK]
        assert bedside.trail(MEDIUM) == [RAISED, SUPERSEDED]
        assert bedside.broken() == 0

    def test_an_acknowledged_upper_rung_that_flickers_calls_nobody(self):
        bedside = Bedside()
        bedside.sees(IS_HIGH, 0)
        bedside.acknowledges(HIGH)
        shown = []

        for at_s, assessment in enumerate([IS_MEDIUM, IS_HIGH, IS_MEDIUM, IS_HIGH], 1):
            bedside.sees(assessment, 10 * at_s)
            shown.append(bedside.shown)

        assert shown == [{MEDIUM: ACKNOWLEDGED}, {HIGH: ACKNOWLEDGED}] * 2
        assert bedside.trail(HIGH) == [RAISED, SEEN, ENDED_SEEN]
        assert bedside.trail(MEDIUM) == [
            "raised by system: nothing > acknowledged",
            "superseded by system: acknowledged > nothing",
        ]
        assert bedside.broken() == 0

    def test_an_acknowledged_lower_rung_that_flickers_to_the_upper_calls_once(self):
        bedside = Bedside()
        bedside.sees(IS_MEDIUM, 0)
        bedside.acknowledges(MEDIUM)
        shown = []

        for at_s, assessment in enumerate([IS_HIGH, IS_MEDIUM, IS_HIGH, IS_MEDIUM], 1):
            bedside.sees(assessment, 10 * at_s)
            shown.append(bedside.shown)

        both = {MEDIUM: ACKNOWLEDGED, HIGH: CLEARED}
        assert shown == [{HIGH: ACTIVE}, both, {HIGH: ACTIVE}, both]
        assert bedside.trail(HIGH) == ["escalated by system: nothing > active", ENDED]
        assert bedside.broken() == 0

    def test_a_new_escalation_resets_acknowledgement_and_mute(self):
        bedside = Bedside()
        bedside.sees(IS_MEDIUM, 0)
        bedside.acknowledges(MEDIUM)
        bedside.mutes(MEDIUM)

        bedside.sees(IS_HIGH, 10)

        high = bedside.alarm(HIGH)
        assert (high.state, high.acknowledged_by, high.muted_until_ms) == (ACTIVE, None, None)
        assert bedside.trail(MEDIUM)[-1] == "superseded by system: acknowledged > nothing"

    def test_an_escalation_beyond_the_rearm_time_calls_anew(self):
        bedside = Bedside()
        bedside.sees(IS_HIGH, 0)
        bedside.acknowledges(HIGH)
        bedside.sees(IS_MEDIUM, 10)

        bedside.sees(IS_HIGH, 70.001)

        assert bedside.shown == {HIGH: ACTIVE}
        assert bedside.alarm(HIGH).since_ms == ms(70.001)
        assert bedside.trail(HIGH) == [
            RAISED,
            SEEN,
            ENDED_SEEN,
            "escalated by system: nothing > active",
        ]
        assert bedside.broken() == 0

    def test_an_escalation_back_to_a_rung_that_waits_is_told_beyond_the_rearm_time(self):
        bedside = Bedside()
        bedside.sees(IS_HIGH, 0)
        bedside.sees(IS_MEDIUM, 10)

        bedside.sees(IS_HIGH, 70.001)

        assert bedside.shown == {HIGH: ACTIVE}
        assert bedside.trail(HIGH) == [
            RAISED,
            ENDED,
            "escalated by system: cleared_unacknowledged > active",
        ]
        assert bedside.broken() == 0

    def test_a_lower_rung_that_returns_takes_over_who_has_seen_the_upper_one(self):
        bedside = Bedside()
        bedside.sees(IS_MEDIUM, 0)
        bedside.sees(IS_HIGH, 10)
        bedside.acknowledges(HIGH)

        bedside.sees(IS_MEDIUM, 20)

        assert bedside.shown == {MEDIUM: ACKNOWLEDGED}
        assert bedside.alarm(MEDIUM).acknowledged_by == "nurse-7"
        assert bedside.alarm(MEDIUM).since_ms == NOW_MS

    def test_a_lower_rung_keeps_who_has_seen_it_whoever_saw_the_upper_one(self):
        bedside = Bedside()
        bedside.sees(IS_MEDIUM, 0)
        bedside.acknowledges(MEDIUM, by="nurse-1")
        bedside.sees(IS_HIGH, 10)
        bedside.acknowledges(HIGH, by="nurse-2")

        bedside.sees(IS_MEDIUM, 20)

        assert bedside.alarm(MEDIUM).acknowledged_by == "nurse-1"


class TestPeople:
    def test_to_acknowledge_is_to_have_seen_and_ends_with_the_episode(self):
        bedside = seen_bedside()
        seen = bedside.alarm(RED)
        bedside.sees(IS_WELL, 10)
        bedside.sees(IS_WELL, 71)

        bedside.sees(IS_RED, 80)

        assert (seen.state, seen.acknowledged_by) == (ACKNOWLEDGED, "nurse-7")
        assert (bedside.alarm(RED).state, bedside.alarm(RED).acknowledged_by) == (ACTIVE, None)

    def test_to_acknowledge_twice_is_nothing_new(self):
        bedside = seen_bedside()
        before = bedside.snapshot

        bedside.acknowledges(RED, by="nurse-9")

        assert bedside.alarm(RED).acknowledged_by == "nurse-7"
        assert bedside.snapshot.alarms == before.alarms
        assert bedside.trail(RED) == [RAISED, SEEN]

    def test_to_acknowledge_what_was_acknowledged_and_is_over_is_nothing_new(self):
        bedside = seen_bedside()
        bedside.sees(IS_WELL, 10)

        bedside.acknowledges(RED, by="nurse-9")

        assert (bedside.shown, bedside.resting) == ({}, [RED])
        assert bedside.trail(RED) == [RAISED, SEEN, ENDED_SEEN]

    def test_to_acknowledge_what_waits_in_the_queue_resolves_it(self):
        bedside = red_bedside()
        bedside.sees(IS_WELL, 10)
        bedside.sees(IS_WELL, 600)

        bedside.acknowledges(RED)

        assert (bedside.shown, bedside.resting) == ({}, [])
        assert bedside.trail(RED) == [
            RAISED,
            ENDED,
            "acknowledged by nurse-7: cleared_unacknowledged > nothing",
        ]
        assert bedside.broken() == 0

    def test_what_is_resolved_can_neither_be_acknowledged_nor_muted(self):
        bedside = seen_bedside()
        bedside.sees(IS_WELL, 10)
        bedside.sees(IS_WELL, 70.001)

        for action in (bedside.acknowledges, bedside.mutes):
            with pytest.raises(NotPossible) as refused:
                action(RED)
            assert refused.value.state == "resolved"

    def test_what_is_superseded_can_neither_be_acknowledged_nor_muted(self):
        bedside = Bedside()
        bedside.sees(IS_MEDIUM, 0)
        bedside.sees(IS_HIGH, 10)

        for action in (bedside.acknowledges, bedside.mutes):
            with pytest.raises(NotPossible):
                action(MEDIUM)

    def test_what_is_resolved_by_itself_cannot_be_acknowledged(self):
        bedside = Bedside()
        bedside.sees(IS_WELL, 180, late_s=-180)
        bedside.sees(IS_WELL, 1)

        with pytest.raises(NotPossible):
            bedside.acknowledges(CLOCK)

    def test_what_rests_cannot_be_muted(self):
        bedside = seen_bedside()
        bedside.sees(IS_WELL, 10)

        with pytest.raises(NotPossible):
            bedside.mutes(RED)

    def test_what_never_was_can_neither_be_acknowledged_nor_muted(self):
        bedside = red_bedside()

        for action in (bedside.acknowledges, bedside.mutes):
            with pytest.raises(NotPossible):
                action(HIGH)

    @pytest.mark.parametrize("seen", [False, True])
    def test_to_mute_changes_no_state(self, seen: bool):
        bedside = seen_bedside() if seen else red_bedside()
        before = bedside.shown

        bedside.mutes(RED, for_s=5)

        assert bedside.shown == before
        assert bedside.alarm(RED).muted_until_ms == ms(5)

    def test_to_mute_what_waits_in_the_queue_leaves_it_there(self):
        bedside = red_bedside()
        bedside.sees(IS_WELL, 10)

        bedside.mutes(RED)

        assert bedside.shown == {RED: CLEARED}
        assert bedside.trail(RED)[-1] == (
            "muted by nurse-7: cleared_unacknowledged > cleared_unacknowledged"
        )

    def test_to_mute_again_counts_from_then_and_is_told(self):
        bedside = red_bedside()
        bedside.mutes(RED, for_s=600)
        bedside.sees(IS_RED, 30)

        bedside.mutes(RED, for_s=60, by="nurse-9")

        assert bedside.alarm(RED).muted_until_ms == ms(90)
        assert bedside.trail(RED)[1:] == [
            "muted by nurse-7: active > active",
            "muted by nurse-9: active > active",
        ]

    def test_to_acknowledge_a_muted_alarm_leaves_it_muted(self):
        bedside = red_bedside()
        bedside.mutes(RED)

        bedside.acknowledges(RED)

        assert bedside.alarm(RED).muted_until_ms == ms(600)

    def test_a_person_acts_upon_one_alarm_and_no_other(self):
        two = an_assessment(RiskLevel.LOW_MEDIUM, components={"spo2": 3, "heart_rate": 3})
        bedside = Bedside()
        bedside.sees(two, 0)

        bedside.acknowledges(RED)
        bedside.mutes(RED)

        other = bedside.alarm("vital-red:heart_rate")
        assert (other.state, other.muted_until_ms) == (ACTIVE, None)

    def test_what_people_say_is_in_the_record(self):
        bedside = seen_bedside()
        bedside.mutes(RED)

        records = [event.record() for event in bedside.events[1:]]

        assert [(record["reason"], record["packetId"]) for record in records] == [
            ("seen at bedside", None),
            ("at the bedside", None),
        ]


class TestTheEndOfAMute:
    def test_it_is_told_and_the_alarm_is_heard_again(self):
        bedside = red_bedside()
        bedside.mutes(RED, for_s=600)

        bedside.looks(599.999)
        before = bedside.alarm(RED).muted_until_ms
        bedside.looks(600)

        assert before == ms(600)
        assert bedside.alarm(RED).muted_until_ms is None
        assert bedside.trail(RED) == [
            RAISED,
            "muted by nurse-7: active > active",
            "unmuted by system: active > active",
        ]
        assert bedside.events[-1].change.reason == "mute-over"

    def test_it_tells_a_silent_return_first(self):
        bedside = red_bedside()
        bedside.mutes(RED, for_s=25)
        bedside.sees(IS_WELL, 10)
        bedside.sees(IS_RED, 20)

        bedside.looks(25)

        assert bedside.trail(RED)[2:] == [ENDED, BACK, "unmuted by system: active > active"]
        assert bedside.broken() == 0

    def test_it_ends_for_what_rests_without_a_word(self):
        bedside = seen_bedside()
        bedside.mutes(RED, for_s=30)
        bedside.sees(IS_WELL, 10)
        told = bedside.trail(RED)

        bedside.looks(30)
        bedside.sees(IS_RED, 40)

        assert bedside.trail(RED) == told
        assert bedside.alarm(RED).muted_until_ms is None
        assert bedside.broken() == 0

    def test_it_ends_for_what_waits_in_the_queue(self):
        bedside = red_bedside()
        bedside.mutes(RED, for_s=30)
        bedside.sees(IS_WELL, 10)

        bedside.looks(30)

        assert bedside.alarm(RED).muted_until_ms is None
        assert bedside.trail(RED)[-1] == (
            "unmuted by system: cleared_unacknowledged > cleared_unacknowledged"
        )


class TestWhatIsNotKnown:
    """Missing data ends nothing."""

    @pytest.mark.parametrize("seen", [False, True])
    def test_an_alarm_stands_as_stale_however_long_it_lasts(self, seen: bool):
        bedside = seen_bedside() if seen else red_bedside()
        before, told = bedside.shown, bedside.trail(RED)

        for at_s in (10, 100, 100_000):
            bedside.sees(IS_UNKNOWN, at_s)

        assert (bedside.shown, bedside.alarm(RED).stale) == (before, True)
        assert bedside.trail(RED) == told

    def test_an_alarm_that_is_confirmed_is_stale_no_more(self):
        bedside = red_bedside()
        bedside.sees(IS_UNKNOWN, 10)

        bedside.sees(IS_RED, 20)

        assert (bedside.shown, bedside.alarm(RED).stale) == ({RED: ACTIVE}, False)
        assert bedside.trail(RED) == [RAISED]

    def test_it_is_neither_an_end_nor_a_return(self):
        bedside = red_bedside()
        bedside.sees(IS_WELL, 10)

        bedside.sees(IS_UNKNOWN, 20)

        assert (bedside.shown, bedside.alarm(RED).stale) == ({RED: CLEARED}, False)
        assert bedside.trail(RED) == [RAISED, ENDED]

    def test_it_lets_the_rearm_time_pass(self):
        bedside = seen_bedside()
        bedside.sees(IS_WELL, 10)
        bedside.sees(IS_UNKNOWN, 71)

        bedside.sees(IS_RED, 72)

        assert bedside.alarm(RED).since_ms == ms(72)

    def test_an_alarm_that_was_stale_returns_fresh(self):
        bedside = red_bedside()
        bedside.sees(IS_UNKNOWN, 10)
        bedside.sees(IS_WELL, 20)
        cleared = bedside.alarm(RED)

        bedside.sees(IS_RED, 30)

        assert (cleared.stale, bedside.alarm(RED).stale) == (False, False)


class TestTechnicalAlarms:
    def test_a_clock_that_is_right_again_is_at_rest_at_once(self):
        bedside = Bedside()
        bedside.sees(IS_WELL, 180, late_s=-180)

        bedside.sees(IS_WELL, 1)

        assert (bedside.shown, bedside.resting) == ({}, [CLOCK])
        assert bedside.trail(CLOCK) == [RAISED, "resolved by system: active > nothing"]

    def test_a_clock_that_flickers_is_one_episode(self):
        bedside = Bedside()

        for at_s in range(0, 100, 10):
            bedside.sees(IS_WELL, at_s + 180, late_s=-180)
            bedside.sees(IS_WELL, at_s + 5)
        bedside.sees(IS_WELL, 280, late_s=-180)

        assert bedside.shown == {CLOCK: ACTIVE}
        assert bedside.alarm(CLOCK).since_ms == NOW_MS
        assert bedside.trail(CLOCK) == [RAISED, "resolved by system: active > nothing"]
        assert bedside.broken() == 0

    def test_a_clock_that_is_wrong_again_later_is_another_episode(self):
        bedside = Bedside()
        bedside.sees(IS_WELL, 180, late_s=-180)
        bedside.sees(IS_WELL, 10)

        bedside.sees(IS_WELL, 260, late_s=-180)

        assert bedside.alarm(CLOCK).since_ms == ms(80)
        assert bedside.trail(CLOCK) == [RAISED, "resolved by system: active > nothing", RAISED]
        assert bedside.broken() == 0


class TestAnotherEncounter:
    def test_what_rests_is_forgotten_with_the_old_one(self):
        bedside = Bedside()
        bedside.sees(IS_RED, 0, encounter="e-1")
        bedside.acknowledges(RED)
        bedside.sees(IS_WELL, 10, encounter="e-1")

        bedside.sees(IS_RED, 20, encounter="e-2")

        alarm = bedside.alarm(RED)
        assert (alarm.state, alarm.since_ms) == (ACTIVE, ms(20))
        assert bedside.resting == []
        assert bedside.trail(RED) == [RAISED, SEEN, ENDED_SEEN, RAISED]
        assert bedside.broken() == 0

    @pytest.mark.parametrize("stands_for_s", [0, 10, 59])
    def test_what_returned_in_silence_is_told_and_resolved(self, stands_for_s: int):
        bedside = Bedside()
        bedside.sees(IS_RED, 0, encounter="e-1")
        bedside.sees(IS_WELL, 10, encounter="e-1")
        bedside.sees(IS_RED, 20, encounter="e-1")
        bedside.sees(IS_RED, 20 + stands_for_s, encounter="e-1")

        bedside.sees(IS_WELL, 80, encounter="e-2")

        assert (bedside.shown, bedside.resting) == ({}, [])
        assert bedside.trail(RED) == [
            RAISED,
            ENDED,
            BACK,
            "resolved by system: active > nothing",
        ]
        assert {event.encounter for event in bedside.events} == {"e-1"}
        assert bedside.broken() == 0

    def test_what_waits_in_the_queue_is_resolved(self):
        bedside = Bedside()
        bedside.sees(IS_RED, 0, encounter="e-1")
        bedside.sees(IS_WELL, 10, encounter="e-1")

        bedside.sees(IS_WELL, 20, encounter="e-2")

        assert (bedside.shown, bedside.resting) == ({}, [])
        assert bedside.trail(RED)[-1] == "resolved by system: cleared_unacknowledged > nothing"
        assert bedside.broken() == 0

    def test_what_was_acknowledged_and_returned_in_silence_leaves_a_trail_that_joins_up(self):
        bedside = Bedside()
        bedside.sees(IS_RED, 0, encounter="e-1")
        bedside.acknowledges(RED)
        bedside.sees(IS_WELL, 10, encounter="e-1")
        bedside.sees(IS_RED, 20, encounter="e-1")

        bedside.sees(IS_RED, 30, encounter="e-2")

        assert bedside.alarm(RED).since_ms == ms(30)
        assert bedside.trail(RED) == [RAISED, SEEN, ENDED_SEEN, RAISED]
        assert bedside.broken() == 0
