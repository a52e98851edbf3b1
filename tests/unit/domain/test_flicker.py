"""
A value that swings around a threshold, once a second for ten minutes.

It is one alarm, one episode and at most three records; the score follows each packet all the same.
Points are those of the chart (RCP 2017), by hand.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from tests.support import NOW_MS, WELL, received
from tests.unit.domain.bedside import Bedside
from vitalrelay.domain.alarms import AlarmState
from vitalrelay.domain.assessment import Assessment, RiskLevel
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.packet import Received
from vitalrelay.domain.snapshot import Encounter

PACKETS = 600
A_MINUTE = 60  # in packets
FIRST, SECOND = True, False

ON_SCALE_2 = {"spo2_scale": 2}
ON_OXYGEN = {"spo2_scale": 2, "supplemental_oxygen": True}
SIX = {"respiratory_rate": 24, "spo2": 92, "systolic_bp": 100}
FOUR = {"respiratory_rate": 24, "spo2": 92}

Swing = Callable[[int], Sequence[bool]]


def regularly(times: int) -> list[bool]:
    return [n % 2 == 0 for n in range(times)]


def at_random(times: int) -> list[bool]:
    """The first packet is on the first side, so that there is something to flicker."""
    rng = random.Random(1)
    return [True, *(rng.random() < 0.5 for _ in range(times - 1))]


SWINGS = [
    pytest.param(regularly, id="regularly"),
    pytest.param(at_random, id="at random"),
]


@dataclass(frozen=True)
class Threshold:
    """``red`` is worth three points, ``other``, next to it, ``points``."""

    code: str
    red: float | str
    other: float | str
    points: int
    others: dict[str, object] = field(default_factory=dict)
    others_points: int = 0

    @property
    def alarm(self) -> str:
        return f"vital-red:{self.code}"


THRESHOLDS = [
    Threshold("respiratory_rate", 8, 9, 1),
    Threshold("respiratory_rate", 25, 24, 2),
    Threshold("spo2", 91, 92, 2),
    Threshold("spo2", 83, 84, 2, ON_SCALE_2),
    Threshold("spo2", 97, 96, 2, ON_OXYGEN, 2),
    Threshold("systolic_bp", 90, 91, 2),
    Threshold("systolic_bp", 220, 219, 0),
    Threshold("heart_rate", 40, 41, 1),
    Threshold("heart_rate", 131, 130, 2),
    Threshold("temperature", 35.0, 35.1, 1),
    Threshold("consciousness", "C", "A", 0),
]


@dataclass
class Scores:
    """NEWS2, and what it said each time."""

    said: list[int | None] = field(default_factory=list)

    def __call__(self, encounter: Encounter) -> Assessment:
        assessment = News2()(encounter)
        self.said.append(assessment.score)
        return assessment


def packet(at_s: int, **values: object) -> Received:
    return received(at_ms=NOW_MS + at_s * 1000, **WELL | values)


def thresholds(*, of: Sequence[Threshold] = THRESHOLDS):
    return pytest.mark.parametrize(
        "threshold", [pytest.param(one, id=f"{one.code} {one.red}/{one.other}") for one in of]
    )


def flickered(
    threshold: Threshold, swing: Swing, acknowledged: bool = False
) -> tuple[Bedside, Sequence[bool], Scores]:
    """Ten minutes of it; a person may come right after the first packet."""
    bedside, scores, sides = Bedside(), Scores(), swing(PACKETS)
    packets = [
        packet(
            at_s, **threshold.others | {threshold.code: threshold.red if red else threshold.other}
        )
        for at_s, red in enumerate(sides)
    ]
    bedside.measures(packets[:1], scores)
    if acknowledged:
        bedside.acknowledges(threshold.alarm)
    for n in range(1, PACKETS, A_MINUTE):
        bedside.measures(packets[n : n + A_MINUTE], scores)
    return bedside, sides, scores


@pytest.mark.parametrize("swing", SWINGS)
@thresholds()
def test_it_is_one_alarm_one_episode_and_two_records(threshold: Threshold, swing: Swing):
    bedside, sides, _ = flickered(threshold, swing)

    alarm = bedside.alarm(threshold.alarm)
    shown = AlarmState.ACTIVE if sides[-1] else AlarmState.CLEARED_UNACKNOWLEDGED
    assert (alarm.state, alarm.since_ms) == (shown, NOW_MS)
    assert bedside.trail(threshold.alarm) == [
        "raised by system: nothing > active",
        "cleared by system: active > cleared_unacknowledged",
    ]
    assert bedside.broken() == 0


@thresholds()
def test_a_third_record_says_that_it_stands_in_the_end(threshold: Threshold):
    bedside, _, scores = flickered(threshold, regularly)
    red = threshold.others | {threshold.code: threshold.red}

    for at_s in (PACKETS, PACKETS + 61, PACKETS + 200):
        bedside.measures([packet(at_s, **red)], scores)

    assert bedside.alarm(threshold.alarm).since_ms == NOW_MS
    assert bedside.trail(threshold.alarm)[2:] == [
        "raised by system: cleared_unacknowledged > active"
    ]
    assert bedside.broken() == 0


@pytest.mark.parametrize("swing", SWINGS)
@thresholds()
def test_once_seen_it_calls_nobody_again(threshold: Threshold, swing: Swing):
    bedside, sides, _ = flickered(threshold, swing, acknowledged=True)

    shown = {threshold.alarm: AlarmState.ACKNOWLEDGED} if sides[-1] else {}
    assert {n: s for n, s in bedside.shown.items() if n == threshold.alarm} == shown
    assert bedside.trail(threshold.alarm) == [
        "raised by system: nothing > active",
        "acknowledged by nurse-7: active > acknowledged",
        "resolved by system: acknowledged > nothing",
    ]
    assert bedside.broken() == 0


@pytest.mark.parametrize("swing", SWINGS)
@thresholds()
def test_the_score_follows_each_packet(threshold: Threshold, swing: Swing):
    _, sides, scores = flickered(threshold, swing)

    assert scores.said == [
        threshold.others_points + (3 if red else threshold.points) for red in sides
    ]


@dataclass(frozen=True)
class Boundary:
    """Of the aggregate score; ``more`` is one point more than ``less``."""

    less: dict[str, object]
    more: dict[str, object]
    scores: tuple[int, int]
    levels: tuple[RiskLevel, RiskLevel]


FIVE = Boundary(
    FOUR | {"heart_rate": 90},
    FOUR | {"heart_rate": 91},
    (4, 5),
    (RiskLevel.LOW, RiskLevel.MEDIUM),
)
SEVEN = Boundary(
    SIX | {"heart_rate": 90},
    SIX | {"heart_rate": 91},
    (6, 7),
    (RiskLevel.MEDIUM, RiskLevel.HIGH),
)
BOUNDARIES = [pytest.param(FIVE, id="4/5"), pytest.param(SEVEN, id="6/7")]


@pytest.mark.parametrize("stands_s", [1, 61])
@pytest.mark.parametrize("begins", [FIRST, SECOND])
@pytest.mark.parametrize("swing", SWINGS)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_score_at_a_boundary_is_at_most_three_records_for_each_rung(
    boundary: Boundary, swing: Swing, begins: bool, stands_s: int
):
    bedside, scores, sides = Bedside(), Scores(), [more is begins for more in swing(PACKETS)]
    values = [boundary.more if more else boundary.less for more in sides]
    for at_s in range(0, PACKETS, A_MINUTE):
        minute = enumerate(values[at_s : at_s + A_MINUTE], at_s)
        bedside.measures([packet(second, **now) for second, now in minute], scores)

    for last_s in (PACKETS - 1 + stands_s, PACKETS + stands_s):
        bedside.measures([packet(last_s, **values[-1])], scores)

    assert scores.said[:PACKETS] == [boundary.scores[more] for more in sides]
    assert bedside.snapshot.assessment.risk_level is boundary.levels[sides[-1]]
    assert max(records_of(bedside).values()) <= 3
    assert {alarm.since_ms for alarm in bedside.snapshot.alarms} <= {
        NOW_MS + 1000 * sides.index(side) for side in (False, True)
    }
    assert bedside.broken() == 0


def records_of(bedside: Bedside) -> Counter[str]:
    return Counter(event.about for event in bedside.events)


@pytest.mark.parametrize("seed", range(3))
def test_two_vitals_that_swing_at_once_leave_no_more_the_longer_they_do(seed: int):
    """Temperature and SpO2 take the score up and down the whole ladder: 4, 5, 6, 7."""
    rng = random.Random(seed)
    bedside, told = Bedside(), []
    for minute in range(20):
        packets = [
            packet(
                60 * minute + second,
                temperature=rng.choice([35.0, 35.1]),
                spo2=rng.choice([91, 92]),
                heart_rate=95,
            )
            for second in range(60)
        ]
        bedside.measures(packets, News2())
        told.append(len(bedside.events))

    assert told[-1] == told[4]
    assert max(records_of(bedside).values()) <= 4
    assert bedside.broken() == 0
