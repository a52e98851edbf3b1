"""Which of several signals feeds a parameter (domain.md, section 1.2)."""

import pytest

from tests.support import HOUR_MS, MINUTE_MS, NOW_MS, a_signal, an_encounter, assessed, received
from vitalrelay.domain.assessment import Source
from vitalrelay.domain.news2 import News2

PREFERRED_MS = 300_000
OXYGEN = ("supplemental_oxygen", "oxygen_flow", "fio2")

# A parameter, its signals in order of preference, a value of each, and what it is worth.
PREFERENCES = [
    ("heart_rate", ("heart_rate", "pulse_rate", "nibp_pulse_rate"), (70, 95, 115), (0, 1, 2)),
    ("systolic_bp", ("systolic_bp", "arterial_systolic_bp"), (120, 95), (0, 2)),
    ("supplemental_oxygen", OXYGEN, (False, 2, 40), (0, 2, 2)),
]


@pytest.mark.parametrize(("parameter", "codes", "values", "points"), PREFERENCES)
def test_each_signal_alone_feeds_its_parameter(parameter, codes, values, points):
    alone = [assessed(**{code: value}) for code, value in zip(codes, values, strict=True)]

    fed = [(a.components, a.sources) for a in alone]

    assert fed == [
        ({parameter: expected}, {parameter: Source(code, NOW_MS)})
        for code, expected in zip(codes, points, strict=True)
    ]


@pytest.mark.parametrize(("parameter", "codes", "values", "points"), PREFERENCES)
def test_of_equally_new_sources_the_preferred_one_wins(parameter, codes, values, points):
    together = dict(reversed([*zip(codes, values, strict=True)]))

    assessment = assessed(**together)

    assert assessment.sources == {parameter: Source(codes[0], NOW_MS)}
    assert assessment.components == {parameter: points[0]}


@pytest.mark.parametrize(
    ("older_ms", "source"),
    [
        (0, "systolic_bp"),
        (PREFERRED_MS, "systolic_bp"),
        (PREFERRED_MS + 1, "arterial_systolic_bp"),
        (3 * HOUR_MS, "arterial_systolic_bp"),
        (-1, "systolic_bp"),
    ],
)
def test_the_preferred_source_may_be_five_minutes_older_and_no_more(older_ms, source):
    cuff = received(at_ms=NOW_MS - older_ms, device="cuff", systolic_bp=120)
    line = received(at_ms=NOW_MS, device="line", arterial_systolic_bp=85)

    assessment = assessed(cuff, line)

    assert assessment.sources["systolic_bp"].code == source
    assert assessment.components == {"systolic_bp": 0 if source == "systolic_bp" else 3}


def test_the_five_minutes_are_counted_from_the_newest_of_all_sources():
    ecg = received(at_ms=NOW_MS - PREFERRED_MS - 1, heart_rate=70)
    oximeter = received(at_ms=NOW_MS - PREFERRED_MS, pulse_rate=95)
    cuff = received(at_ms=NOW_MS, nibp_pulse_rate=115)

    assessment = assessed(ecg, oximeter, cuff)

    assert assessment.sources == {"heart_rate": Source("pulse_rate", NOW_MS - PREFERRED_MS)}


def test_a_source_that_is_not_good_does_not_compete():
    ecg_off = received(a_signal("heart_rate", 0), pulse_rate=95)

    assessment = assessed(ecg_off)

    assert assessment.sources == {"heart_rate": Source("pulse_rate", NOW_MS)}


def test_the_last_good_value_of_the_preferred_source_competes_with_its_own_time():
    ecg = received(at_ms=NOW_MS - PREFERRED_MS, heart_rate=70)
    ecg_off = received(at_ms=NOW_MS, heart_rate=0, pulse_rate=95)

    assessment = assessed(ecg, ecg_off)

    assert assessment.sources == {"heart_rate": Source("heart_rate", NOW_MS - PREFERRED_MS)}


def test_a_source_that_is_too_old_does_not_compete():
    news2 = News2(max_age_ms=MINUTE_MS)
    cuff = received(at_ms=NOW_MS - MINUTE_MS - 1, systolic_bp=120)
    line = received(at_ms=NOW_MS, arterial_systolic_bp=85)

    assessment = news2(an_encounter(cuff, line))

    assert assessment.sources == {"systolic_bp": Source("arterial_systolic_bp", NOW_MS)}


@pytest.mark.parametrize(
    ("code", "value", "points"),
    [
        ("oxygen_flow", 0, 0),
        ("oxygen_flow", 0.5, 2),
        ("fio2", 20, 0),
        ("fio2", 21, 0),
        ("fio2", 21.4, 0),
        ("fio2", 21.5, 2),
        ("fio2", 22, 2),
    ],
)
def test_a_flow_above_nothing_or_more_than_room_air_is_oxygen(code, value, points):
    assessment = assessed(**{code: value})

    assert assessment.components == {"supplemental_oxygen": points}
