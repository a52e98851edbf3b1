"""The rules of domain.md, section 3, in their order, by example."""

import pytest

from tests.support import DAY_MS, HOUR_MS, MINUTE_MS, NOW_MS, a_signal, an_encounter, received
from tests.unit.domain.ward import in_every_order, ward_after
from vitalrelay.domain.packet import Quality
from vitalrelay.domain.snapshot import Moment, folded

YEAR_2036_MS = 2_082_758_400_000


def test_each_signal_keeps_its_own_time():
    message_ms = NOW_MS + 24 * MINUTE_MS
    cuff = a_signal("systolic_bp", 120, measured_ms=NOW_MS)

    stay = an_encounter(received(cuff, at_ms=message_ms, heart_rate=81))

    assert stay.vitals["systolic_bp"].moment.at_ms == NOW_MS
    assert stay.vitals["heart_rate"].moment.at_ms == message_ms


def test_newest_wins_per_signal_and_not_per_packet():
    old_cuff = a_signal("systolic_bp", 120, measured_ms=NOW_MS - HOUR_MS)
    monitor = received(old_cuff, at_ms=NOW_MS, heart_rate=81)
    nurse = received(at_ms=NOW_MS - MINUTE_MS, device="cuff-3", systolic_bp=95)

    stay = in_every_order(monitor, nurse).encounter

    assert stay.vitals["systolic_bp"].value == 95


def test_a_time_in_the_future_is_clamped_to_the_receipt():
    ahead = received(
        a_signal("heart_rate", 81, measured_ms=YEAR_2036_MS), at_ms=YEAR_2036_MS, received_ms=NOW_MS
    )
    right = received(at_ms=NOW_MS + 1, device="bed-13", heart_rate=95)

    alone = in_every_order(ahead).encounter
    then = in_every_order(ahead, right).encounter

    assert (alone.as_of.at_ms, alone.vitals["heart_rate"].moment.at_ms) == (NOW_MS, NOW_MS)
    assert then.vitals["heart_rate"].value == 95


def test_a_signal_ahead_of_a_punctual_packet_is_clamped_too():
    ahead = received(a_signal("heart_rate", 81, measured_ms=NOW_MS + 1000), received_ms=NOW_MS + 5)

    stay = an_encounter(ahead)

    assert stay.vitals["heart_rate"].moment.at_ms == NOW_MS + 5
    assert (stay.newest.at_ms, stay.as_of.at_ms) == (NOW_MS, NOW_MS + 5)


def test_ties_go_to_the_greater_packet_id_by_code_points():
    devices = ["bed-12", "bed-2", "Bed-9"]  # B < b, 1 < 2
    packets = [
        received(device=device, heart_rate=rate)
        for device, rate in zip(devices, (81, 95, 70), strict=True)
    ]

    vital = in_every_order(*packets).encounter.vitals["heart_rate"]

    assert (vital.value, vital.moment.packet) == (95, "seoul-01:bed-2:1767225600000")


def test_twice_the_same_signal_in_a_packet_the_first_entry_wins():
    gas, impedance = a_signal("respiratory_rate", 18), a_signal("respiratory_rate", 30)

    first_gas = an_encounter(received(gas, impedance)).vitals["respiratory_rate"]
    first_impedance = an_encounter(received(impedance, gas)).vitals["respiratory_rate"]

    assert (first_gas.value, first_gas.conflict) == (18, True)
    assert (first_impedance.value, first_impedance.conflict) == (30, True)


def test_twice_the_same_signal_at_two_times_in_a_packet_the_newer_wins():
    older = a_signal("heart_rate", 81, measured_ms=NOW_MS - 1)

    vital = an_encounter(received(older, heart_rate=95)).vitals["heart_rate"]

    assert (vital.value, vital.conflict) == (95, False)


def test_another_value_at_the_same_time_is_a_conflict():
    one = received(device="probe-1", spo2=96)
    another = received(device="probe-2", spo2=91)

    vital = in_every_order(one, another).encounter.vitals["spo2"]

    assert (vital.value, vital.conflict) == (91, True)


def test_equal_values_at_the_same_time_are_no_conflict():
    celsius = received(a_signal("temperature", 37.5), device="a")
    fahrenheit = received(a_signal("temperature", 99.5, "[degF]"), device="b")

    vital = in_every_order(celsius, fahrenheit).encounter.vitals["temperature"]

    assert vital.conflict is False


