"""
A drain by our own workers, of a database that is filled once.

Between rounds everybody is owed, and due at no time; a round makes everybody's next version due at
once, while Redis has nothing. So everything is written, and nothing is a duplicate.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import asyncpg
from redis.asyncio import Redis

from bench.drained import drained
from bench.ground import Ground, process
from vitalrelay.adapters.outbound.redis.keys import Keys
from vitalrelay.domain.document import parse_document, with_envelope
from vitalrelay.domain.fingerprint import canonical_json
from vitalrelay.domain.packet import SubjectId
from vitalrelay.supervisor.readiness import READY_FD, Announcement

KEYS = Keys()
PATIENCE_S, IDLE_S = 30.0, 2.0
AT_ONCE = 500
TABLE = "patient_monitoring_snapshot_projections"

# $1 how many, $2 a document, $3 its canonical form, $4 whose it is, $5 and $6 names of keys
FILL = f"""
    insert into {TABLE} (
        projection_id, demo_subject_id, snapshot_key, latest_key, payload_fingerprint, payload,
        status, attempt_count, incarnation, version, published_version, urgency
    )
    select 'monitoring-snapshot:' || subject, subject, $5 || subject, $6,
        'sha256:' || encode(sha256(convert_to(replace($3, $4, subject), 'UTF8')), 'hex'),
        replace($2, $4, subject)::jsonb, 'published', 1, 1, 1, 1, 0
    from (select 'patient-' || lpad(n::text, 5, '0') from generate_series(0, $1 - 1) n) s(subject)
"""
HOLD_BACK = f"""
    update {TABLE}
    set status = 'pending', pending_since = now(), due_at = 'infinity', relay_at = 'infinity'
"""
OWE = f"""
    update {TABLE}
    set version = version + 1, attempt_count = 0, pending_since = now(), due_at = now(),
        relay_at = now()
"""
OWED = f"select count(*) from {TABLE} where status <> 'published'"
SHOWN = f"""
    select demo_subject_id as subject, incarnation, version, published_version,
        payload_fingerprint as fingerprint, payload::text as document
    from {TABLE}
"""


@dataclass(frozen=True, slots=True)
class OurDrain:
    """``like``: a document, of ``subject``."""

    ground: Ground
    database_url: str
    patients: int
    processes: int
    like: str
    subject: str

    async def fill(self) -> None:
        canonical = canonical_json(parse_document(self.like))
        connection = await asyncpg.connect(self.database_url)
        await connection.execute(
            FILL, self.patients, self.like, canonical, self.subject, KEYS.documents, KEYS.latest
        )
        await connection.close()

    def __call__(self) -> float:
        """Documents a second."""
        asyncio.run(self._prepare())
        with ExitStack() as stack:
            workers = [stack.enter_context(self._worker()) for _ in range(self.processes)]
            wait_for(workers)
            return self.patients / asyncio.run(self._drain())

    async def _prepare(self) -> None:
        connection = await asyncpg.connect(self.database_url)
        await connection.execute(HOLD_BACK)
        await connection.execute("vacuum analyze")
        await connection.execute("checkpoint")
        await connection.close()
        async with Redis.from_url(self.ground.redis_url) as redis:
            keys = [key async for key in redis.scan_iter(KEYS.documents + "*", count=AT_ONCE)]
            if keys:
                await redis.unlink(*keys)

    @contextmanager
    def _worker(self) -> Iterator[Announcement]:
        announcement = Announcement()
        environment = {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.ground.redis_url,
            "VITALRELAY_LOG_LEVEL": "error",
            READY_FD: str(announcement.speaks),
        }
        command = ["-m", "vitalrelay", "worker"]
        with process(command, environment, pass_fds=[announcement.speaks]):
            announcement.started()
            yield announcement
        announcement.close()

    async def _drain(self) -> float:
        connection = await asyncpg.connect(self.database_url)
        async with Redis.from_url(self.ground.redis_url) as redis:
            assert await redis.xlen(KEYS.events) == 0, "published before it was due"
            await connection.execute(OWE)
            seconds = await drained(
                lambda: redis.xlen(KEYS.events),  # an event for each document that is written
                lambda: connection.fetchval(OWED),
                self.patients,
            )
            await self._compare(connection, redis)
        await connection.close()
        return seconds

    async def _compare(self, connection: asyncpg.Connection, redis: Redis) -> None:
        """What is in Redis is what PostgreSQL wants shown, all of it and nothing else."""
        rows = await connection.fetch(SHOWN)
        assert len(rows) == self.patients == await redis.xlen(KEYS.events)
        assert all(row["published_version"] == row["version"] for row in rows)
        for begin in range(0, len(rows), AT_ONCE):
            some = rows[begin : begin + AT_ONCE]
            found = await redis.mget([KEYS.document(SubjectId(row["subject"])) for row in some])
            assert found == [shown(row) for row in some]


def shown(row: asyncpg.Record) -> bytes:
    return with_envelope(
        row["document"], row["incarnation"], row["version"], row["fingerprint"]
    ).encode()


def wait_for(workers: Sequence[Announcement]) -> None:
    """Ready; and then until each has rung its bell and has found nothing due."""
    until = time.monotonic() + PATIENCE_S
    for worker in workers:
        while not worker.came():
            assert time.monotonic() < until, "the workers do not come up"
            time.sleep(0.05)
    time.sleep(IDLE_S)
