"""
NEWS2, the National Early Warning Score 2.

Source: Royal College of Physicians, National Early Warning Score (NEWS) 2, London: RCP, 2017.
Not valid under 16 years of age or in pregnancy. What the chart leaves open (decimals, missing and
old values, which of two probes) is decided here, under the model's version.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from msgspec import Struct

from vitalrelay.domain.assessment import Assessment, Completeness, RiskLevel, Source
from vitalrelay.domain.packet import Value
from vitalrelay.domain.signals import TENTH, WHOLE
from vitalrelay.domain.snapshot import Encounter, Vital

MODEL_NAME = "news2"
MODEL_VERSION = "news2-2017/1"

# Each parameter and the signals that may feed it, the preferred one first, in chart order.
PARAMETERS: Final[Mapping[str, tuple[str, ...]]] = {
    "respiratory_rate": ("respiratory_rate",),
    "spo2": ("spo2",),
    "supplemental_oxygen": ("supplemental_oxygen", "oxygen_flow", "fio2"),
    "systolic_bp": ("systolic_bp", "arterial_systolic_bp"),
    "heart_rate": ("heart_rate", "pulse_rate", "nibp_pulse_rate"),
    "consciousness": ("consciousness",),
    "temperature": ("temperature",),
}
PREFERRED_FOR_MS = 300_000  # a preferred source may be this much older and still wins
MAX_AGE_MS = 14_400_000

# (largest value of the band, points): rounded to chart resolution first, so no value falls between.
Bands = tuple[tuple[Decimal, int], ...]
REST: Final = Decimal("Infinity")


def bands(*edges: tuple[int | str, int], rest: int) -> Bands:
    return (*((Decimal(upper), points) for upper, points in edges), (REST, rest))


class Scale(NamedTuple):
    """A row of the chart: values are rounded half up to its resolution, then looked up."""

    bands: Bands
    resolution: Decimal = WHOLE


SPO2, ON_AIR_2, ON_OXYGEN_2 = "spo2", "spo2 scale 2, on air", "spo2 scale 2, on oxygen"
SCALES: Final = {
    "respiratory_rate": Scale(bands((8, 3), (11, 1), (20, 0), (24, 2), rest=3)),
    SPO2: Scale(bands((91, 3), (93, 2), (95, 1), rest=0)),
    ON_AIR_2: Scale(bands((83, 3), (85, 2), (87, 1), rest=0)),
    ON_OXYGEN_2: Scale(bands((83, 3), (85, 2), (87, 1), (92, 0), (94, 1), (96, 2), rest=3)),
    "systolic_bp": Scale(bands((90, 3), (100, 2), (110, 1), (219, 0), rest=3)),
    "heart_rate": Scale(bands((40, 3), (50, 1), (90, 0), (110, 1), (130, 2), rest=3)),
    "temperature": Scale(
        bands(("35.0", 3), ("36.0", 1), ("38.0", 0), ("39.0", 1), rest=2), resolution=TENTH
    ),
}

ON_OXYGEN = 2
NOT_ALERT = 3
ROOM_AIR_PERCENT = Decimal(21)
WORST: Final = {"supplemental_oxygen": ON_OXYGEN}  # any other missing parameter may be worth 3


@lru_cache(16_384)
def points_on(scale: str, value: Decimal) -> int:
    bands, resolution = SCALES[scale]
    rounded = value.quantize(resolution, ROUND_HALF_UP)
    return next(points for upper, points in bands if rounded <= upper)


def on_oxygen(code: str, value: Value) -> bool:
    """What one of the three oxygen signals says: a flow above 0, or more than room air."""
    if code == "supplemental_oxygen":
        return value is True
    assert isinstance(value, Decimal)
    if code == "oxygen_flow":
        return value > 0
    return value.quantize(WHOLE, ROUND_HALF_UP) > ROOM_AIR_PERCENT


Fed = Mapping[str, tuple[str, Vital]]  # each known parameter, and the signal that feeds it


class News2(Struct, frozen=True, kw_only=True):
    """The risk model ``news2``. ``max_age_ms``: older than this against the snapshot is missing."""

    max_age_ms: int = MAX_AGE_MS

    def __call__(self, encounter: Encounter) -> Assessment:
        """
        Score one stay as of its own newest time.

        Only good values that are not too old are known; the rest is named in ``missing``, never
        taken for normal. The same packets give the same assessment today and in a year.
        """
        fed = self._fed(encounter)
        components, worst = scored(fed, encounter)
        missing = tuple([name for name in PARAMETERS if name not in fed])
        score = sum(components.values()) if fed else None
        worst += sum([WORST.get(name, 3) for name in missing])
        any_three = 3 in components.values()
        level = risk_level(score, any_three)
        return Assessment(
            model_name=MODEL_NAME,
            model_version=MODEL_VERSION,
            risk_level=level,
            score=score,
            upper_bound=worst,
            completeness=_completeness(len(missing)),
            missing=missing,
            components=components,
            sources={name: Source(code, vital.moment.at_ms) for name, (code, vital) in fed.items()},
            any_three=any_three,
            review_required=level in REVIEWED,
        )

    def _fed(self, encounter: Encounter) -> Fed:
        oldest_ms = encounter.as_of.at_ms - self.max_age_ms
        fed = {}
        for name, codes in PARAMETERS.items():
            fresh = []
            for code in codes:
                vital = encounter.vitals.get(code)
                good = vital.good if vital is not None else None
                if good is not None and good.moment.at_ms >= oldest_ms:
                    fresh.append((code, good))
            if fresh:
                fed[name] = fresh[0] if len(fresh) == 1 else _preferred(fresh)
        return fed


def _preferred(fresh: list[tuple[str, Vital]]) -> tuple[str, Vital]:
    newest_ms = max(vital.moment.at_ms for _, vital in fresh)
    return next(
        (code, vital) for code, vital in fresh if vital.moment.at_ms >= newest_ms - PREFERRED_FOR_MS
    )


def scored(fed: Fed, encounter: Encounter) -> tuple[dict[str, int], int]:
    """The points that are certain, and the sum of all at their worst: another may decide."""
    components, worst = {}, 0
    for name, (code, vital) in fed.items():
        if name == "spo2":
            least, most = _spo2_points(vital.value, fed, encounter)
        else:
            least = most = points_of(name, code, vital.value)
        worst += most
        if least == most:
            components[name] = least
    return components, worst


@lru_cache(16_384, typed=True)
def points_of(name: str, code: str, value: Value) -> int:
    """Of a parameter that needs no other to be judged."""
    if name == "supplemental_oxygen":
        return ON_OXYGEN if on_oxygen(code, value) else 0
    if name == "consciousness":
        return 0 if value == "A" else NOT_ALERT
    assert isinstance(value, Decimal)
    return points_on(name, value)


def _spo2_points(value: Value, fed: Fed, encounter: Encounter) -> tuple[int, int]:
    """Scale 2 is a clinician's prescription; its high side depends on oxygen."""
    assert isinstance(value, Decimal)
    scale = encounter.vitals.get("spo2_scale")
    chosen = scale.good if scale is not None else None  # a prescription does not age
    if chosen is None or chosen.value != 2:
        points = points_on(SPO2, value)
        return points, points
    on_air = points_on(ON_AIR_2, value)
    with_oxygen = points_on(ON_OXYGEN_2, value)
    if "supplemental_oxygen" not in fed:
        return on_air, with_oxygen
    code, vital = fed["supplemental_oxygen"]
    points = with_oxygen if on_oxygen(code, vital.value) else on_air
    return points, points


REVIEWED: Final = frozenset({RiskLevel.LOW_MEDIUM, RiskLevel.MEDIUM, RiskLevel.HIGH})


def risk_level(score: int | None, any_three: bool) -> RiskLevel:
    """
    The clinical risk of an aggregate score; None, where nothing is known, is no risk level.

    Source: RCP 2017, chart 2. Of a partial assessment this is the level of the known points.
    """
    if score is None:
        return RiskLevel.UNKNOWN
    if score >= 7:
        return RiskLevel.HIGH
    if score >= 5:
        return RiskLevel.MEDIUM
    return RiskLevel.LOW_MEDIUM if any_three else RiskLevel.LOW


def _completeness(missing: int) -> Completeness:
    if missing == 0:
        return Completeness.COMPLETE
    return Completeness.UNKNOWN if missing == len(PARAMETERS) else Completeness.PARTIAL
