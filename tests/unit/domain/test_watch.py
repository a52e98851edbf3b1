"""What time alone brings: silence noticed, mutes that end, and nobody listened for any more."""

import pytest

from tests.support import DAY_MS, HOUR_MS, MINUTE_MS, NOW_MS, an_assessment
from tests.unit.domain.bedside import Bedside
from vitalrelay.domain.alarms import AlarmKind, AlarmPriority, AlarmState
from vitalrelay.domain.assessment import RiskLevel
from vitalrelay.domain.chart import Chart
from vitalrelay.domain.watch import look_at_ms

ACTIVE, ACKNOWLEDGED = AlarmState.ACTIVE, AlarmState.ACKNOWLEDGED
CLEARED = AlarmState.CLEARED_UNACKNOWLEDGED
NO_DATA, RED = "no-data", "vital-red:spo2"
DAY_S = DAY_MS // 1000

IS_WELL = an_assessment(RiskLevel.LOW)
IS_RED = an_assessment(RiskLevel.LOW_MEDIUM, components={"spo2": 3})

RAISED = "raised by system: nothing > active"
SEEN = "acknowledged by nurse-7: active > acknowledged"
ENDED = "cleared by system: active > cleared_unacknowledged"
BACK = "raised by system: cleared_unacknowledged > active"


def a_bedside(every_s: int = 60, until_s: int = 0, **policy: int) -> Bedside:
    """A packet then and when, the last one at ``until_s``."""
    bedside = Bedside(**policy)
    for at_s in range(until_s - 600, until_s + 1, every_s):
        bedside.sees(IS_WELL, at_s)
    return bedside


def silent_bedside(**policy: int) -> Bedside:
    """Nothing came since the beginning, and at 200 s somebody looked."""
    bedside = a_bedside(**policy)
    bedside.looks(200)
    return bedside


def next_look_s(bedside: Bedside) -> float | None:
    chart = Chart(bedside.snapshot, bedside.hearing, bedside.now_ms)
    at_ms = look_at_ms(chart, bedside.policy)
    return None if at_ms is None else (at_ms - NOW_MS) / 1000


class TestSilence:
    def test_it_becomes_an_alarm_after_three_gaps(self):
        bedside = a_bedside(every_s=60)

        bedside.looks(179.999)
        before = bedside.shown
        bedside.looks(180)

        alarm = bedside.alarm(NO_DATA)
        assert before == {}
        assert (alarm.state, alarm.since_ms) == (ACTIVE, NOW_MS + 180_000)
        assert alarm.condition.kind is AlarmKind.TECHNICAL
        assert alarm.condition.priority is AlarmPriority.MEDIUM
        assert bedside.trail(NO_DATA) == [RAISED]

    def test_the_setting_counts_instead_where_there_is_one(self):
        bedside = a_bedside(every_s=60, no_data_after_ms=30_000)

        bedside.looks(30)

        assert bedside.shown == {NO_DATA: ACTIVE}

    def test_it_is_told_with_the_servers_time_and_without_a_packet(self):
        bedside = silent_bedside()

        [event] = bedside.events
        assert (event.occurred_at_ms, event.as_of_ms) == (NOW_MS + 200_000, NOW_MS)
        assert (event.packet, event.signed.actor_ref) == (None, "system")
        assert event.assessment == bedside.snapshot.assessment

    def test_it_ends_no_other_alarm(self):
        bedside = Bedside()
        bedside.sees(IS_RED, 0)

        bedside.looks(901)

        assert bedside.shown == {RED: ACTIVE, NO_DATA: ACTIVE}
        assert bedside.alarm(RED).stale is False

    def test_looking_twice_is_nothing_new(self):
        bedside = silent_bedside()

        bedside.looks(300)

        assert bedside.trail(NO_DATA) == [RAISED]
        assert bedside.alarm(NO_DATA).since_ms == NOW_MS + 200_000

    def test_a_look_at_somebody_who_is_heard_changes_nothing(self):
        bedside = a_bedside()
        chart = Chart(bedside.snapshot, bedside.hearing, bedside.now_ms + 60_000)

        bedside.looks(60)

        assert bedside.snapshot == chart.snapshot
        assert bedside.events == []

    def test_a_live_packet_ends_it_and_it_waits_for_a_person(self):
        bedside = silent_bedside()

        bedside.sees(IS_WELL, 210)

        assert bedside.shown == {NO_DATA: CLEARED}
        assert bedside.trail(NO_DATA) == [RAISED, ENDED]

    def test_a_live_packet_ends_it_for_good_once_somebody_has_seen_it(self):
        bedside = silent_bedside()
        bedside.acknowledges(NO_DATA)

        bedside.sees(IS_WELL, 210)

        assert bedside.shown == {}
        assert bedside.trail(NO_DATA)[-1] == "resolved by system: acknowledged > nothing"

    def test_old_data_do_not_end_it(self):
        bedside = silent_bedside()

        bedside.sees(IS_WELL, -2000, late_s=2210)

        assert bedside.shown == {NO_DATA: ACTIVE}

    def test_a_replay_of_old_data_never_starts_it(self):
        bedside = Bedside()
        for at_s in range(0, 600, 60):
            bedside.sees(IS_WELL, at_s - DAY_S, late_s=DAY_S)

        bedside.looks(30 * DAY_S)

        assert (bedside.shown, bedside.events) == ({}, [])
        assert next_look_s(bedside) is None

    def test_a_replay_of_old_data_does_not_hide_it(self):
        bedside = a_bedside()
        for at_s in range(10, 180, 10):
            bedside.sees(IS_WELL, at_s - DAY_S, late_s=DAY_S)

        bedside.looks(180)

        assert bedside.shown == {NO_DATA: ACTIVE}


