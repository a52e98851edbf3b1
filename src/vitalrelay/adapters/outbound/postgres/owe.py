"""Owing, in one statement: the next version, born claimed."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from vitalrelay.adapters.outbound.postgres.recent import RecentSnapshots
from vitalrelay.domain.chart import Chart
from vitalrelay.domain.document import document_of
from vitalrelay.domain.fingerprint import canonical_json, fingerprint
from vitalrelay.domain.projection import Claim, Lease, projection_id

# The rows are ours already, locked in id order. A patient who is still owed an older version
# has been waiting since then.
OWE = text("""
    update patient_monitoring_snapshot_projections p
    set payload = wanted.document::jsonb,
        payload_fingerprint = wanted.fingerprint,
        version = wanted.version,
        incarnation = state.incarnation,
        urgency = wanted.urgency,
        status = 'pending',
        pending_since = coalesce(p.pending_since, clock_timestamp()),
        attempt_count = 1,
        last_error = '',
        lease_token = :lease,
        due_at = clock_timestamp() + cast(:lease_for as interval),
        updated_at = now()
    from unnest(
        cast(:ids as text[]), cast(:versions as bigint[]), cast(:fingerprints as text[]),
        cast(:documents as text[]), cast(:urgencies as smallint[])
    ) as wanted(projection_id, version, fingerprint, document, urgency),
    relay_state state
    where p.projection_id = wanted.projection_id
    returning p.demo_subject_id, p.incarnation
""")


async def owe(
    connection: AsyncConnection,
    wanted: Sequence[Chart],
    lease_for: timedelta,
    recent: RecentSnapshots,
) -> list[Claim]:
    if not wanted:
        return []
    lease = Lease(uuid4())
    snapshots = [chart.snapshot for chart in wanted]
    documents = [canonical_json(document_of(snapshot)) for snapshot in snapshots]
    fingerprints = [fingerprint(document) for document in documents]
    recent.remember(fingerprints, snapshots)
    parameters = {
        "ids": [projection_id(snapshot.subject) for snapshot in snapshots],
        "versions": [snapshot.version for snapshot in snapshots],
        "fingerprints": fingerprints,
        "documents": documents,
        "urgencies": [snapshot.urgency for snapshot in snapshots],
        "lease": lease,
        "lease_for": lease_for,
    }
    rows = await connection.execute(OWE, parameters)
    incarnations: dict[str, int] = dict(rows.all())
    return [
        Claim(
            subject=snapshot.subject,
            incarnation=incarnations[snapshot.subject],
            version=snapshot.version,
            fingerprint=of_document,
            document=document,
            attempt=1,
            lease=lease,
        )
        for snapshot, document, of_document in zip(snapshots, documents, fingerprints, strict=True)
    ]
