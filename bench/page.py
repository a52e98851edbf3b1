"""The results as one HTML file that needs nothing but itself: every figure, its rivals as bars."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files

from bench.report import Figure
from vitalrelay import replay
from vitalrelay.replay.charts import BarChart

STYLE = files(replay).joinpath("report.css").read_text("utf-8")


def page(figures: Sequence[Figure], machine: Mapping[str, object]) -> str:
    missed = [figure for figure in figures if not figure.met]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
        " style-src 'unsafe-inline'\">"
        f"<title>vitalrelay: what it can do</title><style>{STYLE}</style></head><body><main>"
        f"<h1>What it can do</h1>{_verdict(figures, missed)}{_table(figures)}"
        f"{''.join(_section(n, figure) for n, figure in enumerate(figures))}"
        f"<footer>{_spoken(machine)}</footer></main></body></html>\n"
    )


def _verdict(figures: Sequence[Figure], missed: Sequence[Figure]) -> str:
    met = len(figures) - len(missed)
    names = "".join(f"<p>{escape(figure.name)}</p>" for figure in missed)
    state = "All of it as asked." if not missed else "Not all of it as asked:"
    return (
        f'<div class="verdict{" bad" if missed else ""}"><strong>{state}</strong>{names}</div>'
        f"<p>{met} of {len(figures)} figures are met. All were measured side by side, in one run"
        " on one machine.</p>"
    )


def _table(figures: Iterable[Figure]) -> str:
    rows = "".join(
        f"<tr><td>{escape(figure.name)}</td><td>{figure.told}</td>"
        f"<td>{escape(figure.asked)}</td><td>{'met' if figure.met else 'missed'}</td></tr>"
        for figure in figures
    )
    return (
        '<div class="scroll"><table><thead><tr><th>figure</th><th>measured</th><th>asked</th>'
        f"<th></th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _section(number: int, figure: Figure) -> str:
    """A figure, its rivals as bars where it has some, and all that was noted with it."""
    notes = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>"
        for name, value in figure.details.items()
    )
    bars = sorted(figure.bars.items(), key=lambda bar: -bar[1])
    chart = BarChart(
        key=f"figure-{number}",
        title=f"{figure.name}, in {figure.unit}",
        says=", ".join(f"{name}: {count:,.0f}" for name, count in bars),
        bars=[(name, round(count)) for name, count in bars],
    )
    drawn = f"<p>In {escape(figure.unit)}:</p>{chart.svg()}" if bars else ""
    return (
        f"<h2>{escape(figure.name)}: {figure.told}</h2>"
        f'{drawn}<div class="scroll"><table><tbody>{notes}</tbody></table></div>'
    )


def _spoken(machine: Mapping[str, object]) -> str:
    return escape(", ".join(f"{name}: {value}" for name, value in machine.items()))
