"""
NDJSON into a database that holds five million packets, against the same into an empty one.

The same 5,000 patients are known to both, since knowing many makes a difference by itself: so the
empty one holds a packet of each. What is stored lies in the order of time, each row as large as a
real one; the patients that are driven are among them. Two services run, one at a time is driven.
"""

import asyncio
import time
from dataclasses import dataclass, replace
from functools import partial

from bench.bulk import Bulk, send
from bench.candidates import ours
from bench.ground import Ground, run_sql
from bench.load import Load, drive
from bench.report import Figure
from bench.rounds import alternate
from bench.same_rows import FINGERPRINT, taken_from

ASKED = 0.9
STORED, KNOWN, AT_ONCE = 5_000_000, 5_000, 500_000
SECONDS, ROUNDS = 8.0, 5
STREAMS, LINES, PATIENTS = 4, 2_000, 100
COUNT = "select count(*) from patient_signal_packets"
SIZE = "select pg_size_pretty(pg_database_size(current_database()))"
TWO_DAYS_MS, MINUTE_MS = 172_800_000, 60_000

SEED = """
    insert into patient_signal_packets (
        packet_id, site_id, device_id, demo_subject_id, encounter_id, timestamp_ms, payload,
        content_fingerprint, clock_suspect, received_at
    )
    select 'bench:before-' || patient || ':' || at_ms, 'bench', 'before-' || patient,
        'patient-' || patient, 'stay-' || patient, at_ms, '{packet}'::jsonb, '{fingerprint}', false,
        to_timestamp(at_ms / 1000.0)
    from (
        select n % {known} as patient, {first_ms} + n / {known} * {minute_ms} as at_ms
        from generate_series({begin}, {end}) n
    ) sent
"""


def measure(ground: Ground, processes: int) -> list[Figure]:
    full = filled(ground, processes, STORED)
    empty = filled(beside(ground), processes, KNOWN)
    with (
        ours(ground, full.database_url, processes) as url,
        ours(beside(ground), empty.database_url, processes) as other_url,
    ):
        candidates = {
            full.name: partial(full.rate, url),
            empty.name: partial(empty.rate, other_url),
        }
        for warm in candidates.values():
            warm()
        rounds = alternate(candidates, ROUNDS)
    for one in (full, empty):
        assert run_sql(one.database_url, COUNT) == [(one.stored,)], one
    figure = Figure.of_ratio(
        f"NDJSON with {full.name} / with {empty.name}",
        rounds.compare(full.name, empty.name),
        at_least=ASKED,
        unit="packets/s",
    )
    [(size,)] = run_sql(full.database_url, SIZE)
    return [replace(figure, details={**figure.details, "size in the end": size})]


@dataclass(slots=True)
class Filled:
    """``stored``: by now, of which ``rate`` keeps count."""

    name: str
    database_url: str
    stored: int

    def rate(self, url: str) -> float:
        driven = drive(
            Load(url=url, connections=STREAMS, seconds=SECONDS, lines=LINES, patients=PATIENTS)
        )
        assert driven.wrong == 0, f"{driven.wrong} packets were not stored"
        self.stored += driven.stored
        return driven.packets_per_s


def beside(ground: Ground) -> Ground:
    """Redis for another service: the two would take each other's documents for losses."""
    server, _, _ = ground.redis_url.rpartition("/")
    return replace(ground, redis_url=f"{server}/1")


def filled(ground: Ground, processes: int, stored: int) -> Filled:
    """The patients come by our own service, all other packets by SQL."""
    database_url = ground.database(f"growth_{stored}")
    with ours(ground, database_url, processes) as url:
        send(Bulk(url=url, packets=KNOWN, patients=KNOWN))
    packet = asyncio.run(taken_from(database_url)).packet
    first_ms = time.time_ns() // 1_000_000 - TWO_DAYS_MS
    for begin in range(KNOWN, stored, AT_ONCE):
        seed = SEED.format(
            packet=packet,
            fingerprint=FINGERPRINT,
            known=KNOWN,
            first_ms=first_ms,
            minute_ms=MINUTE_MS,
            begin=begin,
            end=min(begin + AT_ONCE, stored) - 1,
        )
        run_sql(database_url, seed)
    run_sql(database_url, "vacuum analyze")
    run_sql(database_url, "checkpoint")
    return Filled(f"{stored:,} stored", database_url, stored)
