"""NDJSON batches, against raw batches of the same rows and against our own single POSTs."""

from functools import partial

from bench.candidates import ours
from bench.ground import Ground
from bench.load import Load, drive
from bench.raw_batch import RawBatch, raw_batch
from bench.report import Figure
from bench.rounds import alternate

SECONDS, ROUNDS = 8.0, 5
STREAMS, LINES, PATIENTS = 4, 2_000, 100
CONNECTIONS = 64


def measure(ground: Ground, processes: int) -> list[Figure]:
    database_url, of_raw = ground.database("ndjson"), ground.database("raw")
    with ours(ground, database_url, processes) as url:
        candidates = {
            "ndjson": partial(
                rate,
                Load(url=url, connections=STREAMS, seconds=SECONDS, lines=LINES, patients=PATIENTS),
            ),
            "single": partial(rate, Load(url=url, connections=CONNECTIONS, seconds=SECONDS)),
        }
        for warm in candidates.values():
            warm()
        raw = RawBatch(database_url=of_raw, like=database_url, patients=PATIENTS, seconds=SECONDS)
        candidates["raw batch"] = partial(raw_batch, raw)
        rounds = alternate(candidates, ROUNDS)
    return [
        Figure.of_ratio(
            f"NDJSON / {rival}", rounds.compare("ndjson", rival), at_least, unit="packets/s"
        )
        for rival, at_least in (("raw batch", 0.5), ("single", 3.0))
    ]


def rate(load: Load) -> float:
    driven = drive(load)
    assert driven.wrong == 0, f"{driven.wrong} packets were not stored"
    return driven.packets_per_s