def test_a_third_that_agrees_with_the_winner_does_not_settle_a_conflict():
    a, b, a_again = (
        received(device=device, spo2=value) for device, value in (("a", 96), ("b", 91), ("c", 96))
    )

    vital = in_every_order(a, b, a_again).encounter.vitals["spo2"]

    assert (vital.value, vital.conflict) == (96, True)


def test_a_newer_time_ends_a_conflict_and_an_older_one_makes_none():
    one, another = received(device="a", spo2=96), received(device="b", spo2=91)
    newer = received(at_ms=NOW_MS + 1, spo2=94)

    vital = in_every_order(one, another, newer).encounter.vitals["spo2"]

    assert (vital.value, vital.conflict) == (94, False)


def test_a_conflict_does_not_hide_behind_a_drop_out():
    one, another = received(device="a", spo2=96), received(device="b", spo2=91)
    probe_off = received(at_ms=NOW_MS + 1, spo2=0)

    vital = in_every_order(one, another, probe_off).encounter.vitals["spo2"]

    assert (vital.value, vital.conflict) == (0, False)
    assert (vital.last_good.value, vital.last_good.conflict) == (91, False)


def test_what_no_double_can_tell_apart_is_the_same_value():
    one = received(a_signal("heart_rate", 2**53), device="a")
    another = received(a_signal("heart_rate", 2**53 + 1), device="b")

    vitals = [
        in_every_order(one, another).encounter.vitals,
        ward_after([one, another]).snapshot().encounter.vitals,
    ]

    assert [vital["heart_rate"].conflict for vital in vitals] == [False, False]


def test_time_is_the_newest_of_any_packet_or_signal():
    later_signal = a_signal("spo2", 96, measured_ms=NOW_MS + MINUTE_MS)
    early = received(later_signal, at_ms=NOW_MS, received_ms=NOW_MS + HOUR_MS, device="a")
    packet = received(at_ms=NOW_MS + 1, device="b", heart_rate=81)

    stay = in_every_order(early, packet).encounter

    assert stay.as_of == Moment(NOW_MS + MINUTE_MS, early.packet.id)
    assert stay.newest == Moment(NOW_MS + 1, packet.packet.id)


def test_a_packet_of_old_measurements_moves_time_on():
    first = received(at_ms=NOW_MS, spo2=96)
    old_cuff = a_signal("systolic_bp", 120, measured_ms=NOW_MS - HOUR_MS)
    then = received(old_cuff, at_ms=NOW_MS + MINUTE_MS)

    stay = in_every_order(first, then).encounter

    assert stay.as_of == Moment(NOW_MS + MINUTE_MS, then.packet.id)


def test_a_packet_without_a_measurement_moves_time_on():
    measured = received(at_ms=NOW_MS, spo2=96)
    not_measured = received(at_ms=NOW_MS + 5 * HOUR_MS, heart_rate=0)

    shown = in_every_order(measured, not_measured)

    assert shown.encounter.as_of.at_ms == NOW_MS + 5 * HOUR_MS
    assert "spo2" in shown.assessment.missing


def test_the_last_packet_is_that_with_the_greater_id_when_two_are_equally_new():
    packets = [received(device=device, heart_rate=81) for device in ("b", "c", "a")]

    stay = in_every_order(*packets).encounter

    assert stay.as_of == stay.newest == Moment(NOW_MS, "seoul-01:c:1767225600000")


@pytest.mark.parametrize(
    ("slipped", "reason"),
    [
        (a_signal("spo2", 0, measured_ms=NOW_MS + 1), "not-measured"),
        (a_signal("spo2", 36, measured_ms=NOW_MS + 1), "out-of-range"),
        (a_signal("spo2", 97, None, NOW_MS + 1, Quality.INVALID), "device"),
        (a_signal("spo2", 97, None, NOW_MS + 1, Quality.QUESTIONABLE), "device"),
    ],
)
def test_a_value_that_cannot_be_scored_is_shown_and_does_not_erase_the_last_good_one(
    slipped, reason
):
    older, good = received(at_ms=NOW_MS - 1, spo2=99), received(at_ms=NOW_MS, spo2=91)
    bad = received(slipped, at_ms=NOW_MS + 1)

    shown = in_every_order(older, good, bad)

    vital = shown.encounter.vitals["spo2"]
    assert (vital.value, vital.quality_reason) == (slipped.value, reason)
    assert vital.last_good == an_encounter(good).vitals["spo2"]
    assert shown.assessment.components == {"spo2": 3}


