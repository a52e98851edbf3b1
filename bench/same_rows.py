"""
The rows of a packet without our code: what PostgreSQL can do with them.

A packet, its assessment, the patient's wanted snapshot: the columns, sizes and indexes of ours, and
the documents of a real packet, taken from a run of our own. No HTTP, no domain, no Redis.
"""

from dataclasses import dataclass

import asyncpg

TAKE = """
    select
        (select payload::text from patient_signal_packets limit 1) as packet,
        (select payload::text from patient_risk_assessments limit 1) as assessment,
        (select payload::text from patient_monitoring_snapshot_projections limit 1) as snapshot
"""
FINGERPRINT = "sha256:" + "0" * 64


@dataclass(frozen=True, slots=True)
class Documents:
    packet: str
    assessment: str
    snapshot: str


async def taken_from(database_url: str) -> Documents:
    """Of a database that has had a packet."""
    connection = await asyncpg.connect(database_url)
    try:
        row = await connection.fetchrow(TAKE)
    finally:
        await connection.close()
    return Documents(row["packet"], row["assessment"], row["snapshot"])


PACKETS = """
    insert into patient_signal_packets (
        packet_id, site_id, device_id, demo_subject_id, encounter_id, timestamp_ms,
        payload, content_fingerprint, clock_suspect, received_at
    )
    {packets}
    on conflict (packet_id) do nothing
"""

ASSESSMENTS = """
    insert into patient_risk_assessments as known (
        assessment_key, encounter_id, demo_subject_id, model_name, model_version, horizon,
        risk_level, clinician_review_required, score, completeness, packet_id, assessed_at, payload
    )
    {assessments}
    on conflict (assessment_key) do update
    set risk_level = excluded.risk_level, score = excluded.score,
        completeness = excluded.completeness, packet_id = excluded.packet_id,
        assessed_at = excluded.assessed_at, payload = excluded.payload, updated_at = now()
"""

SNAPSHOTS = """
    insert into patient_monitoring_snapshot_projections as known (
        projection_id, demo_subject_id, snapshot_key, latest_key, payload_fingerprint, payload,
        status, attempt_count, incarnation, version, urgency, pending_since, due_at,
        relay_at
    )
    {snapshots}
    on conflict (projection_id) do update
    set payload = excluded.payload, payload_fingerprint = excluded.payload_fingerprint,
        version = known.version + 1, status = 'pending', pending_since = now(),
        due_at = excluded.due_at, relay_at = least(known.relay_at, excluded.relay_at),
        updated_at = now()
"""