class TestSilenceAgain:
    """The server's clock counts here: event time stands still while nothing comes."""

    def test_it_calls_anew_though_it_was_acknowledged_before(self):
        bedside = silent_bedside()
        bedside.acknowledges(NO_DATA)
        bedside.sees(IS_WELL, 210)

        bedside.looks(3600)

        alarm = bedside.alarm(NO_DATA)
        assert (alarm.state, alarm.acknowledged_by) == (ACTIVE, None)
        assert alarm.since_ms == NOW_MS + HOUR_MS
        assert bedside.trail(NO_DATA) == [
            RAISED,
            SEEN,
            "resolved by system: acknowledged > nothing",
            RAISED,
        ]
        assert bedside.broken() == 0

    def test_it_is_told_at_once_where_nobody_had_seen_the_first(self):
        bedside = silent_bedside()
        bedside.mutes(NO_DATA, for_s=1800)
        bedside.sees(IS_WELL, 210)

        bedside.looks(600)

        alarm = bedside.alarm(NO_DATA)
        assert (alarm.state, alarm.muted_until_ms, alarm.ended_ms) == (ACTIVE, None, None)
        assert bedside.trail(NO_DATA)[-2:] == [ENDED, BACK]
        assert bedside.broken() == 0

    def test_it_is_an_episode_of_its_own_once_nobody_had_listened_any_more(self):
        bedside = silent_bedside(no_data_after_ms=180_000, not_monitored_after_ms=300_000)
        bedside.looks(300)
        bedside.sees(IS_WELL, 50, late_s=260)

        bedside.looks(490)

        assert bedside.alarm(NO_DATA).since_ms == NOW_MS + 490_000
        assert bedside.trail(NO_DATA) == [RAISED, "resolved by system: active > nothing", RAISED]
        assert bedside.broken() == 0


class TestNotMonitored:
    def test_after_a_day_nobody_listens_any_more(self):
        bedside = silent_bedside()

        bedside.looks(DAY_S - 0.001)
        before = bedside.shown, bedside.snapshot.monitored
        bedside.looks(DAY_S)

        assert before == ({NO_DATA: ACTIVE}, True)
        assert (bedside.shown, bedside.snapshot.monitored) == ({}, False)
        assert bedside.trail(NO_DATA) == [RAISED, "resolved by system: active > nothing"]
        assert bedside.events[-1].change.reason == "not-monitored"

    def test_it_needs_no_alarm_before(self):
        """The worker was away for that long."""
        bedside = a_bedside()

        bedside.looks(DAY_S)

        assert (bedside.shown, bedside.snapshot.monitored) == ({}, False)
        assert bedside.events == []

    def test_other_alarms_stand(self):
        bedside = Bedside()
        bedside.sees(IS_RED, 0)

        bedside.looks(DAY_S)

        assert bedside.shown == {RED: ACTIVE}

    def test_nothing_more_comes_of_it(self):
        bedside = silent_bedside()
        bedside.looks(DAY_S)
        told = len(bedside.events)

        bedside.looks(3 * DAY_S)

        assert (bedside.shown, len(bedside.events)) == ({}, told)
        assert next_look_s(bedside) is None

    def test_a_live_packet_has_them_listened_for_again(self):
        bedside = silent_bedside()
        bedside.looks(DAY_S)

        bedside.sees(IS_WELL, DAY_S + 60)

        assert bedside.snapshot.monitored
        assert next_look_s(bedside) > DAY_S + 60

    def test_old_data_do_not(self):
        bedside = silent_bedside()
        bedside.looks(DAY_S)

        bedside.sees(IS_WELL, 60, late_s=DAY_S)

        assert not bedside.snapshot.monitored

    @pytest.mark.parametrize("no_data_after_ms", [None, 2 * DAY_MS])
    def test_a_day_is_a_day_though_silence_would_take_longer(self, no_data_after_ms: int | None):
        bedside = a_bedside(no_data_after_ms=no_data_after_ms)

        bedside.looks(DAY_S)

        assert (bedside.shown, bedside.snapshot.monitored) == ({}, False)


