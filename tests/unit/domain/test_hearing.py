"""How a patient's cadence is learned, and when silence is one."""

import random
from itertools import accumulate, pairwise

import pytest

from tests.support import DAY_MS, HOUR_MS, MINUTE_MS, NOW_MS, received
from vitalrelay.domain.alarms import AlarmPolicy
from vitalrelay.domain.hearing import Hearing, live

SECOND_MS = 1_000
LEARNED = AlarmPolicy()
FIXED = AlarmPolicy(no_data_after_ms=10 * SECOND_MS)


def heard_at(*times_ms: int) -> Hearing:
    """Of live packets, received then."""
    hearing = Hearing()
    for at_ms in times_ms:
        hearing = hearing.heard(received(at_ms=at_ms))
    return hearing


def heard_every(gap_ms: int, times: int = 30) -> Hearing:
    return heard_at(*range(NOW_MS, NOW_MS + times * gap_ms, gap_ms))


def patience_ms(hearing: Hearing, policy: AlarmPolicy = LEARNED) -> int:
    """How long after it was last heard of a patient is silent."""
    silent_ms = hearing.silent_ms(policy)
    assert silent_ms is not None
    assert hearing.heard_ms is not None
    return silent_ms - hearing.heard_ms


class TestSilence:
    def test_nobody_is_listened_for_who_was_never_heard_of(self):
        hearing = Hearing()

        assert hearing.silent_ms(LEARNED) is None
        assert hearing.silent_ms(FIXED) is None
        assert hearing.ended_ms(LEARNED) is None

    def test_it_takes_a_quarter_of_an_hour_until_a_gap_is_known(self):
        hearing = heard_at(NOW_MS)

        assert hearing.silent_ms(LEARNED) == NOW_MS + 15 * MINUTE_MS

    def test_it_is_three_gaps_once_one_is_known(self):
        hearing = heard_at(NOW_MS, NOW_MS + MINUTE_MS)

        assert hearing.silent_ms(LEARNED) == NOW_MS + 4 * MINUTE_MS

    @pytest.mark.parametrize(
        ("gap_ms", "expected_ms"),
        [
            (SECOND_MS, 2 * MINUTE_MS),
            (39 * SECOND_MS, 2 * MINUTE_MS),
            (41 * SECOND_MS, 123 * SECOND_MS),
            (5 * MINUTE_MS, 15 * MINUTE_MS),
            (15 * MINUTE_MS, 45 * MINUTE_MS),
        ],
    )
    def test_it_is_never_less_than_two_minutes(self, gap_ms: int, expected_ms: int):
        hearing = heard_every(gap_ms)

        assert patience_ms(hearing) == expected_ms

    @pytest.mark.parametrize("gap_ms", [SECOND_MS, HOUR_MS])
    def test_a_fixed_setting_counts_for_everybody_from_the_first_packet(self, gap_ms: int):
        first, used_to_it = heard_at(NOW_MS), heard_every(gap_ms)

        assert patience_ms(first, FIXED) == patience_ms(used_to_it, FIXED) == 10 * SECOND_MS

    def test_whoever_was_not_heard_of_for_a_day_is_not_monitored(self):
        hearing = heard_every(MINUTE_MS)

        assert hearing.ended_ms(LEARNED) == hearing.heard_ms + DAY_MS
        assert hearing.ended_ms(AlarmPolicy(not_monitored_after_ms=5)) == hearing.heard_ms + 5


