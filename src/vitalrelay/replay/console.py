"""A run on a terminal: a line that moves while it is on, and two tables at the end."""

from types import TracebackType
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from vitalrelay.replay.answers import Fate
from vitalrelay.replay.disturbance import Part
from vitalrelay.replay.histogram import PERCENTILES
from vitalrelay.replay.summary import Summary
from vitalrelay.replay.tally import EXPECTED

BEATS_PER_LOOK: Final = 4


class Onlooker:
    """Shows how far a run is; nothing at all where there is no terminal to show it on."""

    def __init__(self, console: Console) -> None:
        columns = (BarColumn(bar_width=24), TextColumn("{task.description}"))
        self._bar = Progress(
            *columns,
            console=console,
            auto_refresh=False,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID = self._bar.add_task("connecting", total=None)
        self._beats = 0

    def __enter__(self) -> "Onlooker":
        self._bar.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._bar.stop()

    def look(self, summary: Summary) -> None:
        self._beats += 1
        if self._bar.disable or self._beats % BEATS_PER_LOOK:
            return
        done, whole = _share(summary)
        self._bar.update(self._task, completed=done, total=whole, description=_line(summary))
        self._bar.refresh()


def show(summary: Summary, console: Console) -> None:
    """The two tables, and everything that was not as it should be."""
    console.print(_outcomes(summary))
    console.print(_durations(summary))
    console.print(
        f"{summary.tally.planned.total():,} packets in {summary.duration_s:,.1f} s:"
        f" {summary.per_second:,.1f} acknowledged per second,"
        f" {summary.tally.again:,} attempts repeated"
    )
    for doubt in summary.strain.doubts():
        console.print(f"not to be relied on: {doubt}", style="yellow")
    for problem in summary.problems():
        console.print(problem, style="red")


def _share(summary: Summary) -> tuple[float, float | None]:
    plan, tally = summary.plan, summary.tally
    if plan.packets is not None:
        return tally.planned[Part.ORIGINAL] + tally.planned[Part.DAMAGED], plan.packets
    return tally.clock.seconds(), plan.duration_s


def _line(summary: Summary) -> str:
    tally = summary.tally
    p99 = "-" if summary.p99_ms is None else f"{summary.p99_ms:,.1f} ms"
    return (
        f"{tally.planned.total():,} sent · {tally.total(Fate.ACKNOWLEDGED):,} acknowledged"
        f" · {tally.total(Fate.REFUSED):,} refused · {tally.open:,} open"
        f" · {summary.per_second:,.0f}/s · p99 {p99}"
    )


def _outcomes(summary: Summary) -> Table:
    table = Table("part", "planned", "expected", "received", title="Outcomes", title_justify="left")
    for part in Part:
        received = summary.tally.outcomes[part].most_common()
        spoken = ", ".join(f"{name} {count:,}" for name, count in received) or "-"
        planned = f"{summary.tally.planned[part]:,}"
        table.add_row(part.value, planned, EXPECTED[part].value, spoken)
    return table


def _durations(summary: Summary) -> Table:
    names = [*(f"p{percent:g}" for percent in PERCENTILES), "max"]
    table = Table("ms", *names, title="Durations", title_justify="left")
    tally = summary.tally
    for name, kind in (
        ("latency", tally.latency),
        ("service", tally.service),
        ("slip", tally.slip),
    ):
        found = kind.milliseconds()
        cells = ("-" if found[key] is None else f"{found[key]:,.2f}" for key in names)
        table.add_row(name, *cells)
    return table
