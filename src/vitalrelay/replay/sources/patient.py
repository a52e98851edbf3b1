"""
A patient who is made up: vital signs that wander, and a course that goes down and up again.

Nothing here is medicine. The course only has to lead through every level of risk, and the values
have to look like a monitor's.
"""

from enum import Enum
from math import exp, sqrt
from random import Random
from typing import Final, NamedTuple

from vitalrelay.replay.packets import Signal


class Course(Enum):
    """What a patient is going through, and for how many seconds on average."""

    WELL = 150.0
    WORSENING = 45.0
    ILL = 75.0
    RECOVERING = 30.0


class Habit(NamedTuple):
    """One vital sign: its mean in health and in the worst illness, and how people differ in it."""

    well: float
    ill: float
    differs: float
    wanders: float


HABITS: Final = {
    "heart_rate": Habit(76, 136, 7, 2.0),
    "respiratory_rate": Habit(15.5, 28, 1.2, 0.7),
    "spo2": Habit(97.4, 86, 0.5, 0.4),
    "systolic_bp": Habit(124, 84, 7, 2.5),
    "temperature": Habit(36.8, 39.4, 0.15, 0.08),
}
SEVERITIES: Final = (0.2, 0.3, 0.35, 0.35, 0.6, 1.0)
SETTLES_S: Final = 8.0
ROUND: Final = 8  # a cuff, a thermometer and a nurse come once in so many packets

ARTEFACTS: Final = (
    [Signal("spo2", "0", "%")],
    [Signal("spo2", "61", "%", "questionable"), Signal("perfusion_index", "0.2", "%")],
    [Signal("respiratory_rate", "96", "/min", "questionable")],
    [Signal("temperature", "3.2", "Cel")],
    [Signal("spo2", "-100", "%"), Signal("pulse_rate", "-100", "/min")],
)
ARTEFACT_SHARE: Final = 0.01


class Patient:
    """Every number comes from ``chance``: the same chance, the same life."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._course = chance.choices(list(Course), weights=(12, 2, 4, 2))[0]
        self._worst = chance.choice(SEVERITIES)
        self._severity = self._worst if self._course in (Course.ILL, Course.RECOVERING) else 0.0
        self._own = {code: chance.gauss(0, habit.differs) for code, habit in HABITS.items()}
        self._vitals = {code: self._aim(code) for code in HABITS}
        self._on_oxygen = False
        self._packets = chance.randrange(ROUND)

    def live(self, seconds: float) -> None:
        """Let time pass."""
        if self._chance.random() < 1 - exp(-seconds / self._course.value):
            self._turn()
        self._move(seconds)
        kept = exp(-seconds / SETTLES_S)
        for code, habit in HABITS.items():
            aim = self._aim(code)
            stir = self._chance.gauss(0, habit.wanders) * sqrt(1 - kept * kept)
            self._vitals[code] = aim + (self._vitals[code] - aim) * kept + stir

    def measure(self) -> list[Signal]:
        """What one packet says: the monitor always, the others when it is their turn."""
        self._packets += 1
        if self._chance.random() < ARTEFACT_SHARE:
            return self._chance.choice(ARTEFACTS)
        return self._monitor() + self._visit(self._packets % ROUND)

    def _turn(self) -> None:
        courses = list(Course)
        self._course = courses[(courses.index(self._course) + 1) % len(courses)]
        if self._course is Course.WORSENING:
            self._worst = self._chance.choice(SEVERITIES)

    def _move(self, seconds: float) -> None:
        """Towards the worst or towards health, as far as the course gets in that time."""
        goal = self._worst if self._course in (Course.WORSENING, Course.ILL) else 0.0
        self._severity += (goal - self._severity) * (1 - exp(-seconds / 20.0))

    def _aim(self, code: str) -> float:
        habit = HABITS[code]
        return habit.well + self._own[code] + self._severity * (habit.ill - habit.well)

    def _monitor(self) -> list[Signal]:
        spo2 = self._vitals["spo2"] + (2 if self._on_oxygen else 0)
        return [
            Signal("heart_rate", f"{self._vitals['heart_rate']:.0f}", "/min"),
            Signal("spo2", f"{min(spo2, 100):.0f}", "%"),
            Signal("respiratory_rate", f"{self._vitals['respiratory_rate']:.0f}", "/min"),
        ]

    def _visit(self, turn: int) -> list[Signal]:
        if turn == 1:
            return self._cuff()
        if turn == 3:
            return [Signal("temperature", f"{self._vitals['temperature']:.1f}", "Cel")]
        return self._nurse() if turn == 5 else []

    def _cuff(self) -> list[Signal]:
        systolic = self._vitals["systolic_bp"]
        diastolic = 0.62 * systolic
        return [
            Signal("systolic_bp", f"{systolic:.0f}", "mm[Hg]"),
            Signal("diastolic_bp", f"{diastolic:.0f}", "mm[Hg]"),
            Signal("mean_bp", f"{(systolic + 2 * diastolic) / 3:.0f}", "mm[Hg]"),
        ]

    def _nurse(self) -> list[Signal]:
        """She looks, gives oxygen or takes it away, and enters both."""
        self._on_oxygen = self._severity > (0.1 if self._on_oxygen else 0.32)
        oxygen = [Signal("oxygen_flow", "4", "L/min")] if self._on_oxygen else []
        return [
            Signal("consciousness", f'"{self._awake()}"'),
            Signal("supplemental_oxygen", "true" if self._on_oxygen else "false"),
            *oxygen,
        ]

    def _awake(self) -> str:
        if self._severity > 0.8:
            return self._chance.choice("CVP")
        confused = self._severity > 0.15 and self._chance.random() < 0.1
        return "C" if confused else "A"
