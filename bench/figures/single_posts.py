"""Single-packet POSTs at 64 connections, against the naive service."""

from bench.candidates import naive, ours
from bench.ground import Ground
from bench.load import Load, drive
from bench.report import Figure
from bench.rounds import compare

ASKED = 6.0
CONNECTIONS, SECONDS, ROUNDS = 64, 8.0, 5


def measure(ground: Ground, processes: int) -> Figure:
    with (
        naive(ground, ground.database("single_naive"), processes) as rival,
        ours(ground, ground.database("single_ours"), processes) as mine,
    ):

        def rate(url: str, seconds: float = SECONDS) -> float:
            driven = drive(Load(url=url, connections=CONNECTIONS, seconds=seconds))
            assert driven.wrong == 0, f"{driven.wrong} answers were not 201"
            return driven.packets_per_s

        for url in (rival, mine):
            rate(url, seconds=3)  # warm: plans, pools, caches
        compared = compare(("ours", lambda: rate(mine)), ("naive", lambda: rate(rival)), ROUNDS)
    return Figure.of_ratio("single POSTs, ours / naive", compared, at_least=ASKED, unit="packets/s")
