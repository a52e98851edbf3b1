"""
What a good engineer writes first: the rival of the single-packet figure.

FastAPI with its own body parsing, one ORM session and one commit per request, a Redis SET after
it, a second commit to mark it published. Same tables, same domain, same document.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal

from fastapi import FastAPI
from pydantic import BaseModel
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from persistence.engine import driver_url
from vitalrelay.adapters.outbound.postgres.tables import assessments, metadata, packets, projections
from vitalrelay.adapters.outbound.redis.keys import Keys
from vitalrelay.domain.chart import Chart
from vitalrelay.domain.document import (
    assessment_document,
    document_of,
    parse_document,
    snapshot_from,
    with_envelope,
)
from vitalrelay.domain.fingerprint import canonical_json, fingerprint
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.packet import (
    EncounterId,
    Packet,
    Quality,
    Received,
    Signal,
    SubjectId,
    packet_id,
)
from vitalrelay.domain.projection import projection_id
from vitalrelay.domain.snapshot import Snapshot


class SignalIn(BaseModel):
    code: str
    value: bool | float | str
    unit: str | None = None
    measuredAtMs: int | None = None  # noqa: N815 - the wire's name
    quality: Quality = Quality.GOOD


class PacketIn(BaseModel):
    siteId: str  # noqa: N815 - the wire's name
    deviceId: str  # noqa: N815 - the wire's name
    subjectId: str  # noqa: N815 - the wire's name
    encounterId: str  # noqa: N815 - the wire's name
    timestampMs: int  # noqa: N815 - the wire's name
    signals: list[SignalIn]


class Base(DeclarativeBase):
    pass


Base.metadata = metadata


class PacketRow(Base):
    __table__ = packets


class AssessmentRow(Base):
    __table__ = assessments


class ProjectionRow(Base):
    __table__ = projections


engine = create_async_engine(
    driver_url(os.environ["DATABASE_URL"]),
    pool_size=20,
    json_serializer=canonical_json,
    json_deserializer=parse_document,
)
session_of = async_sessionmaker(engine, expire_on_commit=False)
redis = Redis.from_url(os.environ["REDIS_URL"])
keys = Keys("naive")
assess = News2()


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield
    await redis.aclose()
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.post("/v1/signal-packets", status_code=201)
async def post_packet(body: PacketIn) -> dict[str, object]:
    packet = packet_of(body)
    received = Received(packet, int(datetime.now(UTC).timestamp() * 1000))
    async with session_of() as session:
        session.add(packet_row(received))
        row = await session.get(ProjectionRow, projection_id(packet.subject), with_for_update=True)
        chart = chart_of(row, received)
        await session.merge(assessment_row(chart, received))
        row = await projection_row(session, row, chart)
        await session.commit()
        shown = with_envelope(
            canonical_json(row.payload), 1, chart.snapshot.version, row.payload_fingerprint
        )
        await redis.set(keys.document(packet.subject), shown)
        row.status, row.pending_since = "published", None
        row.published_version, row.published_at = row.version, datetime.now(UTC)
        await session.commit()
    return {"outcome": "stored", "packetId": packet.id, "version": chart.snapshot.version}


def packet_of(body: PacketIn) -> Packet:
    return Packet(
        id=packet_id(body.siteId, body.deviceId, body.timestampMs, None),
        site=body.siteId,
        device=body.deviceId,
        subject=SubjectId(body.subjectId),
        encounter=EncounterId(body.encounterId),
        timestamp_ms=body.timestampMs,
        sequence=None,
        signals=tuple(
            Signal(
                signal.code,
                Decimal(str(signal.value)) if isinstance(signal.value, float) else signal.value,
                signal.unit,
                body.timestampMs if signal.measuredAtMs is None else signal.measuredAtMs,
                signal.quality,
            )
            for signal in body.signals
        ),
    )


def packet_row(received: Received) -> PacketRow:
    packet = received.packet
    content = packet.content()
    return PacketRow(
        packet_id=packet.id,
        site_id=packet.site,
        device_id=packet.device,
        demo_subject_id=packet.subject,
        encounter_id=packet.encounter,
        timestamp_ms=packet.timestamp_ms,
        payload=content,
        content_fingerprint=fingerprint(canonical_json(content)),
        clock_suspect=received.clock_suspect,
        received_at=datetime.now(UTC),
    )


def chart_of(row: ProjectionRow | None, received: Received) -> Chart:
    before = (
        Snapshot(subject=received.packet.subject)
        if row is None
        else snapshot_from(row.payload, row.version)
    )
    chart = Chart(before)
    chart.fold(received, assess)
    return chart


def assessment_row(chart: Chart, received: Received) -> AssessmentRow:
    [of] = chart.assessed.values()
    assessment = of.assessment
    return AssessmentRow(
        assessment_key=f"{of.encounter.id}:{assessment.model_name}:{assessment.horizon}",
        encounter_id=of.encounter.id,
        demo_subject_id=chart.subject,
        model_name=assessment.model_name,
        model_version=assessment.model_version,
        horizon=assessment.horizon,
        risk_level=assessment.risk_level,
        clinician_review_required=assessment.review_required,
        score=assessment.score,
        completeness=assessment.completeness,
        packet_id=received.packet.id,
        assessed_at=datetime.now(UTC),
        payload=assessment_document(assessment),
    )


async def projection_row(
    session: AsyncSession, row: ProjectionRow | None, chart: Chart
) -> ProjectionRow:
    document = document_of(chart.snapshot)
    if row is None:
        row = ProjectionRow(
            projection_id=projection_id(chart.subject),
            demo_subject_id=chart.subject,
            snapshot_key=keys.document(chart.subject),
            latest_key=keys.latest,
            incarnation=1,
            relay_at=datetime.now(UTC),
        )
        session.add(row)
    row.payload = document
    row.payload_fingerprint = fingerprint(canonical_json(document))
    row.status, row.pending_since = "pending", datetime.now(UTC)
    row.version, row.attempt_count = chart.snapshot.version, 1
    row.urgency = chart.snapshot.urgency
    return row
