"""What is printed: the figure, what was asked, and whether it may be believed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rich.table import Table

from bench.rounds import Compared

BARE_TIMES = 5.0


@dataclass(frozen=True, slots=True)
class Figure:
    """
    ``figure`` is None where the rounds scatter too much for one, and nobody is told a ratio.

    ``bars``: what was held against each other, in ``unit``.
    """

    name: str
    figure: float | None
    asked: str
    met: bool
    details: Mapping[str, object]
    bars: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""

    @classmethod
    def of_ratio(cls, name: str, compared: Compared, at_least: float | None, unit: str) -> "Figure":
        """None asks for nothing."""
        enough = at_least is None or (compared.trustworthy and compared.ratio >= at_least)
        return cls(
            name=name,
            figure=round(compared.ratio, 2) if compared.trustworthy else None,
            asked="nothing" if at_least is None else f"≥ {at_least:g} times",
            met=enough,
            details={
                **{who: f"{rate:,.0f} {unit}" for who, rate in compared.medians.items()},
                "rounds": [round(ratio, 2) for ratio in compared.ratios],
                "scatter": f"{compared.scatter:.0%}",
            },
            bars=compared.medians,
            unit=unit,
        )

    @classmethod
    def of_latency(
        cls,
        name: str,
        figure_ms: float,
        at_most: float,
        others: Mapping[str, float],
        bare_ms: float | None = None,
    ) -> "Figure":
        """
        Met by ``at_most`` milliseconds, or by so many times ``bare_ms``.

        That is what a commit and a SET take by themselves, at the same percentile.
        """
        details: dict[str, object] = {other: f"{value:.1f} ms" for other, value in others.items()}
        asked, bound_by = f"≤ {at_most:g} ms", {f"{at_most:g} ms": at_most}
        if bare_ms is not None:
            asked += f" or {BARE_TIMES:g} times bare"
            bound_by[f"{BARE_TIMES:g} times bare"] = BARE_TIMES * bare_ms
            details["bare commit and SET"] = f"{bare_ms:.1f} ms"
        within = [bound for bound, most_ms in bound_by.items() if figure_ms <= most_ms]
        if bare_ms is not None:
            details["within"] = " and ".join(within) or "neither"
        return cls(name, round(figure_ms, 1), asked, bool(within), details)

    def line(self) -> str:
        said = ", ".join(f"{name}: {value}" for name, value in self.details.items())
        verdict = "met " if self.met else "MISS"
        return f"{verdict}  {self.name}: {self.told} (asked {self.asked}; {said})"

    @property
    def told(self) -> str:
        return "unsteady" if self.figure is None else f"{self.figure:,g}"


def table(figures: Iterable[Figure]) -> Table:
    rows = Table("figure", "measured", "asked", "")
    for figure in figures:
        verdict = "[green]met" if figure.met else "[red]MISS"
        rows.add_row(figure.name, figure.told, figure.asked, verdict)
    return rows
