"""A port with the means to arrange what it sees, once for each adapter behind it."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support import NOW_MS, JsonValue, a_claim, a_packet
from vitalrelay.adapters.outbound.memory.database import MemoryDatabase, Projection
from vitalrelay.adapters.outbound.memory.projections import MemoryProjections
from vitalrelay.adapters.outbound.memory.snapshot_publisher import MemorySnapshotPublisher
from vitalrelay.adapters.outbound.memory.unit_of_work import MemoryWork
from vitalrelay.adapters.outbound.postgres.projections import PostgresProjections
from vitalrelay.adapters.outbound.postgres.record import Names
from vitalrelay.adapters.outbound.postgres.unit_of_work import PostgresWork
from vitalrelay.adapters.outbound.redis.keys import Keys
from vitalrelay.adapters.outbound.redis.snapshot_publisher import RedisSnapshotPublisher
from vitalrelay.domain.alarms import AlarmPolicy
from vitalrelay.domain.chart import USUAL
from vitalrelay.domain.fingerprint import canonical_json
from vitalrelay.domain.packet import Packet, SubjectId
from vitalrelay.domain.projection import Claim, projection_id
from vitalrelay.domain.snapshot import Snapshot
from vitalrelay.ports.projections import Projections, SnapshotPublisher
from vitalrelay.ports.unit_of_work import BeginWork

NAMES = Names("patient-risk:monitoring-snapshots:", "patient-risk:monitoring-snapshots:latest")


def a_reading(
    subject: str = "p-1",
    at_ms: int = NOW_MS,
    *,
    heart_rate: JsonValue = 72,
    device: str | None = None,
    **more: Any,
) -> Packet:
    """From the patient's own bed: readings of two patients never share a packet id."""
    device = device or f"bed-of-{subject}"
    return a_packet(subject=subject, at_ms=at_ms, device=device, heart_rate=heart_rate, **more)


def an_alarming_reading(subject: str = "p-1", at_ms: int = NOW_MS, **more: Any) -> Packet:
    """High risk: with alarms, a review item and audit records to keep."""
    return a_reading(subject, at_ms, heart_rate=140, respiratory_rate=30, spo2=85, **more)


def wanted(
    subject: str = "p-1",
    version: int = 1,
    shows: str = "A",
    *,
    incarnation: int = 1,
    as_of_ms: int = NOW_MS,
) -> Claim:
    """What the screens shall show; ``shows`` stands for all that makes two documents differ."""
    document = canonical_json({"asOfMs": as_of_ms, "shows": shows, "subjectId": subject})
    return a_claim(subject, version=version, incarnation=incarnation, document=document)


class DatabaseWorld(Protocol):
    """What is kept and what is owed, by way of the ports."""

    begin: BeginWork
    projections: Projections
    policy: AlarmPolicy

    async def owe(self, claim: Claim, urgency: int = 0) -> None:
        """Want this shown: due at once, nobody's yet, and not tried so far."""

    async def let_pass(self, time: timedelta) -> None:
        """Be so much later than what is owed, heard, looked for and answered expects."""

    async def now_ms(self) -> int:
        """By the clock that receipts are taken from."""


@dataclass(slots=True)
class MemoryWorld:
    database: MemoryDatabase = field(default_factory=MemoryDatabase)
    policy: AlarmPolicy = USUAL
    begin: BeginWork = field(init=False)
    projections: Projections = field(init=False)

    def __post_init__(self) -> None:
        self.begin = MemoryWork(self.database, self.policy)
        self.projections = MemoryProjections(self.database)

    async def owe(self, claim: Claim, urgency: int = 0) -> None:
        self.database.projections[claim.subject] = Projection(
            snapshot=Snapshot(subject=claim.subject),
            incarnation=claim.incarnation,
            version=claim.version,
            fingerprint=claim.fingerprint,
            document=claim.document,
            urgency=urgency,
            due_at=self.database.now,
        )

    async def let_pass(self, time: timedelta) -> None:
        self.database.now += time

    async def now_ms(self) -> int:
        return self.database.now_ms


OWE_AT_ONCE = text("""
    insert into patient_monitoring_snapshot_projections (
        projection_id, demo_subject_id, snapshot_key, latest_key, payload_fingerprint, payload,
        status, attempt_count, incarnation, version, urgency, pending_since, due_at, relay_at
    )
    select :id, :subject, '', '', :fingerprint, cast(:document as jsonb), 'pending', 0,
        :incarnation, :version, :urgency, moment.now, moment.now, moment.now
    from (select clock_timestamp() as now) moment
    on conflict (projection_id) do update
    set payload_fingerprint = excluded.payload_fingerprint, payload = excluded.payload,
        status = 'pending', attempt_count = 0, incarnation = excluded.incarnation,
        version = excluded.version, urgency = excluded.urgency, lease_token = null,
        pending_since = excluded.pending_since, due_at = excluded.due_at,
        relay_at = excluded.relay_at
""")

