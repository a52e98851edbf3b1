"""What is kept, read one page or one patient at a time."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

from vitalrelay.adapters.outbound.postgres.connection import statement
from vitalrelay.adapters.outbound.postgres.packet_rows import received_from
from vitalrelay.domain.audit import Link
from vitalrelay.domain.chain_check import StoredEvent
from vitalrelay.domain.document import Document, parse_document, with_envelope
from vitalrelay.domain.packet import LAST_MS, EncounterId, PacketId, Received, SubjectId
from vitalrelay.domain.projection import projection_id
from vitalrelay.domain.shown import Shown
from vitalrelay.ports.records import PacketCursor

PAGE = 1_000
NEWEST = PacketCursor(LAST_MS + 1, PacketId(""))

PACKET = text("""
    select packet_id, payload::text as payload,
        floor(extract(epoch from received_at) * 1000)::bigint as received_ms
    from patient_signal_packets
    where packet_id = :packet_id
""")

PACKETS_OF = text("""
    select packet_id, payload::text as payload,
        floor(extract(epoch from received_at) * 1000)::bigint as received_ms
    from patient_signal_packets
    where demo_subject_id = :subject
        and timestamp_ms <= :timestamp_ms
        and (timestamp_ms, packet_id) < (:timestamp_ms, cast(:packet_id as text) collate "C")
    order by timestamp_ms desc, packet_id desc
    limit :limit
""")

ASSESSMENTS_OF = text("""
    select payload::text as payload
    from patient_risk_assessments
    where encounter_id = :encounter
    order by updated_at desc
""")

SNAPSHOTS_OF = text("""
    select demo_subject_id, incarnation, version, payload_fingerprint,
        coalesce((payload ->> 'asOfMs')::bigint, 0) as as_of_ms, payload::text as document
    from patient_monitoring_snapshot_projections
    where projection_id = any(cast(:ids as text[]))
""")

LATEST = text("""
    select demo_subject_id
    from patient_monitoring_snapshot_projections
    order by (payload ->> 'asOfMs')::bigint desc nulls last
    limit 1
""")

PRESENT = text("""
    select packet_id from patient_signal_packets where packet_id = any(cast(:ids as text[]))
""")

SUBJECTS_AFTER = text("""
    select demo_subject_id
    from patient_monitoring_snapshot_projections
    where projection_id > :after
    order by projection_id
    limit :limit
""")

# It may look at every patient: 10 ms for ten thousand, when a screen starts.
SUBJECTS_OF_SITE_AFTER = text("""
    select demo_subject_id
    from patient_monitoring_snapshot_projections
    where projection_id > :after and payload ->> 'siteId' = :site
    order by projection_id
    limit :limit
""")

UNPUBLISHED = text("""
    select demo_subject_id, version
    from patient_monitoring_snapshot_projections
    where status <> 'published' or published_version is distinct from version
""")

STORED_TWICE = text("""
    select count(*) - count(distinct packet_id) + count(*) filter (
        where (site_id, device_id, timestamp_ms::text) is distinct from
            (split_part(packet_id, ':', 1), split_part(packet_id, ':', 2),
             split_part(packet_id, ':', 3))
    )
    from patient_signal_packets
""")

# All of one moment. A head that is gone, that is not at the end of its trail, or whose trail begins
# too early or does not know how an alarm or a review came to be as it is, is told as one that no
# record has.
AUDIT_HEADS = text("""
    with ends as (
        select site_id, min(seq) as first, max(seq) as last
        from patient_alarm_audit_events
        group by site_id
    ), unknown as (
        select p.payload ->> 'siteId' as site_id
        from patient_monitoring_snapshot_projections p
        cross join lateral jsonb_path_query(p.payload, '$.alarms[*]') alarm
        left join lateral (
            select coalesce(e.payload -> 'current' ->> 'state', 'resolved') as state
            from patient_alarm_audit_events e
            where e.alarm_id = alarm ->> 'alarmId'
            order by string_to_array(substring(e.event_id from ':([0-9]{1,15}[.][0-9]{1,9})'), '.')
                ::bigint[] desc
            limit 1
        ) told on true
        where told.state is distinct from
            coalesce(alarm -> 'returned' ->> 'told', alarm ->> 'state')
        union
        select r.site_id
        from patient_review_queue r
        where r.resolved_by is not null and not exists (
            select from patient_alarm_audit_events e where e.alarm_id = r.review_item_id
        )
    )
    select site_id, coalesce(head.seq, 0) as seq,
        case when ends.first = 1 and ends.last = head.seq and unknown.site_id is null
            then head.hash else '' end as hash
    from ends
    full join patient_alarm_audit_chains head using (site_id)
    full join unknown using (site_id)
    order by site_id
""")

# What stands beside a record is for indexes, and for people with psql.
OF_AN_EVENT = """
    seq, previous_hash, hash,
        case jsonb_typeof(payload) when 'object' then payload::text else '{}' end as payload,
        (event_id, alarm_id, demo_subject_id, site_id, action, actor_ref, reason,
            occurred_at_ms::text)
        is not distinct from
        (payload ->> 'eventId', coalesce(payload ->> 'alarmId', payload ->> 'reviewItemId'),
            payload ->> 'subjectId', payload ->> 'siteId', payload ->> 'action',
            payload ->> 'actorRef', payload ->> 'reason', payload ->> 'occurredAtMs') as agrees
