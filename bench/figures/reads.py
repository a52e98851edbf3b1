"""
Snapshot reads against our own single POSTs, from as many connections; then their latency.

Half of the reads have the document already and say so. Latency is that of 500 reads a second on
an absolute schedule, while 100 packets a second change what is read.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from bench.candidates import ours
from bench.ground import Ground
from bench.load import Load, drive
from bench.report import Figure
from bench.rounds import alternate
from bench.screens import PATIENTS, Screens, Seen, admit, look

ASKED, ASKED_MS = 5.0, 10.0
CONNECTIONS, SECONDS, ROUNDS = 64, 8.0, 5
READS, PACKETS = 500.0, 100.0  # a second


def measure(ground: Ground, processes: int) -> list[Figure]:
    with ours(ground, ground.database("reads"), processes) as url:
        asyncio.run(admit(url))

        def posts(seconds: float = SECONDS) -> float:
            driven = drive(Load(url=url, connections=CONNECTIONS, seconds=seconds))
            assert driven.wrong == 0, f"{driven.wrong} answers were not 201"
            return driven.packets_per_s

        def reads(seconds: float = SECONDS) -> float:
            return right(look(Screens(url=url, connections=CONNECTIONS, seconds=seconds))).per_s

        posts(seconds=3)
        reads(seconds=3)
        rounds = alternate({"single POSTs": posts, "reads": reads}, ROUNDS)
        compared = rounds.compare("reads", "single POSTs")
        seen = while_packets_come_in(url)
    figure = Figure.of_ratio(
        "snapshot reads / single POSTs", compared, at_least=ASKED, unit="a second"
    )
    return [with_latency(figure, seen)]


def while_packets_come_in(url: str) -> Seen:
    """Every patient has a gateway, which starts before the screens and ends after them."""
    ingest = Load(url=url, connections=PATIENTS, seconds=3 * SECONDS + 4, rate=PACKETS)
    screens = Screens(url=url, connections=CONNECTIONS, seconds=3 * SECONDS, rate=READS)
    with ThreadPoolExecutor(1) as beside:
        sent = beside.submit(drive, ingest)
        seen = right(look(screens))
        driven = sent.result()
    assert driven.wrong == 0, f"{driven.wrong} answers were not 201"
    return seen


def right(seen: Seen) -> Seen:
    assert seen.wrong == 0, f"{seen.wrong} answers were not what they should be"
    return seen


def with_latency(figure: Figure, seen: Seen) -> Figure:
    said = f"{seen.p99_ms:.1f} ms (p50 {seen.p50_ms:.1f} ms, {seen.unchanged_share:.0%} had it)"
    return replace(
        figure,
        asked=f"{figure.asked}, p99 ≤ {ASKED_MS:g} ms",
        met=figure.met and seen.p99_ms <= ASKED_MS,
        details={**figure.details, f"p99 at {seen.per_s:.0f}/s while packets come in": said},
    )