class TestLearning:
    @pytest.mark.parametrize(
        "gap_ms", [SECOND_MS, 5 * SECOND_MS, MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS]
    )
    def test_who_is_always_on_time_is_known_from_the_first_gap(self, gap_ms: int):
        assert heard_every(gap_ms, times=2).cadence_ms == gap_ms
        assert heard_every(gap_ms, times=50).cadence_ms == gap_ms

    def test_jitter_is_averaged_out(self):
        rng = random.Random(7)
        gaps_ms = [rng.randrange(45 * SECOND_MS, 75 * SECOND_MS) for _ in range(200)]

        hearing = heard_at(*accumulate(gaps_ms, initial=NOW_MS))

        assert 50 * SECOND_MS < hearing.cadence_ms < 70 * SECOND_MS

    def test_a_mean_is_geometric(self):
        """Twice as long and half as long undo each other, whatever is usual."""
        usual = heard_every(MINUTE_MS)

        longer = usual.heard(received(at_ms=usual.heard_ms + 16 * MINUTE_MS))
        both = longer.heard(received(at_ms=longer.heard_ms + 60_000 * 60_000 // 960_000))

        assert longer.cadence_ms == round(MINUTE_MS * 2**0.5)
        assert both.cadence_ms == pytest.approx(MINUTE_MS, rel=0.05)

    @pytest.mark.parametrize("outage_ms", [HOUR_MS, DAY_MS])
    def test_an_outage_does_not_spoil_what_was_learned(self, outage_ms: int):
        usual = heard_every(MINUTE_MS)

        after = usual.heard(received(at_ms=usual.heard_ms + outage_ms))
        for _ in range(10):
            after = after.heard(received(at_ms=after.heard_ms + MINUTE_MS))

        assert patience_ms(after) < 5 * MINUTE_MS

    @pytest.mark.parametrize("outage_ms", [HOUR_MS, 20 * HOUR_MS, 30 * DAY_MS])
    def test_a_first_gap_may_be_an_outage_and_is_not_believed_to_be_a_habit(self, outage_ms: int):
        hearing = heard_at(NOW_MS, NOW_MS + outage_ms)

        assert patience_ms(hearing) <= 45 * MINUTE_MS

    def test_a_new_habit_is_learned_soon(self):
        hearing = heard_every(SECOND_MS)
        for _ in range(25):
            hearing = hearing.heard(received(at_ms=hearing.heard_ms + 5 * MINUTE_MS))

        assert patience_ms(hearing) > 10 * MINUTE_MS

    def test_who_comes_seldom_is_soon_called_silent_no_more(self):
        """Spot checks, once an hour."""
        calls = []
        hearing = heard_at(NOW_MS)
        for _ in range(10):
            calls.append(patience_ms(hearing) < HOUR_MS)
            hearing = hearing.heard(received(at_ms=hearing.heard_ms + HOUR_MS))

        assert calls.count(True) <= 3
        assert not any(calls[3:])


class TestBursts:
    def test_packets_of_one_message_say_nothing_of_a_cadence(self):
        hearing = heard_at(NOW_MS, NOW_MS, NOW_MS + 1, NOW_MS + 999)

        assert hearing.cadence_ms is None

    def test_messages_of_many_packets_are_as_far_apart_as_messages(self):
        times_ms = [
            at_ms + n * 5 for at_ms in range(NOW_MS, NOW_MS + HOUR_MS, MINUTE_MS) for n in range(10)
        ]

        hearing = heard_at(*times_ms)

        assert hearing.cadence_ms == pytest.approx(MINUTE_MS, rel=0.01)

    def test_their_order_does_not_matter(self):
        orders = [(0, 300, 700), (700, 0, 300), (300, 700, 0)]

        heard = [
            heard_at(NOW_MS, *(NOW_MS + MINUTE_MS + late for late in order)) for order in orders
        ]

        assert {hearing.cadence_ms for hearing in heard} <= set(range(60_000, 60_701))
        for one, other in pairwise(heard):
            assert abs(one.heard_ms - other.heard_ms) < SECOND_MS

    def test_a_receipt_of_before_takes_nothing_back(self):
        """Two transactions: the one that began first came second."""
        usual = heard_every(MINUTE_MS)

        after = usual.heard(received(at_ms=usual.heard_ms - 30 * SECOND_MS))

        assert after == usual

    @pytest.mark.parametrize("gap_ms", [100, 500, 900])
    def test_a_stream_without_a_pause_is_no_burst_for_ever(self, gap_ms: int):
        """Two devices of one patient, each once a second."""
        hearing = heard_every(gap_ms, times=100)

        assert patience_ms(hearing) == 2 * MINUTE_MS


class TestLive:
    @pytest.mark.parametrize(
        ("late_ms", "is_live"), [(0, True), (15 * MINUTE_MS, True), (15 * MINUTE_MS + 1, False)]
    )
    def test_what_was_measured_shortly_before_it_came_is_live(self, late_ms: int, is_live: bool):
        packet = received(at_ms=NOW_MS, received_ms=NOW_MS + late_ms)

        assert live(packet) is is_live

    def test_a_clock_that_runs_ahead_speaks_of_now(self):
        packet = received(at_ms=NOW_MS + HOUR_MS, received_ms=NOW_MS)

        assert live(packet)
