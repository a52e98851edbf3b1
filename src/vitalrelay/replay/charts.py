"""Charts as inline SVG: a title, a description, and nothing that has to be fetched or run."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10
from typing import Final, NamedTuple

WIDTH: Final = 720
HEIGHT: Final = 260
LEFT, RIGHT, TOP, BOTTOM = 64, 80, 16, 36
BAR: Final = 28
LINE_HEIGHT: Final = 15

Place = Callable[[float], float]


class Tick(NamedTuple):
    """A place on an axis, and what is written there."""

    at: float
    label: str


class Line(NamedTuple):
    """One curve; ``style`` is its class in the style sheet, so that colour is never all it has."""

    name: str
    style: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChart:
    """``says`` is the chart in a sentence, for whoever does not see it."""

    key: str
    title: str
    says: str
    lines: Sequence[Line]
    x_ticks: Sequence[Tick]

    def svg(self) -> str:
        highest = max((y for line in self.lines for _, y in line.points), default=0.0)
        widest = max((x for line in self.lines for x, _ in line.points), default=0.0)
        narrowest = min((x for line in self.lines for x, _ in line.points), default=0.0)
        y_ticks = ticks(highest)
        across = _scale((narrowest, widest), (LEFT, WIDTH - RIGHT))
        up = _scale((0.0, y_ticks[-1].at), (HEIGHT - BOTTOM, TOP))
        inside = [
            *(_row(up(tick.at), tick.label) for tick in y_ticks),
            *(_column(across(tick.at), tick.label) for tick in self.x_ticks),
            *(_curve(line, across, up) for line in self.lines if line.points),
            *self._names(across, up),
        ]
        return _drawing(self.key, self.title, self.says, HEIGHT, inside)

    def _names(self, across: Place, up: Place) -> Iterator[str]:
        """Each curve's name beside its end, or as near to it as the others leave room for."""
        ends = sorted((up(line.points[-1][1]), line) for line in self.lines if line.points)
        free_y = 0.0
        for y, line in ends:
            label_y = max(y + 4, free_y)
            free_y = label_y + LINE_HEIGHT
            x = across(line.points[-1][0]) + 8
            yield f'<text class="name" x="{x:.1f}" y="{label_y:.1f}">{escape(line.name)}</text>'


@dataclass(frozen=True, slots=True, kw_only=True)
class BarChart:
    """Lying bars, each with its number behind it."""

    key: str
    title: str
    says: str
    bars: Sequence[tuple[str, int]]

    def svg(self) -> str:
        most = max((count for _, count in self.bars), default=0)
        along = _scale((0.0, float(most)), (0.0, WIDTH - 300.0))
        inside = [
            _bar(TOP + row * BAR, name, count, along(count))
            for row, (name, count) in enumerate(self.bars)
        ]
        return _drawing(self.key, self.title, self.says, 2 * TOP + BAR * len(self.bars), inside)


def ticks(highest: float) -> list[Tick]:
    """Round numbers from 0 to the first that is not below ``highest``."""
    step = _round_step(max(highest, 1e-3) / 4)
    count = 1
    while count * step < highest:
        count += 1
    return [Tick(turn * step, f"{turn * step:,.6g}") for turn in range(count + 1)]


def _round_step(rough: float) -> float:
    magnitude = 10.0 ** floor(log10(rough))
    return next(nice * magnitude for nice in (1, 2, 2.5, 5, 10) if nice * magnitude >= rough)


def _scale(values: tuple[float, float], places: tuple[float, float]) -> Place:
    (low, high), (start, end) = values, places
    stretch = (end - start) / ((high - low) or 1.0)
    return lambda value: start + (value - low) * stretch


def _row(y: float, label: str) -> str:
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(label)}</text>'
    )


def _column(x: float, label: str) -> str:
    bottom = HEIGHT - BOTTOM
    return (
        f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 5}"/>'
        f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{escape(label)}</text>'
    )


def _curve(line: Line, across: Place, up: Place) -> str:
    places = [(across(x), up(y)) for x, y in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    last_x, last_y = places[-1]
    dot = f'<circle class="{line.style}" cx="{last_x:.1f}" cy="{last_y:.1f}" r="3"/>'
    return f'<polyline class="{line.style}" points="{path}"/>{dot}'


def _bar(y: float, name: str, count: int, length: float) -> str:
    size = f'width="{max(length, 1):.1f}" height="20"'
    return (
        f'<text x="172" y="{y + 17:.1f}" text-anchor="end">{escape(name)}</text>'
        f'<rect class="bar" x="180" y="{y + 3:.1f}" {size} rx="2"/>'
        f'<text class="name" x="{188 + length:.1f}" y="{y + 17:.1f}">{count:,}</text>'
    )


def _drawing(key: str, title: str, says: str, height: float, inside: Iterable[str]) -> str:
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {height:.0f}"'
        f' aria-labelledby="{key}-title {key}-desc">'
        f'<title id="{key}-title">{escape(title)}</title>'
        f'<desc id="{key}-desc">{escape(says)}</desc>{"".join(inside)}</svg>'
    )
