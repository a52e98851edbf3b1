"""Where published implementations of NEWS2 go wrong (domain.md, section 2.5), row by row."""

from decimal import Decimal

import pytest

from tests.support import MINUTE_MS, NOW_MS, SEVEN, WELL, assessed, received
from vitalrelay.domain.assessment import RiskLevel, Source

SCALE_2_ON_AIR = {"spo2_scale": 2, "supplemental_oxygen": False}
SCALE_2_ON_OXYGEN = {"spo2_scale": 2, "supplemental_oxygen": True}


def test_a_temperature_of_37_5_scores_nothing():
    assessment = assessed(temperature=37.5)

    assert assessment.components == {"temperature": 0}


def test_scale_2_asks_for_oxygen_and_97_on_air_scores_nothing():
    on_air = assessed(**WELL | SCALE_2_ON_AIR | {"spo2": 97})

    on_oxygen = assessed(**WELL | SCALE_2_ON_OXYGEN | {"spo2": 97})

    assert (on_air.components["spo2"], on_air.score) == (0, 0)
    assert (on_oxygen.components["spo2"], on_oxygen.score) == (3, 5)


def test_scale_1_applies_until_a_clinician_chooses_otherwise():
    saturation = {"spo2": 88, "supplemental_oxygen": True}  # as is usual in COPD

    unsaid = assessed(**saturation)
    scale_1 = assessed(**saturation, spo2_scale=1)
    scale_2 = assessed(**saturation, spo2_scale=2)

    assert [a.components["spo2"] for a in (unsaid, scale_1, scale_2)] == [3, 3, 0]


def test_a_single_three_is_low_medium_and_three_or_four_without_one_are_low():
    three_in_one = assessed(**WELL | {"consciousness": "V"})

    three_in_two = assessed(**WELL | {"respiratory_rate": 22, "heart_rate": 95})
    four_in_two = assessed(**WELL | {"respiratory_rate": 22, "heart_rate": 115})

    assert (three_in_one.score, three_in_one.risk_level) == (3, RiskLevel.LOW_MEDIUM)
    assert (three_in_two.score, three_in_two.risk_level) == (3, RiskLevel.LOW)
    assert (four_in_two.score, four_in_two.risk_level) == (4, RiskLevel.LOW)


def test_one_to_four_is_low_and_four_with_a_three_is_low_medium():
    one = assessed(**WELL | {"heart_rate": 95})

    four_with_a_three = assessed(**WELL | {"heart_rate": 95, "spo2": 91})

    assert (one.score, one.risk_level) == (1, RiskLevel.LOW)
    assert (four_with_a_three.score, four_with_a_three.risk_level) == (4, RiskLevel.LOW_MEDIUM)


@pytest.mark.parametrize("absent", SEVEN)
def test_what_was_not_measured_has_no_points_and_no_default(absent):
    measured = {code: value for code, value in WELL.items() if code != absent}

    assessment = assessed(**measured)

    assert absent not in assessment.components
    assert absent not in assessment.sources
    assert assessment.missing == (absent,)


def test_new_confusion_scores_three():
    assessment = assessed(consciousness="C")

    assert assessment.components == {"consciousness": 3}


@pytest.mark.parametrize(
    ("component", "value", "points"),
    [
        ("respiratory_rate", "8.5", 1),
        ("temperature", "35.05", 1),
        ("heart_rate", "90.5", 1),
        ("systolic_bp", "110.5", 0),
    ],
)
def test_no_value_falls_between_two_bands(component, value, points):
    assessment = assessed(**{component: Decimal(value)})

    assert assessment.components == {component: points}


def test_the_chart_is_that_of_2017_and_no_comparison_is_chained():
    rates = [assessed(respiratory_rate=rate).score for rate in (8, 15, 25)]

    scale_2 = assessed(spo2=94, **SCALE_2_ON_AIR).components["spo2"]  # 2012 knew one scale: 1

    assert rates == [3, 0, 3]
    assert scale_2 == 0


def test_a_dropped_probe_does_not_lower_the_risk():
    low = received(at_ms=NOW_MS, **WELL | {"spo2": 91})
    probe_off = received(at_ms=NOW_MS + MINUTE_MS, spo2=0)

    before = assessed(low)
    after = assessed(low, probe_off)

    assert (after.components, after.score) == (before.components, before.score)
    assert (after.risk_level, after.any_three) == (RiskLevel.LOW_MEDIUM, True)
    assert after.sources["spo2"] == Source("spo2", NOW_MS)
