"""
Recording, in one statement, and a second one only where packets were there before.

The unique key decides what is new: an insert waits for whoever inserts the same packet, and
afterwards the second statement, with a snapshot of its own, sees what that one committed. The
row of a new patient is made here, before any row is locked: so whoever locks rows finds all of
them there, and locking in id order is enough to keep two units from waiting both ways.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asyncpg import Record
from sqlalchemy import text

from vitalrelay.adapters.outbound.postgres.driver import Transaction
from vitalrelay.domain.document import assessment_from, parse_document
from vitalrelay.domain.fingerprint import canonical_json, fingerprint
from vitalrelay.domain.packet import (
    CLOCK_NEVER_SET_MS,
    CLOCK_TOLERANCE_MS,
    Packet,
    PacketId,
    Received,
)
from vitalrelay.domain.receipt import Conflict, Duplicate, New, Recorded, Standing

# Receipts are told in milliseconds, so no more is kept: what is recomputed later clamps alike.
RECORD = text("""
    with kept as (
        insert into patient_signal_packets (
            packet_id, site_id, device_id, demo_subject_id, encounter_id, timestamp_ms,
            payload, content_fingerprint, clock_suspect, received_at
        )
        select packet_id, site_id, device_id, subject_id, encounter_id, timestamp_ms,
            payload::jsonb, fingerprint,
            newest_ms > receipt.at_ms + :tolerance_ms or oldest_ms < :never_set_ms,
            receipt.at
        from unnest(
            cast(:packet_ids as text[]), cast(:sites as text[]), cast(:devices as text[]),
            cast(:subjects as text[]), cast(:encounters as text[]),
            cast(:timestamps as bigint[]), cast(:payloads as text[]),
            cast(:fingerprints as text[]), cast(:newest as bigint[]), cast(:oldest as bigint[])
        ) as sent(packet_id, site_id, device_id, subject_id, encounter_id, timestamp_ms,
            payload, fingerprint, newest_ms, oldest_ms),
        lateral (
            select date_trunc('milliseconds', now()) as at,
                floor(extract(epoch from now()) * 1000)::bigint as at_ms
        ) receipt
        order by packet_id
        on conflict (packet_id) do nothing
        returning packet_id, demo_subject_id, received_at
    ), made as (
        insert into patient_monitoring_snapshot_projections (
            projection_id, demo_subject_id, snapshot_key, latest_key, payload_fingerprint, payload,
            status, attempt_count, incarnation, version, urgency, pending_since, relay_at
        )
        select distinct 'monitoring-snapshot:' || demo_subject_id, demo_subject_id,
            :documents || demo_subject_id, :latest, '', '{}'::jsonb,
            'pending', 0, 0, 0, 0, now(), 'infinity'::timestamptz
        from kept
        where not exists (
            select from patient_monitoring_snapshot_projections known
            where known.projection_id = 'monitoring-snapshot:' || kept.demo_subject_id
        )
        order by 1
        on conflict (projection_id) do nothing
    )
    select packet_id, floor(extract(epoch from received_at) * 1000)::bigint as received_ms
    from kept
""")

STORED_BEFORE = text("""
    select p.packet_id, p.content_fingerprint, p.clock_suspect,
        floor(extract(epoch from p.received_at) * 1000)::bigint as received_ms,
        j.version, j.payload_fingerprint, (j.payload -> 'assessment')::text as assessment
    from patient_signal_packets p
    join patient_monitoring_snapshot_projections j
        on j.projection_id = 'monitoring-snapshot:' || p.demo_subject_id
    where p.packet_id = any(cast(:packet_ids as text[]))
""")


@dataclass(frozen=True, slots=True)
class Names:
    """What the rows tell of Redis, for whoever reads them with psql."""

    documents: str
    latest: str


@dataclass(frozen=True, slots=True)
class Sent:
    packet: Packet
    payload: str
    fingerprint: str


async def record(
    transaction: Transaction, packets: Sequence[Packet], names: Names
) -> list[Recorded]:
    sent = [_sent(packet) for packet in packets]
    first: dict[PacketId, Sent] = {}
    for one in sent:
        first.setdefault(one.packet.id, one)
    rows = await transaction.fetch(RECORD, _parameters(list(first.values()), names))
    kept: dict[str, int] = dict(rows)
    before = await _stored_before(transaction, [name for name in first if name not in kept])
    return [_answer(one, first, kept, before) for one in sent]


def _sent(packet: Packet) -> Sent:
    payload = canonical_json(packet.content())
    return Sent(packet, payload, fingerprint(payload))


def _parameters(sent: Sequence[Sent], names: Names) -> Mapping[str, object]:
    packets = [one.packet for one in sent]
    return {
        "packet_ids": [packet.id for packet in packets],
        "sites": [packet.site for packet in packets],
        "devices": [packet.device for packet in packets],
        "subjects": [packet.subject for packet in packets],
        "encounters": [packet.encounter for packet in packets],
        "timestamps": [packet.timestamp_ms for packet in packets],
        "payloads": [one.payload for one in sent],
        "fingerprints": [one.fingerprint for one in sent],
        "newest": [packet.newest_ms for packet in packets],
        "oldest": [packet.oldest_ms for packet in packets],
        "tolerance_ms": CLOCK_TOLERANCE_MS,
        "never_set_ms": CLOCK_NEVER_SET_MS,
        "documents": names.documents,
        "latest": names.latest,
    }


async def _stored_before(transaction: Transaction, packet_ids: Sequence[str]) -> dict[str, Record]:
    if not packet_ids:
        return {}
    rows = await transaction.fetch(STORED_BEFORE, {"packet_ids": packet_ids})
    return {row["packet_id"]: row for row in rows}


def _answer(
    sent: Sent,
    first: Mapping[PacketId, Sent],
    kept: Mapping[str, int],
    before: Mapping[str, Record],
) -> Recorded:
    packet_id = sent.packet.id
    if packet_id in before:
        row = before[packet_id]
        if row["content_fingerprint"] != sent.fingerprint:
            return Conflict()
        return Duplicate(row["received_ms"], row["clock_suspect"], _standing(row))
    received = Received(first[packet_id].packet, kept[packet_id])
    if sent is first[packet_id]:
        return New(received)
    if sent.fingerprint != first[packet_id].fingerprint:
        return Conflict()
    return Duplicate(received.at_ms, received.clock_suspect, None)


def _standing(row: Record) -> Standing:
    assessment = assessment_from(parse_document(row["assessment"]))
    return Standing(row["version"], row["payload_fingerprint"], assessment)
