"""Candidates in turn, several rounds, medians; no ratio where the rounds scatter too much."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

MOST_SCATTER = 0.5  # (largest - smallest) / median of the ratios

Measure = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Compared:
    """Each candidate's median, and the median of the ratios round by round."""

    medians: Mapping[str, float]
    ratio: float
    ratios: tuple[float, ...]

    @property
    def scatter(self) -> float:
        return (max(self.ratios) - min(self.ratios)) / self.ratio

    @property
    def trustworthy(self) -> bool:
        return self.scatter <= MOST_SCATTER


def compare(ours: tuple[str, Measure], rival: tuple[str, Measure], rounds: int) -> Compared:
    """The rival first in each round: what warms up, warms up for us both."""
    figures: dict[str, list[float]] = {ours[0]: [], rival[0]: []}
    for _ in range(rounds):
        for name, measure in (rival, ours):
            figures[name].append(measure())
    pairs = zip(figures[ours[0]], figures[rival[0]], strict=True)
    ratios = tuple(mine / theirs for mine, theirs in pairs)
    medians = {name: median(values) for name, values in figures.items()}
    return Compared(medians, median(ratios), ratios)
