"""
The signal catalogue: units, conversions, plausible ranges, and what "no measurement" looks like.

Units are UCUM. Ranges are wide on purpose: they find artefacts, they judge no patient.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from difflib import get_close_matches
from functools import lru_cache
from typing import Final, NamedTuple

from msgspec import Struct, field

from vitalrelay.domain.packet import Quality, Signal, Value

CATALOGUE_VERSION = "signals/1"

WHOLE, TENTH = Decimal(1), Decimal("0.1")

# No unit turns a number of this size into a reading. Below it doubles tell all whole numbers apart.
BEYOND_READING = Decimal(10) ** 15

# Monitors and recorders send these instead of a number they do not have.
NO_MEASUREMENT: Final = frozenset({Decimal(-100), Decimal(-32768), Decimal(32767)})


class Linear(Struct, frozen=True):
    """``(x - less) * times / per`` leads to the canonical unit, in decimals."""

    times: Decimal
    per: Decimal = Decimal(1)
    less: Decimal = Decimal(0)

    def __call__(self, value: Decimal) -> Decimal:
        return (value - self.less) * self.times / self.per


class Numeric(Struct, frozen=True, kw_only=True):
    """A number with a unit. ``accepts`` maps a unit to its conversion, None for an alias."""

    unit: str
    plausible: tuple[Decimal, Decimal]
    accepts: Mapping[str, Linear | None] = field(default_factory=dict)
    resolution: Decimal = WHOLE
    zero_is_a_value: bool = False
    whole: bool = False

    def fault(self, value: Value) -> str | None:
        if not isinstance(value, Decimal):
            return "must be a number"
        if self.whole and value != value.to_integral_value():
            return "must be a whole number"
        return None

    def takes(self, unit: str) -> bool:
        return unit == self.unit or unit in self.accepts

    def units(self) -> list[str]:
        return [self.unit, *self.accepts]

    def read(self, value: Value, sent_unit: str | None, quality: Quality) -> "Reading":
        assert isinstance(value, Decimal)
        if value in NO_MEASUREMENT or (value == 0 and not self.zero_is_a_value):
            return Reading(value, self.unit, Quality.INVALID, "not-measured")
        if abs(value) >= BEYOND_READING:
            nearest = Decimal(repr(float(value)))  # as it will be read back
            return Reading(nearest, self.unit, Quality.INVALID, "out-of-range")
        conversion = None if sent_unit is None else self.accepts.get(sent_unit)
        if conversion is not None:
            value = conversion(value).quantize(self.resolution, ROUND_HALF_UP)
        low, high = self.plausible
        if not low <= value <= high:
            return Reading(value, self.unit, Quality.INVALID, "out-of-range")
        return Reading(value, self.unit, quality, device_reason(quality))


class OneOf(Struct, frozen=True):
    """A choice a person made; it has no unit."""

    choices: tuple[Value, ...]

    def fault(self, value: Value) -> str | None:
        # True equals 1, and is another choice.
        if type(value) is type(self.choices[0]) and value in self.choices:
            return None
        return "must be one of " + ", ".join(map(_spelled, self.choices))

    def takes(self, unit: str) -> bool:
        return False

    def units(self) -> list[str]:
        return []

    def read(self, value: Value, sent_unit: str | None, quality: Quality) -> "Reading":
        return Reading(value, None, quality, device_reason(quality))


class Reading(NamedTuple):
    """A signal understood: value in the canonical unit, and the worse of two words on quality."""

    value: Value
    unit: str | None
    quality: Quality
    quality_reason: str | None


def _spelled(choice: Value) -> str:
    """As JSON writes it."""
    return str(choice).lower() if isinstance(choice, bool) else str(choice)


def device_reason(quality: Quality) -> str | None:
    return None if quality is Quality.GOOD else "device"


def between(low: int, high: int) -> tuple[Decimal, Decimal]:
    return Decimal(low), Decimal(high)


def per_minute(low: int, high: int, of: str) -> Numeric:
    aliases = ["1/min", f"{{{of}}}/min", *(["bpm"] if of == "beats" else [])]
    return Numeric(unit="/min", plausible=between(low, high), accepts=dict.fromkeys(aliases))


def pressure(low: int, high: int) -> Numeric:
    kilopascal = Linear(Decimal("7.50062"))
    return Numeric(
        unit="mm[Hg]", plausible=between(low, high), accepts={"mmHg": None, "kPa": kilopascal}
    )


def percent(low: int, high: int) -> Numeric:
    return Numeric(unit="%", plausible=between(low, high), accepts={"1": Linear(Decimal(100))})


FAHRENHEIT = Linear(times=Decimal(5), per=Decimal(9), less=Decimal(32))

CATALOGUE: Final[Mapping[str, Numeric | OneOf]] = {
    "heart_rate": per_minute(20, 300, "beats"),
    "pulse_rate": per_minute(20, 300, "beats"),
    "nibp_pulse_rate": per_minute(20, 300, "beats"),
    "respiratory_rate": per_minute(3, 80, "breaths"),
    "spo2": percent(50, 100),
    "systolic_bp": pressure(40, 300),
    "diastolic_bp": pressure(20, 200),
    "mean_bp": pressure(20, 250),
    "arterial_systolic_bp": pressure(40, 300),
    "arterial_diastolic_bp": pressure(20, 200),
    "arterial_mean_bp": pressure(20, 250),
    "temperature": Numeric(
        unit="Cel",
        plausible=between(25, 45),
        accepts={"degC": None, "[degF]": FAHRENHEIT},
        resolution=TENTH,
    ),
    "consciousness": OneOf(("A", "C", "V", "P", "U")),
    "supplemental_oxygen": OneOf((True, False)),
    "oxygen_flow": Numeric(
        unit="L/min",
        plausible=between(0, 80),
        accepts={"mL/min": Linear(Decimal("0.001"))},
        resolution=TENTH,
        zero_is_a_value=True,
    ),
    "fio2": percent(20, 100),
    "spo2_scale": OneOf((Decimal(1), Decimal(2))),
    "perfusion_index": Numeric(unit="%", plausible=between(0, 30), zero_is_a_value=True),
    "gcs_total": Numeric(unit="{score}", plausible=between(3, 15), accepts={"1": None}, whole=True),
}


def read(signal: Signal) -> Reading:
    """
    What a signal says, in the canonical unit of its code.

    Sentinels and implausible values are not refused: they come back with quality ``invalid``
    and a reason (``not-measured``, ``out-of-range``, ``device``). The code must be known.
    """
    return _read(signal.code, signal.value, signal.unit, signal.quality)


@lru_cache(16_384, typed=True)  # what a monitor sends it soon sends again; and True is not 1
def _read(code: str, value: Value, unit: str | None, quality: Quality) -> Reading:
    return CATALOGUE[code].read(value, unit, quality)


def closest_codes(unknown: str) -> list[str]:
    """Up to three known codes that look like this one."""
    return get_close_matches(unknown.lower(), CATALOGUE, n=3, cutoff=0.6)
