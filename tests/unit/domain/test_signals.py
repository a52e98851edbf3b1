"""The catalogue of domain.md, section 1.1, row by row, written down a second time by hand."""

import json
from decimal import Decimal

import pytest

from tests.support import a_signal, a_value
from vitalrelay.domain.fingerprint import canonical_json
from vitalrelay.domain.packet import Quality
from vitalrelay.domain.signals import CATALOGUE, Numeric, Reading, closest_codes, read

BEATS = ["/min", "1/min", "{beats}/min", "bpm"]
BREATHS = ["/min", "1/min", "{breaths}/min"]
PRESSURE = ["mm[Hg]", "mmHg", "kPa"]
PERCENT = ["%", "1"]

# What a code may come in, the canonical unit first, and its plausible range.
NUMBERS = [
    ("heart_rate", BEATS, 20, 300),
    ("pulse_rate", BEATS, 20, 300),
    ("nibp_pulse_rate", BEATS, 20, 300),
    ("respiratory_rate", BREATHS, 3, 80),
    ("spo2", PERCENT, 50, 100),
    ("systolic_bp", PRESSURE, 40, 300),
    ("diastolic_bp", PRESSURE, 20, 200),
    ("mean_bp", PRESSURE, 20, 250),
    ("arterial_systolic_bp", PRESSURE, 40, 300),
    ("arterial_diastolic_bp", PRESSURE, 20, 200),
    ("arterial_mean_bp", PRESSURE, 20, 250),
    ("temperature", ["Cel", "degC", "[degF]"], 25, 45),
    ("oxygen_flow", ["L/min", "mL/min"], 0, 80),
    ("fio2", PERCENT, 20, 100),
    ("perfusion_index", ["%"], 0, 30),
    ("gcs_total", ["{score}", "1"], 3, 15),
]
CHOICES = [
    ("consciousness", ["A", "C", "V", "P", "U"]),
    ("supplemental_oxygen", [True, False]),
    ("spo2_scale", [1, 2]),
]
ALIASES = [
    ("heart_rate", "81.26", "bpm", "/min"),
    ("heart_rate", "81.26", "1/min", "/min"),
    ("pulse_rate", "81.26", "{beats}/min", "/min"),
    ("nibp_pulse_rate", "81.26", "bpm", "/min"),
    ("respiratory_rate", "16.55", "1/min", "/min"),
    ("respiratory_rate", "16.55", "{breaths}/min", "/min"),
    ("systolic_bp", "118.4", "mmHg", "mm[Hg]"),
    ("arterial_mean_bp", "80.5", "mmHg", "mm[Hg]"),
    ("temperature", "36.647", "degC", "Cel"),
    ("gcs_total", "15", "1", "{score}"),
]
CONVERSIONS = [
    ("temperature", "99.5", "[degF]", "37.5"),
    ("temperature", "101", "[degF]", "38.3"),
    ("temperature", "95", "[degF]", "35.0"),
    ("temperature", "99.05", "[degF]", "37.3"),  # 37.25: half up, not to even
    ("systolic_bp", "16", "kPa", "120"),
    ("systolic_bp", "36.598", "kPa", "275"),  # not 7.5 times
    ("diastolic_bp", "10.6", "kPa", "80"),
    ("mean_bp", "5.3", "kPa", "40"),
    ("arterial_systolic_bp", "16", "kPa", "120"),
    ("arterial_diastolic_bp", "10.6", "kPa", "80"),
    ("arterial_mean_bp", "5.3", "kPa", "40"),
    ("fio2", "0.21", "1", "21"),
    ("fio2", "0.225", "1", "23"),  # 22.5
    ("spo2", "0.97", "1", "97"),
    ("spo2", "0.945", "1", "95"),  # 94.5: half up, not to even
    ("oxygen_flow", "2500", "mL/min", "2.5"),
    ("oxygen_flow", "1250", "mL/min", "1.3"),  # 1.25
]
CANONICAL = {code: units[0] for code, units, _, _ in NUMBERS}
ZERO_IS_A_VALUE = {"oxygen_flow", "perfusion_index"}
GOOD, QUESTIONABLE, INVALID = Quality.GOOD, Quality.QUESTIONABLE, Quality.INVALID


def test_the_catalogue_has_these_codes_and_no_others():
    codes = {row[0] for row in NUMBERS} | {row[0] for row in CHOICES}

    known = set(CATALOGUE)

    assert known == codes


@pytest.mark.parametrize(("code", "units"), [(row[0], row[1]) for row in NUMBERS])
def test_a_number_comes_in_these_units_and_no_others(code, units):
    kind = CATALOGUE[code]

    accepted = kind.units()

    assert accepted[0] == units[0]
    assert sorted(accepted) == sorted(units)


@pytest.mark.parametrize(
    ("code", "unit"),
    [
        ("heart_rate", "Hz"),
        ("respiratory_rate", "bpm"),
        ("temperature", "K"),
        ("perfusion_index", "1"),
        ("spo2", "percent"),
        ("systolic_bp", "/min"),
        ("heart_rate", ""),
    ],
)
def test_a_unit_that_is_not_listed_is_not_taken(code, unit):
    kind = CATALOGUE[code]

    taken = [kind.takes(one) for one in (unit, *kind.units())]

    assert taken == [False] + [True] * len(kind.units())