"""

AUDIT_OF = text(f"""
    select {OF_AN_EVENT}
    from patient_alarm_audit_events
    where site_id = :site and seq > :after and seq <= :until
    order by seq
    limit :limit
""")  # noqa: S608 - constants of this file

AUDIT_OF_ALARM = text(f"""
    select {OF_AN_EVENT} from patient_alarm_audit_events where alarm_id = :alarm
""")  # noqa: S608 - constants of this file


class PostgresRecords:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def packet(self, packet: PacketId) -> Received | None:
        async with statement(self._engine) as connection:
            row = (await connection.execute(PACKET, {"packet_id": packet})).mappings().first()
        return None if row is None else received_from(row)

    async def packets_of(
        self, subject: SubjectId, limit: int, before: PacketCursor | None
    ) -> list[Received]:
        start = before or NEWEST
        parameters = {
            "subject": subject,
            "timestamp_ms": start.timestamp_ms,
            "packet_id": start.packet,
            "limit": limit,
        }
        async with statement(self._engine) as connection:
            rows = (await connection.execute(PACKETS_OF, parameters)).mappings()
            return [received_from(row) for row in rows]

    async def assessments_of(self, encounter: EncounterId) -> list[Document]:
        async with statement(self._engine) as connection:
            payloads = await connection.scalars(ASSESSMENTS_OF, {"encounter": encounter})
            return [parse_document(payload) for payload in payloads]

    async def snapshots_of(self, subjects: Sequence[SubjectId]) -> list[Shown | None]:
        ids = [projection_id(subject) for subject in subjects]
        async with statement(self._engine) as connection:
            rows = (await connection.execute(SNAPSHOTS_OF, {"ids": ids})).all()
        found = {subject: _shown(subject, *rest) for subject, *rest in rows}
        return [found.get(subject) for subject in subjects]

    async def subjects_after(
        self, subject: SubjectId, limit: int, site: str | None = None
    ) -> list[SubjectId]:
        parameters = {"after": projection_id(subject), "limit": limit}
        question = SUBJECTS_AFTER
        if site is not None:
            parameters, question = parameters | {"site": site}, SUBJECTS_OF_SITE_AFTER
        async with statement(self._engine) as connection:
            return list(await connection.scalars(question, parameters))

    async def latest(self) -> SubjectId | None:
        async with statement(self._engine) as connection:
            latest: SubjectId | None = await connection.scalar(LATEST)
        return latest


def _shown(
    subject: SubjectId,
    incarnation: int,
    version: int,
    fingerprint: str,
    as_of_ms: int,
    document: str,
) -> Shown:
    text_shown = with_envelope(document, incarnation, version, fingerprint)
    return Shown(subject, incarnation, version, fingerprint, as_of_ms, text_shown)


class PostgresEvidence:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._records = PostgresRecords(engine)

    async def present(self, packets: Sequence[PacketId]) -> set[PacketId]:
        async with statement(self._engine) as connection:
            return set(await connection.scalars(PRESENT, {"ids": list(packets)}))

    async def subjects_after(self, subject: SubjectId, limit: int) -> list[SubjectId]:
        return await self._records.subjects_after(subject, limit)

    async def stored_twice(self) -> int:
        async with statement(self._engine) as connection:
            return int((await connection.execute(STORED_TWICE)).scalar_one())

    async def unpublished(self) -> set[tuple[SubjectId, int]]:
        async with statement(self._engine) as connection:
            return {
                (subject, version) for subject, version in await connection.execute(UNPUBLISHED)
            }

    async def history(self, subject: SubjectId) -> AsyncIterator[Received]:
        before = None
        while page := await self._records.packets_of(subject, PAGE, before):
            for received in page:
                yield received
            before = PacketCursor(page[-1].packet.timestamp_ms, page[-1].packet.id)

    async def audit_heads(self) -> dict[str, Link]:
        async with statement(self._engine) as connection:
            rows = await connection.execute(AUDIT_HEADS)
            return {site: Link(seq, digest) for site, seq, digest in rows}

    async def audit_of_alarm(self, alarm: str) -> list[StoredEvent]:
        async with statement(self._engine) as connection:
            return [
                _event(row) for row in await connection.execute(AUDIT_OF_ALARM, {"alarm": alarm})
            ]

    async def audit_of(self, site: str, until: int = 2**63 - 1) -> AsyncIterator[StoredEvent]:
        after = 0
        while True:
            parameters = {"site": site, "after": after, "until": until, "limit": PAGE}
            async with statement(self._engine) as connection:
                rows = (await connection.execute(AUDIT_OF, parameters)).all()
            for row in rows:
                yield _event(row)
            if len(rows) < PAGE:
                return
            after = rows[-1].seq


def _event(row: Row[Any]) -> StoredEvent:
    record = parse_document(row.payload)
    return StoredEvent(row.seq, row.previous_hash, row.hash, record, row.agrees)
