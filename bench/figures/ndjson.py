"""NDJSON batches against our own single POSTs, from as many gateways."""

from bench.candidates import ours
from bench.ground import Ground
from bench.load import Load, drive
from bench.report import Figure
from bench.rounds import compare

ASKED = 3.0
CONNECTIONS, SECONDS, ROUNDS = 64, 8.0, 5
STREAMS, LINES = 4, 2_000


def measure(ground: Ground, processes: int) -> Figure:
    with ours(ground, ground.database("ndjson"), processes) as url:

        def rate(connections: int, lines: int, seconds: float = SECONDS) -> float:
            load = Load(url=url, connections=connections, seconds=seconds, lines=lines)
            driven = drive(load)
            assert driven.wrong == 0, f"{driven.wrong} answers were not 201"
            return driven.packets_per_s

        rate(CONNECTIONS, 1, seconds=3)
        rate(STREAMS, LINES, seconds=3)
        compared = compare(
            ("ndjson", lambda: rate(STREAMS, LINES)),
            ("single", lambda: rate(CONNECTIONS, 1)),
            ROUNDS,
        )
    return Figure.of_ratio("NDJSON / single POSTs", compared, at_least=ASKED, unit="packets/s")