def test_a_good_value_needs_no_last_good_one():
    bad, good = received(at_ms=NOW_MS, spo2=0), received(at_ms=NOW_MS + 1, spo2=91)

    vital = in_every_order(bad, good).encounter.vitals["spo2"]

    assert (vital.value, vital.last_good) == (91, None)


def test_of_a_bad_and_a_good_value_at_the_same_time_the_greater_id_is_shown():
    good, bad = received(device="a", spo2=91), received(device="b", spo2=0)

    vital = in_every_order(good, bad).encounter.vitals["spo2"]

    assert (vital.value, vital.conflict) == (0, True)
    assert vital.last_good.value == 91


def test_a_late_packet_fills_a_gap_with_its_own_time():
    now = received(at_ms=NOW_MS, heart_rate=81)
    late = received(at_ms=NOW_MS - HOUR_MS, received_ms=NOW_MS + 1, heart_rate=140, spo2=91)

    shown = in_every_order(now, late)

    vitals = shown.encounter.vitals
    assert (vitals["heart_rate"].value, vitals["spo2"].value) == (81, 91)
    assert vitals["spo2"].moment.at_ms == NOW_MS - HOUR_MS
    assert shown.encounter.as_of.at_ms == NOW_MS


def test_a_late_packet_does_not_lower_the_version_or_look_live():
    ward = ward_after([received(at_ms=NOW_MS, heart_rate=81)])
    before = ward.snapshot()

    ward.ingest([received(at_ms=NOW_MS - DAY_MS, received_ms=NOW_MS + 1, heart_rate=140)])

    assert (before.version, ward.snapshot().version) == (1, 2)
    assert ward.snapshot().encounter == before.encounter
    assert ward.snapshot().alarms == ()


def test_a_new_encounter_begins_with_nothing_known():
    before = received(at_ms=NOW_MS, encounter="e-1", spo2=97, spo2_scale=2)
    after = received(at_ms=NOW_MS + 1, encounter="e-2", heart_rate=81)

    shown = in_every_order(before, after)

    assert shown.encounter.id == "e-2"
    assert set(shown.encounter.vitals) == {"heart_rate"}
    assert shown.assessment.components == {"heart_rate": 0}


def test_a_prescribed_scale_does_not_outlive_its_encounter():
    before = received(at_ms=NOW_MS, encounter="e-1", spo2_scale=2)
    after = received(at_ms=NOW_MS + 1, encounter="e-2", spo2=90)

    shown = in_every_order(before, after)

    assert shown.assessment.components == {"spo2": 3}


def test_the_current_encounter_is_that_of_the_newest_packet_not_of_the_newest_signal():
    signal_ahead = a_signal("spo2", 96, measured_ms=NOW_MS + MINUTE_MS)
    old = received(signal_ahead, at_ms=NOW_MS, received_ms=NOW_MS + HOUR_MS, encounter="e-1")
    new = received(at_ms=NOW_MS + 1, encounter="e-2", heart_rate=81)

    stay = in_every_order(old, new).encounter

    assert (stay.id, stay.as_of.at_ms) == ("e-2", NOW_MS + 1)


def test_of_two_equally_new_encounters_the_greater_packet_id_is_current():
    one = received(device="a", encounter="e-9", heart_rate=81)
    other = received(device="b", encounter="e-1", heart_rate=95)

    stay = in_every_order(one, other).encounter

    assert stay.id == "e-1"


def test_a_late_packet_of_an_earlier_encounter_changes_nothing_shown():
    ward = ward_after(
        [received(at_ms=NOW_MS, encounter="e-1", heart_rate=81)],
        [received(at_ms=NOW_MS + HOUR_MS, encounter="e-2", heart_rate=95)],
    )
    before = ward.snapshot()

    ward.ingest([received(at_ms=NOW_MS + 1, encounter="e-1", heart_rate=140, spo2=85)])

    assert ward.snapshot().encounter == before.encounter
    assert ward.snapshot().assessment == before.assessment
    assert ward.snapshot().alarms == before.alarms == ()


def test_an_earlier_encounter_that_becomes_current_again_comes_back_whole():
    first = received(at_ms=NOW_MS, encounter="e-1", spo2=97)
    other = received(at_ms=NOW_MS + 2, encounter="e-2", heart_rate=95)
    late = received(at_ms=NOW_MS + 1, encounter="e-1", respiratory_rate=16)
    back = received(at_ms=NOW_MS + 3, encounter="e-1", temperature=36.8)

    stay = in_every_order(first, other, late, back).encounter

    assert stay == folded([first, late, back])