@pytest.mark.parametrize("code", [row[0] for row in CHOICES])
def test_a_choice_has_no_unit(code):
    kind = CATALOGUE[code]

    reading = read(a_signal(code, kind.choices[0]))

    assert (kind.units(), kind.takes("1"), kind.takes("")) == ([], False, False)
    assert reading.unit is None


@pytest.mark.parametrize(("code", "units", "low", "high"), NUMBERS)
def test_without_a_unit_the_canonical_one_is_meant(code, units, low, high):
    bare = read(a_signal(code, high))

    named = read(a_signal(code, high, units[0]))

    assert bare == named
    assert bare.unit == units[0]


@pytest.mark.parametrize(("code", "units", "low", "high"), NUMBERS)
def test_the_edges_of_the_range_are_plausible(code, units, low, high):
    lowest = low or Decimal("0.1")  # zero has tests of its own

    readings = [read(a_signal(code, edge)) for edge in (lowest, high)]

    assert [reading.quality for reading in readings] == [GOOD, GOOD]
    assert [reading.quality_reason for reading in readings] == [None, None]


@pytest.mark.parametrize(("code", "units", "low", "high"), NUMBERS)
def test_just_outside_the_range_a_value_is_kept_and_invalid(code, units, low, high):
    outside = [Decimal(low) - Decimal("0.01"), Decimal(high) + Decimal("0.01")]

    readings = [read(a_signal(code, value)) for value in outside]

    assert readings == [Reading(value, units[0], INVALID, "out-of-range") for value in outside]


@pytest.mark.parametrize(("code", "value", "alias", "canonical"), ALIASES)
def test_an_alias_of_the_unit_leaves_the_value_as_sent(code, value, alias, canonical):
    reading = read(a_signal(code, value=Decimal(value), unit=alias))

    assert reading == Reading(Decimal(value), canonical, GOOD, None)


@pytest.mark.parametrize("value", ["37.25", "36.6473", "37.50"])
def test_a_value_in_the_canonical_unit_is_kept_as_sent(value):
    reading = read(a_signal("temperature", Decimal(value), "Cel"))

    assert reading.value == Decimal(value)


@pytest.mark.parametrize(("code", "value", "unit", "converted"), CONVERSIONS)
def test_another_unit_is_converted_and_rounded_once_half_up(code, value, unit, converted):
    reading = read(a_signal(code, Decimal(value), unit))

    assert reading.value == Decimal(converted)
    assert reading.unit == CANONICAL[code]
    assert reading.quality is GOOD


def test_the_range_is_judged_after_conversion():
    fahrenheit = [read(a_signal("temperature", value, "[degF]")) for value in (98.6, 37)]
    fractions = [read(a_signal("fio2", value, "1")) for value in (0.4, 0.06)]
    kilopascals = [read(a_signal("systolic_bp", value, "kPa")) for value in (16, 120)]

    reasons = [
        [reading.quality_reason for reading in pair]
        for pair in (fahrenheit, fractions, kilopascals)
    ]

    assert reasons == [[None, "out-of-range"]] * 3


@pytest.mark.parametrize("sentinel", [-100, -32768, 32767])
@pytest.mark.parametrize("code", [row[0] for row in NUMBERS])
def test_what_monitors_send_for_no_measurement_is_not_a_value(code, sentinel):
    reading = read(a_signal(code, sentinel))

    assert (reading.value, reading.quality) == (sentinel, INVALID)
    assert reading.quality_reason == "not-measured"


@pytest.mark.parametrize("code", [row[0] for row in NUMBERS])
def test_zero_means_not_measured_unless_it_can_be_a_value(code):
    zeros = [read(a_signal(code, Decimal(zero))) for zero in ("0", "0.0", "-0")]

    expected = (GOOD, None) if code in ZERO_IS_A_VALUE else (INVALID, "not-measured")

    assert [(zero.quality, zero.quality_reason) for zero in zeros] == [expected] * 3


@pytest.mark.parametrize(
    ("code", "sentinel", "unit"),
    [
        ("temperature", 0, "[degF]"),
        ("temperature", -100, "[degF]"),
        ("systolic_bp", 0, "kPa"),
        ("fio2", 0, "1"),
        ("oxygen_flow", 32767, "mL/min"),  # 32.8 L/min would be plausible
    ],
)
def test_no_measurement_is_recognised_before_conversion(code, sentinel, unit):
    reading = read(a_signal(code, sentinel, unit))

    assert (reading.value, reading.quality_reason) == (sentinel, "not-measured")


@pytest.mark.parametrize("fahrenheit", [32, -148])
def test_a_conversion_that_ends_on_a_sentinel_is_a_measurement_out_of_range(fahrenheit):
    reading = read(a_signal("temperature", fahrenheit, "[degF]"))  # 0 and -100 Cel

    assert reading.quality_reason == "out-of-range"


