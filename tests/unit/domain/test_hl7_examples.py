"""The two messages of data/hl7, as an adapter has to read them, and what their readme promises."""

from tests.support import HOUR_MS, a_signal, received
from tests.unit.domain.ward import in_every_order, shown_after
from vitalrelay.domain.packet import Quality

NORMAL_MS, LATE_MS = 1_772_352_900_000, 1_772_352_960_000
CUFF_MS, THERMOMETER_MS = 1_772_351_924_000, 1_772_350_872_000
GATEWAY = {"site": "HOMEWARD", "device": "0015ACFFFE00A1B2", "subject": "HAH-0042"}

# data/hl7/pcd01_normal.hl7, as an adapter has to read it.
NORMAL = received(
    a_signal("spo2", 93, "%", NORMAL_MS),
    a_signal("pulse_rate", 95, "/min", NORMAL_MS),
    a_signal("respiratory_rate", 21, "/min", NORMAL_MS),
    a_signal("systolic_bp", 120, "mm[Hg]", CUFF_MS),
    a_signal("diastolic_bp", 60, "mm[Hg]", CUFF_MS),
    a_signal("temperature", 37.5, "Cel", THERMOMETER_MS),
    at_ms=NORMAL_MS,
    received_ms=NORMAL_MS + 2_000,
    sequence=4711,
    **GATEWAY,
)
# data/hl7/pcd01_degraded_late.hl7: no SpO2 (NAV), no temperature (DEMO), gas before impedance.
DEGRADED_LATE = received(
    a_signal("pulse_rate", 277, "/min", LATE_MS, Quality.QUESTIONABLE),
    a_signal("respiratory_rate", 18, "/min", LATE_MS),
    a_signal("respiratory_rate", 30, "/min", LATE_MS),
    at_ms=LATE_MS,
    received_ms=LATE_MS + 3 * HOUR_MS,
    sequence=4712,
    **GATEWAY,
)


def test_the_normal_message_scores_as_its_readme_says():
    shown = shown_after(NORMAL)

    assessment = shown.assessment
    assert NORMAL.packet.id == "HOMEWARD:0015ACFFFE00A1B2:1772352900000:4711"
    assert (assessment.score, assessment.upper_bound) == (5, 10)
    assert (assessment.risk_level, assessment.completeness) == ("medium", "partial")
    assert assessment.missing == ("supplemental_oxygen", "consciousness")
    assert (assessment.review_required, assessment.any_three) == (True, False)
    assert shown.encounter.vitals["systolic_bp"].moment.at_ms == CUFF_MS
    assert shown.encounter.as_of.at_ms == NORMAL_MS


def test_the_normal_message_is_complete_with_what_only_a_person_can_enter():
    nurse = received(
        at_ms=NORMAL_MS,
        site="HOMEWARD",
        subject="HAH-0042",
        device="tablet",
        supplemental_oxygen=False,
        consciousness="A",
    )

    assessment = in_every_order(NORMAL, nurse).assessment

    assert (assessment.score, assessment.upper_bound) == (5, 5)
    assert (assessment.risk_level, assessment.completeness) == ("medium", "complete")


def test_of_the_degraded_message_only_the_respiration_is_scored():
    shown = shown_after(DEGRADED_LATE)

    assessment = shown.assessment
    assert DEGRADED_LATE.clock_suspect is False
    assert assessment.components == {"respiratory_rate": 0}
    assert (assessment.score, assessment.upper_bound) == (0, 17)
    assert len(assessment.missing) == 6
    assert shown.alarms == ()


def test_after_both_messages_the_readme_is_right_in_either_order():
    shown = in_every_order(NORMAL, DEGRADED_LATE)

    vitals, assessment = shown.encounter.vitals, shown.assessment
    rate, pulse = vitals["respiratory_rate"], vitals["pulse_rate"]
    assert (rate.value, rate.moment.at_ms, rate.conflict) == (18, LATE_MS, True)
    assert (pulse.value, pulse.quality) == (277, Quality.QUESTIONABLE)
    assert (pulse.last_good.value, pulse.last_good.moment.at_ms) == (95, NORMAL_MS)
    assert [vitals[code].value for code in ("spo2", "systolic_bp", "diastolic_bp")] == [93, 120, 60]
    assert vitals["temperature"].moment.at_ms == THERMOMETER_MS
    assert (assessment.score, assessment.upper_bound) == (3, 8)
    assert (assessment.risk_level, assessment.completeness) == ("low", "partial")
    assert assessment.missing == ("supplemental_oxygen", "consciousness")
    assert shown.encounter.as_of.at_ms == 1_772_352_960_000
