"""
Redis is away while packets come in, ten times as many the second time: how long until every screen
is told, once it is back.

5,000 patients are known and shown. The longest time is from the moment Redis answers until every
projection is published and every document is there in the database's version. The two are compared
from the first that was published: how soon a worker notices is chance, and the same for both. Redis
is stopped as an operator stops it, and comes back with its data.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
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
            outage = Outage(own, database_url, url, valkey)
            drains = {f"{many:,}": partial(outage, many) for many in (FEW, MANY)}
            rounds = alternate(drains, ROUNDS)
    sent = PATIENTS + ROUNDS * (FEW + MANY)
    assert run_sql(database_url, PACKETS) == [(sent,)]
    compared = rounds.compare(f"{MANY:,}", f"{FEW:,}")
    details = {
        **{f"after {many}": seconds_of(took_s) for many, took_s in rounds.figures.items()},
        "rounds": [round(ratio, 2) for ratio in compared.ratios],
        "scatter": f"{compared.scatter:.0%}",
    }
    longest_s = max(outage.since_back_s)
    return [
        Figure(
            f"drain after {MANY:,} packets without Redis / after {FEW:,}",
            round(compared.ratio, 2),
            f"≤ {ASKED_RATIO:g} times",
            compared.trustworthy and compared.ratio <= ASKED_RATIO,
            details,
        ),
        Figure(
            f"longest time until {PATIENTS:,} patients are shown once it is back, s",
            round(longest_s, 2),
            f"≤ {ASKED_S:g} s",
            longest_s <= ASKED_S,
            {"all": seconds_of(outage.since_back_s)},
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


@dataclass
class Outage:
    own: Ground
    database_url: str
    url: str
    valkey: EmbeddedValkey
    since_back_s: list[float] = field(default_factory=list)

    def __call__(self, many: int) -> float:
        """Seconds from the first that was published."""
        self.valkey.stop()
        send(Bulk(url=self.url, packets=many, patients=PATIENTS))
        [(owed,)] = run_sql(self.database_url, OWED)
        assert owed == PATIENTS, owed
        self.valkey.start()
        back_at = perf_counter()
        first_at, last_at = asyncio.run(until_shown(self.own, self.database_url))
        self.since_back_s.append(last_at - back_at)
        return last_at - first_at


async def until_shown(own: Ground, database_url: str) -> tuple[float, float]:
    """When the first was published and the last was shown, on the clock of ``perf_counter``."""
    connection = await asyncpg.connect(database_url)
    client = redis.asyncio.Redis.from_url(own.redis_url)
    first_at = None
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                owed = await connection.fetchval(OWED)
                at = perf_counter()
                if owed < PATIENTS:
                    first_at = first_at or at
                if owed == 0 and first_at and await all_shown(connection, client):
                    return first_at, at
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
