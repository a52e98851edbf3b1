"""What is missing or too old is named, and never taken for normal (domain.md, section 2.4)."""

import pytest

from tests.support import HOUR_MS, NOW_MS, SEVEN, WELL, a_signal, an_encounter, assessed, received
from vitalrelay.domain.assessment import Completeness, RiskLevel, Source
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.packet import Quality

AGE_LIMIT_MS = 14_400_000


def test_the_example_of_the_reference_comes_out_as_printed():
    assessment = assessed(
        heart_rate=81,
        spo2=96.1,
        supplemental_oxygen=False,
        consciousness="A",
        respiratory_rate=22,
        systolic_bp=118,
    )

    assert (assessment.score, assessment.upper_bound) == (2, 5)
    assert assessment.completeness is Completeness.PARTIAL
    assert assessment.risk_level is RiskLevel.LOW
    assert assessment.missing == ("temperature",)


def test_where_nothing_is_known_there_is_no_score_and_no_risk_level():
    assessment = assessed(perfusion_index=3)

    assert assessment.score is None
    assert assessment.upper_bound == 20
    assert assessment.completeness is Completeness.UNKNOWN
    assert assessment.risk_level is RiskLevel.UNKNOWN
    assert assessment.missing == SEVEN
    assert (assessment.components, assessment.sources) == ({}, {})
    assert (assessment.any_three, assessment.review_required) == (False, False)


def test_a_scale_alone_makes_nothing_known():
    assessment = assessed(spo2_scale=2)

    assert assessment.completeness is Completeness.UNKNOWN


def test_a_partial_score_of_seven_is_high_already():
    assessment = assessed(respiratory_rate=25, heart_rate=131, temperature=38.5)

    assert assessment.completeness is Completeness.PARTIAL
    assert (assessment.score, assessment.risk_level) == (7, RiskLevel.HIGH)
    assert assessment.upper_bound == 7 + 3 + 2 + 3 + 3


def test_signals_the_chart_does_not_know_are_not_scored():
    others = {"gcs_total": 3, "perfusion_index": 0, "diastolic_bp": 20, "mean_bp": 20}

    assessment = assessed(**WELL | others)

    assert assessment == assessed(**WELL)


@pytest.mark.parametrize("quality", [Quality.QUESTIONABLE, Quality.INVALID])
def test_only_good_values_are_known(quality):
    doubtful = a_signal("respiratory_rate", 30, quality=quality)

    assessment = assessed(received(doubtful, heart_rate=70))

    assert assessment.components == {"heart_rate": 0}
    assert "respiratory_rate" in assessment.missing


@pytest.mark.parametrize(("value", "on_oxygen"), [(93, 1), (94.4, 1), (94.5, 2), (96, 2), (97, 3)])
def test_on_scale_2_a_high_saturation_cannot_be_told_without_oxygen(value, on_oxygen):
    known = {"spo2": value, "spo2_scale": 2, "respiratory_rate": 22}

    assessment = assessed(**known)

    assert assessment.components == {"respiratory_rate": 2}
    assert "spo2" not in assessment.missing
    assert "supplemental_oxygen" in assessment.missing
    assert assessment.sources["spo2"] == Source("spo2", NOW_MS)
    assert assessment.score == 2
    assert assessment.upper_bound == 2 + on_oxygen + 2 + 4 * 3


@pytest.mark.parametrize(("value", "points"), [(83, 3), (84, 2), (87.4, 1), (88, 0), (92.4, 0)])
def test_on_scale_2_a_low_saturation_can_be_told_without_oxygen(value, points):
    assessment = assessed(spo2=value, spo2_scale=2)

    assert assessment.components == {"spo2": points}
    assert assessment.upper_bound == points + 2 + 5 * 3


def test_a_saturation_that_cannot_be_told_is_partial_with_a_score_of_nothing():
    assessment = assessed(spo2=97, spo2_scale=2)

    assert assessment.completeness is Completeness.PARTIAL
    assert (assessment.score, assessment.upper_bound) == (0, 3 + 2 + 5 * 3)
    assert assessment.risk_level is RiskLevel.LOW


@pytest.mark.parametrize("parameter", SEVEN)
@pytest.mark.parametrize(("older_ms", "known"), [(AGE_LIMIT_MS, True), (AGE_LIMIT_MS + 1, False)])
def test_a_value_is_known_up_to_the_age_limit_and_not_a_millisecond_longer(
    parameter, older_ms, known
):
    old = received(at_ms=NOW_MS - older_ms, **{parameter: WELL[parameter]})
    newest = received(at_ms=NOW_MS, perfusion_index=3)

    assessment = assessed(old, newest)

    assert (parameter not in assessment.missing) is known
    assert (parameter in assessment.components) is known


def test_age_is_counted_from_the_newest_signal_not_from_the_newest_packet():
    measured_later = a_signal("temperature", 36.8, measured_ms=NOW_MS + AGE_LIMIT_MS + 1)
    packet = received(measured_later, at_ms=NOW_MS, received_ms=NOW_MS + 5 * HOUR_MS, spo2=97)

    assessment = assessed(packet)

    assert tuple(assessment.components) == ("temperature",)


def test_the_age_limit_is_a_setting():
    hour_old = received(at_ms=NOW_MS - HOUR_MS, spo2=97)
    newest = received(at_ms=NOW_MS, heart_rate=70)

    strict = News2(max_age_ms=HOUR_MS - 1)(an_encounter(hour_old, newest))
    exact = News2(max_age_ms=HOUR_MS)(an_encounter(hour_old, newest))

    assert ("spo2" in strict.missing, "spo2" in exact.missing) == (True, False)


def test_a_good_value_that_is_too_old_is_not_brought_back_by_a_bad_new_one():
    good = received(at_ms=NOW_MS - AGE_LIMIT_MS - 1, spo2=91)
    probe_off = received(at_ms=NOW_MS, spo2=0)

    assessment = assessed(good, probe_off)

    assert assessment.completeness is Completeness.UNKNOWN


def test_a_prescribed_scale_does_not_age():
    prescribed = received(at_ms=NOW_MS - 30 * 24 * HOUR_MS, spo2_scale=2)
    now = received(at_ms=NOW_MS, spo2=90)

    assessment = assessed(prescribed, now)

    assert assessment.components == {"spo2": 0}


def test_a_prescribed_scale_holds_until_it_is_changed():
    prescribed = received(at_ms=NOW_MS - HOUR_MS, spo2_scale=2)
    changed = received(at_ms=NOW_MS, spo2_scale=1, spo2=90)

    assessment = assessed(prescribed, changed)

    assert assessment.components == {"spo2": 3}


def test_a_doubtful_word_on_the_scale_leaves_the_prescription_as_it_was():
    prescribed = received(at_ms=NOW_MS - HOUR_MS, spo2_scale=2)
    doubtful = received(a_signal("spo2_scale", 1, quality=Quality.QUESTIONABLE), spo2=90)

    assessment = assessed(prescribed, doubtful)

    assert assessment.components == {"spo2": 0}
