"""The ward on a terminal that can draw, or printed now and then where there is none."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from vitalrelay.adapters.inbound.cli.work.ward_feed import Look
from vitalrelay.adapters.inbound.cli.work.ward_table import ward_table

PAGES = "/v1/snapshots/latest", "/openapi.json", "/metrics"
NOT_A_DEVICE = "A made-up ward. Not a medical device; for no clinical use."
LINES_AROUND = 8
WIDTH_WITHOUT_TERMINAL = 160
PRINTED_EVERY_MS = 5_000


class WardScreen(Protocol):
    def show(self, look: Look) -> None: ...


class LiveScreen:
    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, look: Look) -> None:
        size = self._live.console.size
        table = ward_table(look, max(size.height - LINES_AROUND, 1), size.width)
        self._live.update(Group(header(look), table), refresh=True)


class PrintedScreen:
    """Every few seconds, and whenever there are more patients than before."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._patients = 0
        self._due_ms = 0

    def show(self, look: Look) -> None:
        if len(look.patients) == self._patients and look.at_ms < self._due_ms:
            return
        self._patients = len(look.patients)
        self._due_ms = look.at_ms + PRINTED_EVERY_MS
        table = ward_table(look, len(look.patients), self._console.width)
        self._console.print(Group(header(look), table))


@contextmanager
def screen() -> Iterator[WardScreen]:
    console = Console()
    if not console.is_terminal:
        yield PrintedScreen(Console(width=WIDTH_WITHOUT_TERMINAL))
        return
    with Live(console=console, auto_refresh=False, transient=False) as live:
        yield LiveScreen(live)


def header(look: Look) -> Group:
    also = "  ".join(PAGES)
    ward = Text(f"open {look.url}/ for the ward screen; also {also}")
    return Group(Text(NOT_A_DEVICE, "bold"), ward, state(look))


def state(look: Look) -> Text:
    if look.silent_s:
        lost = f"! THE API HAS NOT ANSWERED FOR {look.silent_s:.0f} s; this is what it said before"
        return Text(lost, "bold white on red")
    fine = look.ready == "ready"
    words = f"{look.ready}, {len(look.patients)} patients; Ctrl-C ends the demo"
    return Text(("● " if fine else "! ") + words, "green" if fine else "bold yellow")
