"""
The same rows in batches of 500 by ``unnest``, on two connections: the limit of storage.

In a process of its own: ``python -m bench.raw_batch '{"database_url": …}'`` prints one JSON object.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass

import asyncpg
import uvloop

from bench.ground import elsewhere
from bench.same_rows import ASSESSMENTS, FINGERPRINT, PACKETS, SNAPSHOTS, taken_from

BATCH, CONNECTIONS = 500, 2

ROWS = {
    "packets": """
        select 'bench:' || device || ':' || at_ms, 'bench', device, patient, stay, at_ms,
            payload::jsonb, $5, false, now()
        from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $6::text[])
            as sent(device, patient, stay, at_ms, payload)
    """,
    "assessments": """
        select stay || ':news2', stay, patient, 'news2', '1', 'now', 'low', false, 0, 'complete',
            packet_id, now(), payload::jsonb
        from unnest($1::text[], $2::text[], $3::text[], $4::text[])
            as assessed(patient, stay, packet_id, payload)
        order by 1
    """,
    "snapshots": """
        select 'monitoring-snapshot:' || patient, patient, '', '', $3, payload::jsonb, 'pending', 1,
            1, 1, 0, now(), now() + interval '30 s', now() + interval '30 s'
        from unnest($1::text[], $2::text[]) as wanted(patient, payload)
        order by 1
    """,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RawBatch:
    """``like`` is the database whose documents it takes; ``patients`` share each batch."""

    database_url: str
    like: str
    patients: int
    seconds: float


def raw_batch(wanted: RawBatch) -> float:
    """Packets a second."""
    return float(elsewhere("bench.raw_batch", wanted)["packets_per_s"])


async def run(wanted: RawBatch) -> float:
    documents = await taken_from(wanted.like)
    statements = [sql.format(**ROWS) for sql in (PACKETS, ASSESSMENTS, SNAPSHOTS)]
    started = time.perf_counter()
    until = started + wanted.seconds
    stored = 0

    async def one_connection(number: int) -> None:
        nonlocal stored
        connection = await asyncpg.connect(wanted.database_url)
        at_ms = time.time_ns() // 1_000_000
        patients = [f"patient-{number}-{patient}" for patient in range(wanted.patients)]
        stays = [f"stay-{number}-{patient}" for patient in range(wanted.patients)]
        whose = [patients[n % len(patients)] for n in range(BATCH)]
        where = [stays[n % len(stays)] for n in range(BATCH)]
        run_of = f"gateway-{number}-{time.time_ns()}"
        packets = [documents.packet] * BATCH
        while time.perf_counter() < until:
            times = list(range(at_ms, at_ms + BATCH))
            at_ms += BATCH
            last = [f"bench:{run_of}:{times[-1]}"] * len(patients)
            async with connection.transaction():
                await connection.fetch(
                    statements[0], [run_of] * BATCH, whose, where, times, FINGERPRINT, packets
                )
                await connection.fetch(
                    statements[1], patients, stays, last, [documents.assessment] * len(patients)
                )
                await connection.fetch(
                    statements[2], patients, [documents.snapshot] * len(patients), FINGERPRINT
                )
            stored += BATCH
        await connection.close()

    await asyncio.gather(*(one_connection(number) for number in range(CONNECTIONS)))
    return stored / (time.perf_counter() - started)


if __name__ == "__main__":
    uvloop.install()
    rate = asyncio.run(run(RawBatch(**json.loads(sys.argv[1]))))
    print(json.dumps({"packets_per_s": rate}))