AGE = text("""
    update patient_monitoring_snapshot_projections
    set due_at = due_at - cast(:time as interval),
        relay_at = relay_at - cast(:time as interval),
        pending_since = pending_since - cast(:time as interval),
        heard_at = heard_at - cast(:time as interval),
        look_at = look_at - cast(:time as interval)
""")
AGE_ANSWERS = text("""
    update patient_action_keys set created_at = created_at - cast(:time as interval)
""")
NOW = text("select floor(extract(epoch from clock_timestamp()) * 1000)::bigint")


@dataclass(slots=True)
class PostgresWorld:
    engine: AsyncEngine
    policy: AlarmPolicy = USUAL
    begin: BeginWork = field(init=False)
    projections: Projections = field(init=False)

    def __post_init__(self) -> None:
        self.begin = PostgresWork(self.engine, NAMES, self.policy)
        self.projections = PostgresProjections(self.engine)

    async def owe(self, claim: Claim, urgency: int = 0) -> None:
        parameters = {
            "id": projection_id(claim.subject),
            "subject": claim.subject,
            "fingerprint": claim.fingerprint,
            "document": claim.document,
            "incarnation": claim.incarnation,
            "version": claim.version,
            "urgency": urgency,
        }
        async with self.engine.begin() as connection:
            await connection.execute(OWE_AT_ONCE, parameters)

    async def let_pass(self, time: timedelta) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(AGE, {"time": time})
            await connection.execute(AGE_ANSWERS, {"time": time})

    async def now_ms(self) -> int:
        async with self.engine.connect() as connection:
            now_ms: int = await connection.scalar(NOW)
        return now_ms


Told = tuple[str, int, int, str]  # subject, incarnation, version, fingerprint


def told(claim: Claim) -> Told:
    return claim.subject, claim.incarnation, claim.version, claim.fingerprint


class ScreenWorld(Protocol):
    """A publisher, and the eyes of a screen and of a consumer of events."""

    publisher: SnapshotPublisher

    async def shown(self, subject: str) -> Told | None: ...

    async def document(self, subject: str) -> object:
        """What a screen reads, without the envelope."""

    async def events(self) -> list[Told]:
        """Oldest first."""

    async def latest(self) -> str | None: ...


@dataclass(slots=True)
class MemoryScreens:
    publisher: MemorySnapshotPublisher = field(default_factory=MemorySnapshotPublisher)

    async def shown(self, subject: str) -> Told | None:
        claim = self.publisher.shown.get(SubjectId(subject))
        return claim and told(claim)

    async def document(self, subject: str) -> object:
        return json.loads(self.publisher.shown[SubjectId(subject)].document)

    async def events(self) -> list[Told]:
        return [told(claim) for claim in self.publisher.events]

    async def latest(self) -> str | None:
        return self.publisher.latest


@dataclass(slots=True)
class RedisScreens:
    redis: Redis
    keys: Keys
    publisher: SnapshotPublisher = field(init=False)

    def __post_init__(self) -> None:
        self.publisher = RedisSnapshotPublisher(self.redis, self.keys, events_kept=10_000)

    async def shown(self, subject: str) -> Told | None:
        stored = await self.redis.get(self.keys.document(SubjectId(subject)))
        if stored is None:
            return None
        envelope = json.loads(stored)
        return subject, envelope["incarnation"], envelope["version"], envelope["fingerprint"]

    async def document(self, subject: str) -> object:
        document = json.loads(await self.redis.get(self.keys.document(SubjectId(subject))))
        return {
            name: value
            for name, value in document.items()
            if name not in ("incarnation", "version", "fingerprint")
        }

    async def events(self) -> list[Told]:
        entries = [fields for _, fields in await self.redis.xrange(self.keys.events)]
        return [
            (
                entry[b"subjectId"].decode(),
                int(entry[b"incarnation"]),
                int(entry[b"version"]),
                entry[b"fingerprint"].decode(),
            )
            for entry in entries
        ]

    async def latest(self) -> str | None:
        latest = await self.redis.get(self.keys.latest)
        return None if latest is None else latest.decode()
