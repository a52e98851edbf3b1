"""
One commit of one packet's row and one SET of one document, one after the other: what the two
servers take by themselves, for a latency to be held against.

In a process of its own: ``python -m bench.bare '{"database_url": …}'`` prints one JSON object.
"""

import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from statistics import quantiles
from time import perf_counter

import asyncpg
import redis.asyncio
import uvloop

from bench.ground import Ground, elsewhere
from bench.same_rows import FINGERPRINT, PACKETS, taken_from

FIRST, PAIRS = 100, 2_000
ROW = """
    values ('bench:bare:' || $1::bigint, 'bench', 'bare', 'patient-bare', 'stay-bare', $1,
        $2::jsonb, $3, false, now())
"""
COUNT = "select count(*) from patient_signal_packets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """``like`` is the database whose documents it takes."""

    database_url: str
    redis_url: str
    like: str


@dataclass(frozen=True, slots=True)
class Took:
    p50_ms: float
    p99_ms: float


def bare(ground: Ground, like: str) -> Took:
    """To be asked right after what is held against it, while nothing else is going on."""
    database_url = ground.database(f"{like.rpartition('/')[2]}_bare")
    pair = Pair(database_url=database_url, redis_url=ground.redis_url, like=like)
    return Took(**elsewhere("bench.bare", pair))


async def run(pair: Pair) -> Took:
    documents = await taken_from(pair.like)
    connection = await asyncpg.connect(pair.database_url)
    client = redis.asyncio.Redis.from_url(pair.redis_url)
    insert = await connection.prepare(PACKETS.format(packets=ROW))
    took_ms = []
    for number in range(FIRST + PAIRS):
        began = perf_counter()
        await insert.fetch(number, documents.packet, FINGERPRINT)
        await client.set("bench:bare", documents.snapshot)
        took_ms.append((perf_counter() - began) * 1000)
    assert await connection.fetchval(COUNT) == FIRST + PAIRS
    await client.aclose()
    await connection.close()
    cuts = quantiles(took_ms[FIRST:], n=100)
    return Took(cuts[49], cuts[98])


if __name__ == "__main__":
    uvloop.install()
    print(json.dumps(asdict(asyncio.run(run(Pair(**json.loads(sys.argv[1])))))))
