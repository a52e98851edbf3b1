"""NEWS2 against the published examples, the chart (written down by hand), and its properties."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.support import SEVEN, WELL, assessed
from tests.unit.domain.strategies import OXYGEN, observations, often, plausible
from vitalrelay.domain.assessment import Assessment, Completeness, RiskLevel
from vitalrelay.domain.news2 import risk_level

ON_AIR, ON_OXYGEN = {"supplemental_oxygen": False}, {"supplemental_oxygen": True}
SCALE_2_ON_AIR, SCALE_2_ON_OXYGEN = {"spo2_scale": 2} | ON_AIR, {"spo2_scale": 2} | ON_OXYGEN

# Written down from the chart, section 2.1: the last value of each band and the first of the next.
EDGES = [
    ("respiratory_rate", [(3, 3), (8, 3), (9, 1), (11, 1), (12, 0), (20, 0)], {}),
    ("respiratory_rate", [(21, 2), (24, 2), (25, 3), (80, 3)], {}),
    ("spo2", [(50, 3), (91, 3), (92, 2), (93, 2), (94, 1), (95, 1), (96, 0), (100, 0)], {}),
    ("spo2", [(91, 3), (92, 2), (95, 1), (96, 0)], {"spo2_scale": 1} | ON_OXYGEN),
    ("spo2", [(50, 3), (83, 3), (84, 2), (85, 2), (86, 1), (87, 1), (88, 0)], SCALE_2_ON_AIR),
    ("spo2", [(92, 0), (93, 0), (94, 0), (95, 0), (96, 0), (97, 0), (100, 0)], SCALE_2_ON_AIR),
    ("spo2", [(50, 3), (83, 3), (84, 2), (85, 2), (86, 1), (87, 1), (88, 0)], SCALE_2_ON_OXYGEN),
    ("spo2", [(92, 0), (93, 1), (94, 1), (95, 2), (96, 2), (97, 3), (100, 3)], SCALE_2_ON_OXYGEN),
    ("supplemental_oxygen", [(False, 0), (True, 2)], {}),
    ("systolic_bp", [(40, 3), (90, 3), (91, 2), (100, 2), (101, 1), (110, 1), (111, 0)], {}),
    ("systolic_bp", [(219, 0), (220, 3), (300, 3)], {}),
    ("heart_rate", [(20, 3), (40, 3), (41, 1), (50, 1), (51, 0), (90, 0), (91, 1)], {}),
    ("heart_rate", [(110, 1), (111, 2), (130, 2), (131, 3), (300, 3)], {}),
    ("consciousness", [("A", 0), ("C", 3), ("V", 3), ("P", 3), ("U", 3)], {}),
    ("temperature", [(25, 3), (35.0, 3), (35.1, 1), (36.0, 1), (36.1, 0), (38.0, 0)], {}),
    ("temperature", [(38.1, 1), (39.0, 1), (39.1, 2), (45, 2)], {}),
]
CHART = [
    (component, value, points, others)
    for component, band, others in EDGES
    for value, points in band
]

# Section 2.3, and around each edge the value that is just not rounded up and the one that just is.
DECIMALS = [
    ("respiratory_rate", "8.4", 3),
    ("respiratory_rate", "8.49", 3),
    ("respiratory_rate", "8.5", 1),
    ("respiratory_rate", "11.49", 1),
    ("respiratory_rate", "11.5", 0),
    ("respiratory_rate", "20.49", 0),
    ("respiratory_rate", "20.5", 2),
    ("respiratory_rate", "24.49", 2),
    ("respiratory_rate", "24.5", 3),
    ("spo2", "91.49", 3),
    ("spo2", "91.5", 2),
    ("spo2", "93.49", 2),
    ("spo2", "93.5", 1),
    ("spo2", "95.4", 1),
    ("spo2", "95.5", 0),
    ("systolic_bp", "90.4", 3),
    ("systolic_bp", "90.5", 2),
    ("systolic_bp", "100.49", 2),
    ("systolic_bp", "100.5", 1),
    ("systolic_bp", "110.49", 1),
    ("systolic_bp", "110.5", 0),
    ("systolic_bp", "219.49", 0),
    ("systolic_bp", "219.5", 3),
    ("heart_rate", "40.4", 3),
    ("heart_rate", "40.5", 1),
    ("heart_rate", "50.49", 1),
    ("heart_rate", "50.5", 0),
    ("heart_rate", "90.49", 0),
    ("heart_rate", "90.5", 1),
    ("heart_rate", "110.4", 1),
    ("heart_rate", "110.5", 2),
    ("heart_rate", "130.49", 2),
    ("heart_rate", "130.5", 3),
    ("temperature", "35.04", 3),
    ("temperature", "35.05", 1),
    ("temperature", "36.049", 1),
    ("temperature", "36.05", 0),
    ("temperature", "38.04", 0),
    ("temperature", "38.05", 1),
    ("temperature", "39.049", 1),
    ("temperature", "39.05", 2),
]

# Section 2.2: score, whether a single parameter has 3, and the level.
LEVELS = [
    (0, False, RiskLevel.LOW),
    (1, False, RiskLevel.LOW),
    (4, False, RiskLevel.LOW),
    (3, True, RiskLevel.LOW_MEDIUM),
    (4, True, RiskLevel.LOW_MEDIUM),
    (5, False, RiskLevel.MEDIUM),
    (5, True, RiskLevel.MEDIUM),
    (6, False, RiskLevel.MEDIUM),
    (6, True, RiskLevel.MEDIUM),
    (7, False, RiskLevel.HIGH),
    (7, True, RiskLevel.HIGH),
    (20, True, RiskLevel.HIGH),
    (None, False, RiskLevel.UNKNOWN),
]


@pytest.fixture
def vectors(clinical_data: Path):
    return json.loads((clinical_data / "news2" / "vectors.json").read_text(), parse_float=Decimal)


def facts(assessment: Assessment) -> dict[str, object]:
    """An assessment in the words of vectors.json."""
    return {
        "score": assessment.score,
        "riskLevel": assessment.risk_level,
        "anyThree": assessment.any_three,
        "clinicianReviewRequired": assessment.review_required,
        "components": assessment.components,
    }


def test_every_published_example_scores_as_the_chart_says(vectors, subtests):
    examples = vectors["examples"]

    for example in examples:
        with subtests.test(example["id"]):
            assessment = assessed(**example["inputs"])

            assert facts(assessment) == example["expected"]
            assert assessment.completeness is Completeness.COMPLETE
            assert (assessment.missing, assessment.upper_bound) == ((), assessment.score)

    assert len(examples) == 27


def test_published_results_that_break_the_chart_are_not_repeated(vectors, subtests):
    negative = vectors["negative"]

    for example in negative:
        with subtests.test(example["id"]):
            ours = facts(assessed(**example["inputs"]))

            assert ours == example["expected"]
            assert ours["score"] != example["published"]["score"]

    assert len(negative) == 3


def test_values_between_two_bands_are_rounded_first(vectors, subtests):
    cases = vectors["decimals"]["cases"]

    for case in cases:
        component, value = case["component"], case["value"]
        with subtests.test(f"{component} {value}"):
            points = assessed(**{component: value}).components[component]

            assert points == case["points"]
            assert points != case.get("pointsIfNotRounded")

    assert len(cases) == 24


def test_a_parameter_dropped_from_an_example_is_missing_and_has_no_points(vectors, subtests):
    examples = vectors["examples"] + vectors["negative"]

    for example in examples:
        for dropped in SEVEN:
            with subtests.test(f"{example['id']} without {dropped}"):
                inputs = {code: v for code, v in example["inputs"].items() if code != dropped}
                expected = without(dropped, example["inputs"], example["expected"]["components"])

                assessment = assessed(**inputs)

                assert (assessment.components, assessment.upper_bound) == expected
                assert assessment.score == sum(expected[0].values())
                assert assessment.missing == (dropped,)
                assert assessment.completeness is Completeness.PARTIAL


def without(dropped, inputs, components):
    """The components and the upper bound that are left, by README.md of the vectors."""
    left = {name: points for name, points in components.items() if name != dropped}
    if dropped != "supplemental_oxygen":
        return left, sum(left.values()) + 3
    if inputs["spo2_scale"] == 2 and inputs["spo2"] >= 93:
        on_oxygen = {93: 1, 94: 1, 95: 2, 96: 2}.get(int(inputs["spo2"]), 3)
        left = {name: points for name, points in left.items() if name != "spo2"}
        return left, sum(left.values()) + 2 + on_oxygen
    return left, sum(left.values()) + 2


@pytest.mark.parametrize(("component", "value", "points", "others"), CHART)
def test_each_band_of_the_chart_ends_where_it_must(component, value, points, others):
    values = {component: value} | others

    assessment = assessed(**values)

    assert assessment.components[component] == points


@pytest.mark.parametrize(("component", "value", "points"), DECIMALS)
def test_a_value_is_rounded_half_up_to_chart_resolution_before_it_is_looked_up(
    component, value, points
):
    assessment = assessed(**{component: Decimal(value)})

    assert assessment.components == {component: points}


@pytest.mark.parametrize(
    ("value", "on_air", "on_oxygen"),
    [("87.5", 0, 0), ("92.4", 0, 0), ("92.5", 0, 1), ("94.5", 0, 2), ("96.5", 0, 3)],
)
def test_scale_2_rounds_before_it_asks_for_oxygen(value, on_air, on_oxygen):
    spo2 = {"spo2": Decimal(value)}

    points = [assessed(**spo2, **given).components for given in (SCALE_2_ON_AIR, SCALE_2_ON_OXYGEN)]

    assert [given["spo2"] for given in points] == [on_air, on_oxygen]


@pytest.mark.parametrize(("score", "any_three", "level"), LEVELS)
def test_the_risk_level_follows_from_the_score_and_a_single_three(score, any_three, level):
    ours = risk_level(score, any_three)

    assert ours is level


@pytest.mark.parametrize(
    ("values", "level", "review"),
    [
        ({}, RiskLevel.LOW, False),
        ({"respiratory_rate": 22, "heart_rate": 115}, RiskLevel.LOW, False),  # 4
        ({"respiratory_rate": 25}, RiskLevel.LOW_MEDIUM, True),  # 3
        ({"respiratory_rate": 25, "heart_rate": 95}, RiskLevel.LOW_MEDIUM, True),  # 4
        ({"respiratory_rate": 22, "spo2": 93, "heart_rate": 95}, RiskLevel.MEDIUM, True),  # 5
        ({"consciousness": "C", "spo2": 91}, RiskLevel.MEDIUM, True),  # 6
        ({"consciousness": "C", "spo2": 91, "heart_rate": 95}, RiskLevel.HIGH, True),  # 7
    ],
)
def test_medium_and_above_and_any_single_three_are_for_a_clinician(values, level, review):
    assessment = assessed(**WELL | values)

    assert (assessment.risk_level, assessment.review_required) == (level, review)


def test_a_single_three_is_named_at_any_score():
    scores = [
        assessed(**WELL | values)
        for values in (
            {"spo2": 91},
            {"spo2": 91, "respiratory_rate": 25, "consciousness": "P"},
            {"spo2": 93, "respiratory_rate": 24, "heart_rate": 130, "temperature": 39.1},
        )
    ]

    summary = [(assessment.score, assessment.any_three) for assessment in scores]

    assert summary == [(3, True), (9, True), (8, False)]


def test_the_worst_score_is_20():
    worst = {
        "respiratory_rate": 25,
        "spo2": 91,
        "supplemental_oxygen": True,
        "systolic_bp": 90,
        "heart_rate": 131,
        "consciousness": "U",
        "temperature": 35,
    }

    assessment = assessed(**worst)

    assert (assessment.score, assessment.upper_bound) == (20, 20)


def test_components_stand_in_the_order_of_the_chart():
    backwards = dict(reversed(WELL.items()))

    assessment = assessed(**backwards)

    assert tuple(assessment.components) == (
        "respiratory_rate",
        "spo2",
        "supplemental_oxygen",
        "systolic_bp",
        "heart_rate",
        "consciousness",
        "temperature",
    )


def test_the_model_says_its_name_and_version():
    assessment = assessed(**WELL)

    assert assessment.model_name == "news2"
    assert assessment.model_version == "news2-2017/1"
    assert assessment.horizon == "current"


@often
@given(observations(), st.data())
def test_what_becomes_known_never_lowers_the_score_nor_raises_the_upper_bound(known, data):
    before = assessed(perfusion_index=3, **known)
    assume(before.missing)
    parameter = data.draw(st.sampled_from(before.missing))
    code = data.draw(st.sampled_from(OXYGEN)) if parameter == "supplemental_oxygen" else parameter

    after = assessed(perfusion_index=3, **known, **{code: data.draw(plausible(code))})

    assert parameter not in after.missing
    assert (after.score or 0) >= (before.score or 0)
    assert after.upper_bound <= before.upper_bound


@often
@given(observations(places=None))
def test_any_plausible_decimal_can_be_scored(values):
    assessment = assessed(perfusion_index=3, **values)

    assert all(0 <= points <= 3 for points in assessment.components.values())
    assert 0 <= (assessment.score or 0) <= assessment.upper_bound <= 20
    assert (assessment.score is None) is (len(assessment.missing) == 7)
    assert set(assessment.missing).isdisjoint(assessment.components)


@often
@given(observations())
def test_the_bounds_of_a_complete_assessment_meet(values):
    assessment = assessed(**WELL | values)

    assert (assessment.missing, assessment.completeness) == ((), Completeness.COMPLETE)
    assert assessment.score == assessment.upper_bound == sum(assessment.components.values())