class TestTheNextLook:
    """It is when time may bring something, and so later than the look before it."""

    def test_it_is_when_silence_would_be_one(self):
        bedside = a_bedside(every_s=60)

        assert next_look_s(bedside) == 180

    def test_once_silence_is_noticed_it_is_when_nobody_listens_any_more(self):
        bedside = silent_bedside()

        assert next_look_s(bedside) == DAY_S

    def test_a_silence_that_is_over_is_waited_for_anew(self):
        bedside = silent_bedside(no_data_after_ms=120_000)

        bedside.sees(IS_WELL, 210)

        assert bedside.shown == {NO_DATA: CLEARED}
        assert next_look_s(bedside) == 330

    def test_nobody_waits_longer_than_a_day(self):
        bedside = a_bedside(no_data_after_ms=2 * DAY_MS)

        assert next_look_s(bedside) == DAY_S

    def test_a_mute_that_ends_sooner_comes_first(self):
        bedside = Bedside(no_data_after_ms=120_000)
        bedside.sees(IS_RED, 0)
        seen = [next_look_s(bedside)]

        for for_s in (600, 60):
            bedside.mutes(RED, for_s)
            seen.append(next_look_s(bedside))

        assert seen == [120, 120, 60]

    def test_of_two_mutes_the_first_to_end_counts(self):
        bedside = Bedside()
        both = an_assessment(RiskLevel.LOW_MEDIUM, components={"spo2": 3, "heart_rate": 3})
        bedside.sees(both, 0)
        bedside.mutes(RED, 90)
        bedside.mutes("vital-red:heart_rate", 60)

        first = next_look_s(bedside)
        bedside.looks(60)

        assert (first, next_look_s(bedside)) == (60, 90)
        assert bedside.alarm(RED).muted_until_ms is not None
        assert bedside.alarm("vital-red:heart_rate").muted_until_ms is None

    def test_a_mute_of_what_rests_ends_too(self):
        bedside = Bedside()
        bedside.sees(IS_RED, 0)
        bedside.mutes(RED, 60)
        bedside.acknowledges(RED)
        bedside.sees(IS_WELL, 10)

        before = next_look_s(bedside)
        bedside.looks(60)

        assert (bedside.resting, before) == ([RED], 60)
        assert next_look_s(bedside) > 60

    def test_a_mute_ends_though_nobody_is_listened_for(self):
        """A replay of old data: its patients are never live."""
        bedside = Bedside()
        bedside.sees(IS_RED, -DAY_S, late_s=DAY_S)
        bedside.mutes(RED, 60)
        before = next_look_s(bedside)

        bedside.looks(60)

        assert (before, next_look_s(bedside)) == (60, None)
        assert bedside.alarm(RED).muted_until_ms is None

    @pytest.mark.parametrize("at_s", [0, 10, 60, 120, 200, 3600, DAY_S, 2 * DAY_S])
    def test_no_look_asks_for_another_at_once(self, at_s: int):
        """The worker would never come to rest."""
        bedside = Bedside(no_data_after_ms=120_000)
        bedside.sees(IS_RED, 0)
        bedside.mutes(RED, 60)

        bedside.looks(at_s)

        at_next = next_look_s(bedside)
        assert at_next is None or at_next > at_s

    def test_a_quarter_of_an_hour_is_all_that_a_newcomer_is_given(self):
        bedside = Bedside()
        bedside.sees(IS_WELL, 0)

        assert next_look_s(bedside) == 15 * MINUTE_MS / 1000
