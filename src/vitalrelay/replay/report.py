"""A report to send to somebody: one HTML file that needs nothing but itself."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from math import log10

from vitalrelay.replay.charts import BarChart, Line, LineChart, Tick, ticks
from vitalrelay.replay.disturbance import Part
from vitalrelay.replay.histogram import PERCENTILES, Histogram
from vitalrelay.replay.series import Point
from vitalrelay.replay.summary import Summary
from vitalrelay.replay.tally import EXPECTED

SMOOTH = [100 * (1 - 10 ** (-step / 20)) for step in range(6, 81)]  # p50 to p99.99


def html_report(summary: Summary) -> str:
    points = list(summary.tally.series.points(summary.duration_s))
    style = files(__package__).joinpath("report.css").read_text("utf-8")
    sections = (
        _verdict(summary),
        _figures(summary),
        _latency(summary),
        _over_time(points),
        _outcomes(summary),
        _settings(summary),
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
        " style-src 'unsafe-inline'\">"
        f"<title>Replay of {escape(summary.plan.source.name)}</title><style>{style}</style></head>"
        f"<body><main>{''.join(sections)}</main></body></html>\n"
    )


def _verdict(summary: Summary) -> str:
    began = datetime.fromtimestamp(summary.tally.clock.began_at_ms / 1000, UTC)
    doubts = list(summary.strain.doubts())
    lines = [*summary.problems(), *(f"Not to be relied on: {doubt}" for doubt in doubts)]
    if summary.interrupted:
        lines.append("It was interrupted.")
    state = "All went as expected." if summary.ok else "Not all went as expected."
    return (
        f"<h1>Replay of {escape(summary.plan.source.name)}</h1>"
        f"<p>To {escape(summary.plan.target.url)}, {began:%Y-%m-%d %H:%M:%S} UTC</p>"
        f'<div class="verdict{"" if summary.ok and not doubts else " bad"}">'
        f"<strong>{state}</strong>{''.join(f'<p>{escape(line)}</p>' for line in lines)}</div>"
    )


def _figures(summary: Summary) -> str:
    latency = summary.tally.latency.milliseconds()
    figures = (
        ("packets sent", f"{summary.tally.planned.total():,}"),
        ("acknowledged per second", f"{summary.per_second:,.1f}"),
        ("p50", _milliseconds(latency["p50"])),
        ("p99", _milliseconds(latency["p99"])),
        ("seconds", f"{summary.duration_s:,.1f}"),
    )
    cells = (f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures)
    return f'<dl class="figures">{"".join(cells)}</dl>'


def _latency(summary: Summary) -> str:
    tally = summary.tally
    chart = LineChart(
        key="latency",
        title="Latency and service time by percentile",
        says="Latency, from the intended send, and service time, from the actual one, in"
        " milliseconds, from the median to the 99.99th percentile. The table holds the numbers.",
        lines=[
            Line("service", "two", _percentile_curve(tally.service)),
            Line("latency", "one", _percentile_curve(tally.latency)),
        ],
        x_ticks=[Tick(_nines(p), f"{p:g} %") for p in PERCENTILES],
    )
    kinds = {"latency": tally.latency, "service": tally.service, "slip": tally.slip}
    tables = {name: kind.milliseconds() for name, kind in kinds.items()}
    rows = [[name, *map(_milliseconds, _values(table))] for name, table in tables.items()]
    heading = ["", *(f"p{p:g}" for p in PERCENTILES), "mean", "max"]
    return f"<h2>Latency by percentile (ms)</h2>{chart.svg()}" + _table(
        "Latency is from the intended send; slip is how late it was sent.", heading, rows
    )


def _over_time(points: Sequence[Point]) -> str:
    last = points[-1].second if points else 0.0
    x_ticks = [Tick(tick.at, f"{tick.label} s") for tick in ticks(last) if tick.at <= last]
    numbers = ((p.second, p.per_second, p.p50_ms, p.p99_ms) for p in points)
    rows = [[f"{number:,.6g}" for number in row] for row in numbers]
    table = _table("Over time", ["second", "packets/s", "p50 ms", "p99 ms"], rows)
    return (
        "<h2>Throughput over time (packets per second)</h2>"
        f"{_throughput_chart(points, x_ticks).svg()}"
        f"<h2>Latency over time (ms)</h2>{_latency_chart(points, x_ticks).svg()}"
        f"<details><summary>The same as a table</summary>{table}</details>"
    )


def _throughput_chart(points: Sequence[Point], x_ticks: Sequence[Tick]) -> LineChart:
    return LineChart(
        key="throughput",
        title="Acknowledged packets per second, over time",
        says="The table below holds the numbers.",
        lines=[Line("packets/s", "one", [(p.second, p.per_second) for p in points])],
        x_ticks=x_ticks,
    )


def _latency_chart(points: Sequence[Point], x_ticks: Sequence[Tick]) -> LineChart:
    return LineChart(
        key="latency-over-time",
        title="Median and 99th percentile of the latency in milliseconds, over time",
        says="The table below holds the numbers.",
        lines=[
            Line("p99", "two", [(p.second, p.p99_ms) for p in points]),
            Line("p50", "one", [(p.second, p.p50_ms) for p in points]),
        ],
        x_ticks=x_ticks,
    )


def _outcomes(summary: Summary) -> str:
    tally = summary.tally
    outcomes = tally.all_outcomes().most_common()
    chart = BarChart(
        key="outcomes",
        title="Packets by outcome",
        says=", ".join(f"{name}: {count}" for name, count in outcomes) or "none",
        bars=outcomes,
    )
    rows = [
        [
            part.value,
            str(tally.planned[part]),
            EXPECTED[part].value,
            _spoken(tally.outcomes[part].items()),
        ]
        for part in Part
    ]
    sent_again = f"{tally.attempts.total():,} attempts, {tally.again:,} of them repeated ones"
    return f"<h2>Outcomes</h2>{chart.svg()}" + _table(
        f"What was planned, and what it met ({sent_again}).",
        ["part", "planned", "expected", "received"],
        rows,
    )


def _settings(summary: Summary) -> str:
    document = summary.document()
    facts = {"seed": document["seed"], "version": document["version"]} | summary.plan.settings()
    rows = [[name, "-" if value is None else str(value)] for name, value in facts.items()]
    return (
        f"<h2>Settings</h2>{_table('What this run was asked for', ['setting', 'value'], rows)}"
        + (
            f"<footer>Client: {summary.strain.cpu_share:.0%} of a core,"
            f" {escape(str(document['machine']))}</footer>"
        )
    )


def _percentile_curve(histogram: Histogram) -> list[tuple[float, float]]:
    found = histogram.percentiles(SMOOTH)
    return [(_nines(p), seconds * 1000) for p, seconds in zip(SMOOTH, found, strict=False)]


def _nines(percent: float) -> float:
    """Every further nine takes the same room."""
    return log10(100 / (100 - percent))


def _values(table: dict[str, float | int | None]) -> list[float | int | None]:
    return [value for name, value in table.items() if name != "count"]


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:,.3f}"


def _spoken(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts) or "-"


def _table(caption: str, heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in heading)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