@pytest.mark.parametrize(
    ("value", "sent", "quality", "reason"),
    [
        (96, GOOD, GOOD, None),
        (96, QUESTIONABLE, QUESTIONABLE, "device"),
        (96, INVALID, INVALID, "device"),
        (36, GOOD, INVALID, "out-of-range"),
        (36, QUESTIONABLE, INVALID, "out-of-range"),
        (0, GOOD, INVALID, "not-measured"),
        (0, QUESTIONABLE, INVALID, "not-measured"),
    ],
)
def test_quality_is_the_worse_of_the_senders_word_and_ours(value, sent, quality, reason):
    reading = read(a_signal("spo2", value, quality=sent))

    assert (reading.quality, reading.quality_reason) == (quality, reason)


def test_the_senders_doubt_holds_for_a_choice_too():
    reading = read(a_signal("consciousness", "A", quality=QUESTIONABLE))

    assert reading == Reading("A", None, QUESTIONABLE, "device")


@pytest.mark.parametrize("size", ["1e28", "1e300", "-1.7e308"])
@pytest.mark.parametrize(
    ("code", "unit"),
    [("temperature", "[degF]"), ("systolic_bp", "kPa"), ("spo2", "1"), ("heart_rate", "/min")],
)
def test_a_number_of_any_size_can_be_read_and_shown(code, unit, size):
    signal = a_signal(code, Decimal(size), unit)

    reading = read(signal)

    assert (reading.quality, reading.quality_reason) == (INVALID, "out-of-range")
    assert json.loads(canonical_json(reading.value)) == pytest.approx(float(reading.value))


@pytest.mark.parametrize("code", [row[0] for row in NUMBERS])
def test_a_word_or_a_truth_value_is_no_number(code):
    kind = CATALOGUE[code]

    faults = [kind.fault(value) for value in ("81", True, False)]

    assert faults == ["must be a number"] * 3


@pytest.mark.parametrize("code", [row[0] for row in NUMBERS if row[0] != "gcs_total"])
def test_any_number_may_be_a_reading(code):
    kind = CATALOGUE[code]

    faults = [kind.fault(Decimal(value)) for value in ("81", "81.5", "-100", "0", "1e300")]

    assert faults == [None] * 5


def test_a_coma_scale_is_a_whole_number():
    kind = CATALOGUE["gcs_total"]

    faults = [kind.fault(Decimal(value)) for value in ("13", "13.0", "13.5", "1e300")]

    assert faults == [None, None, "must be a whole number", None]


@pytest.mark.parametrize(("code", "choices"), CHOICES)
def test_a_choice_takes_its_members_as_they_are(code, choices):
    values = [a_value(choice) for choice in choices]

    readings = [read(a_signal(code, choice)) for choice in choices]

    assert [CATALOGUE[code].fault(value) for value in values] == [None] * len(choices)
    assert readings == [Reading(value, None, GOOD, None) for value in values]


@pytest.mark.parametrize(
    ("code", "value", "reason"),
    [
        ("consciousness", "X", "must be one of A, C, V, P, U"),
        ("consciousness", "a", "must be one of A, C, V, P, U"),
        ("consciousness", "AC", "must be one of A, C, V, P, U"),
        ("consciousness", True, "must be one of A, C, V, P, U"),
        ("supplemental_oxygen", 1, "must be one of true, false"),
        ("supplemental_oxygen", "true", "must be one of true, false"),
        ("spo2_scale", 3, "must be one of 1, 2"),
        ("spo2_scale", 1.5, "must be one of 1, 2"),
        ("spo2_scale", True, "must be one of 1, 2"),
        ("spo2_scale", "1", "must be one of 1, 2"),
    ],
)
def test_what_is_no_choice_is_refused_with_the_choices_as_they_must_be_written(code, value, reason):
    fault = CATALOGUE[code].fault(a_value(value))

    assert fault == reason


@pytest.mark.parametrize(
    ("unknown", "closest"),
    [
        ("hart_rate", "heart_rate"),
        ("HeartRate", "heart_rate"),
        ("TEMPERATURE", "temperature"),
        ("sp02", "spo2"),
        ("temprature", "temperature"),
        ("systolic", "systolic_bp"),
    ],
)
def test_an_unknown_code_is_answered_with_the_closest_one_first(unknown, closest):
    suggested = closest_codes(unknown)

    assert suggested[0] == closest
    assert len(suggested) <= 3


def test_nothing_is_suggested_for_a_code_that_resembles_none():
    suggested = closest_codes("ward-clock")

    assert suggested == []


def test_every_unit_of_every_number_can_be_read():
    numbers = [(code, kind) for code, kind in CATALOGUE.items() if isinstance(kind, Numeric)]

    read_in = {
        (code, unit): read(a_signal(code, 40, unit)).unit
        for code, kind in numbers
        for unit in kind.units()
    }

    assert set(read_in) == {(code, unit) for code, units, _, _ in NUMBERS for unit in units}
    assert all(unit == CANONICAL[code] for (code, _), unit in read_in.items())
