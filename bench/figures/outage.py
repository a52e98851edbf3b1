"""
Redis is away while packets come in, ten times as many the second time: how long until every screen
is told, once it is back.

5,000 patients are known and shown. From the moment Redis answers until every projection is
published and every document is there in the database's version. Redis is stopped as an operator
stops it, and comes back with its data.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import asyncpg
import redis.asyncio

from bench.bulk import Bulk, send
from bench.candidates import ours
from bench.ground import Ground, run_sql
from bench.report import Figure
from bench.rounds import alternate
from vitalrelay.adapters.outbound.redis.keys import Keys
from vitalrelay.embedded import EmbeddedValkey

ASKED_RATIO, ASKED_S = 1.3, 3.0
PATIENTS, FEW, MANY, ROUNDS = 5_000, 50_000, 500_000, 3
PATIENCE_S, BETWEEN_S = 60.0, 0.01
OWED = "select count(*) from patient_monitoring_snapshot_projections where status <> 'published'"
VERSIONS = "select demo_subject_id, version from patient_monitoring_snapshot_projections"
PACKETS = "select count(*) from patient_signal_packets"


def measure(ground: Ground, processes: int) -> list[Figure]:
    database_url = ground.database("outage")
    with redis_of_its_own() as valkey:
        own = replace(ground, redis_url=valkey.url)
        with ours(own, database_url, processes) as url:
            send(Bulk(url=url, packets=PATIENTS, patients=PATIENTS))
            asyncio.run(until_shown(own, database_url))
            drain = partial(drained, own, database_url, url, valkey)
            drains = {f"{many:,}": partial(drain, many) for many in (FEW, MANY)}
            rounds = alternate(drains, ROUNDS)
    sent = PATIENTS + ROUNDS * (FEW + MANY)
    assert run_sql(database_url, PACKETS) == [(sent,)]
    compared = rounds.compare(f"{MANY:,}", f"{FEW:,}")
    details = {
        **{f"after {many}": seconds_of(took_s) for many, took_s in rounds.figures.items()},
        "rounds": [round(ratio, 2) for ratio in compared.ratios],
        "scatter": f"{compared.scatter:.0%}",
    }
    longest_s = max(max(took_s) for took_s in rounds.figures.values())
    return [
        Figure(
            f"drain after {MANY:,} packets without Redis / after {FEW:,}",
            round(compared.ratio, 2),
            f"≤ {ASKED_RATIO:g} times",
            compared.trustworthy and compared.ratio <= ASKED_RATIO,
            details,
        ),
        Figure(
            f"longest drain of {PATIENTS:,} patients, s",
            round(longest_s, 2),
            f"≤ {ASKED_S:g} s",
            longest_s <= ASKED_S,
            {name: f"{took_s:.2f} s" for name, took_s in compared.medians.items()},
        ),
    ]


def seconds_of(took_s: Sequence[float]) -> str:
    return " ".join(f"{one:.2f}" for one in took_s) + " s"


@contextmanager
def redis_of_its_own() -> Iterator[EmbeddedValkey]:
    """To be stopped and started again."""
    with TemporaryDirectory(prefix="vitalrelay-outage-") as directory:
        Path(directory).chmod(0o755)  # as in bench.ground
        with EmbeddedValkey(Path(directory) / "redis") as valkey:
            yield valkey


def drained(own: Ground, database_url: str, url: str, valkey: EmbeddedValkey, many: int) -> float:
    """Seconds from the first answer of Redis."""
    valkey.stop()
    send(Bulk(url=url, packets=many, patients=PATIENTS))
    [(owed,)] = run_sql(database_url, OWED)
    assert owed == PATIENTS, owed
    valkey.start()
    back_at = perf_counter()
    return asyncio.run(until_shown(own, database_url)) - back_at


async def until_shown(own: Ground, database_url: str) -> float:
    """When it was, on the clock of ``perf_counter``."""
    connection = await asyncpg.connect(database_url)
    client = redis.asyncio.Redis.from_url(own.redis_url)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if await connection.fetchval(OWED) == 0:
                    settled_at = perf_counter()
                    if await all_shown(connection, client):
                        return settled_at
                await asyncio.sleep(BETWEEN_S)
    finally:
        await client.aclose()
        await connection.close()


async def all_shown(connection: asyncpg.Connection, client: redis.asyncio.Redis) -> bool:
    wanted = dict(await connection.fetch(VERSIONS))
    assert len(wanted) == PATIENTS, len(wanted)
    documents = await client.mget([Keys().document(subject) for subject in wanted])
    shown = [document and json.loads(document)["version"] for document in documents]
    return shown == list(wanted.values())
