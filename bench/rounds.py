"""Candidates in turn, several rounds, medians; no ratio where the rounds scatter too much."""

from collections.abc import Callable, Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class Rounds:
    """What each candidate came to, round by round."""

    figures: Mapping[str, Sequence[float]]

    def compare(self, ours: str, rival: str) -> Compared:
        pairs = zip(self.figures[ours], self.figures[rival], strict=True)
        ratios = tuple(mine / theirs for mine, theirs in pairs)
        medians = {name: median(self.figures[name]) for name in (ours, rival)}
        return Compared(medians, median(ratios), ratios)


def alternate(candidates: Mapping[str, Measure], rounds: int) -> Rounds:
    """
    Each in turn, in the order given, and the next round the other way about.

    So nobody always comes after the one who leaves the most behind.
    """
    figures: dict[str, list[float]] = {name: [] for name in candidates}
    order = list(candidates)
    for _ in range(rounds):
        for name in order:
            figures[name].append(candidates[name]())
        order.reverse()
    return Rounds(figures)
