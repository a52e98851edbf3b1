"""Owing, in one statement: the next version, born claimed."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import text

from vitalrelay.adapters.outbound.postgres.begin import Transaction
from vitalrelay.adapters.outbound.postgres.recent import RecentSnapshots
from vitalrelay.domain.alarms import AlarmPolicy
from vitalrelay.domain.chart import Chart
from vitalrelay.domain.document import document_of
from vitalrelay.domain.fingerprint import canonical_json, fingerprint
from vitalrelay.domain.projection import Claim, Lease, projection_id
from vitalrelay.domain.watch import look_at_ms

# The rows are ours already, locked in id order. A patient who is still owed an older version
# has been waiting since then. An earlier date to look again stays: what is looked at too soon is
# looked at once more, and the index is spared a change with every packet.
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
        heard_at = to_timestamp(wanted.heard_ms / 1000.0),
        cadence_ms = wanted.cadence_ms,
        look_at = case
            when p.look_at > now() and p.look_at <= to_timestamp(wanted.look_ms / 1000.0)
            then p.look_at
            else to_timestamp(wanted.look_ms / 1000.0)
        end,
        updated_at = now()
    from unnest(
        cast(:ids as text[]), cast(:versions as bigint[]), cast(:fingerprints as text[]),
        cast(:documents as text[]), cast(:urgencies as smallint[]), cast(:heard as bigint[]),
        cast(:cadences as bigint[]), cast(:looks as bigint[])
    ) as wanted(projection_id, version, fingerprint, document, urgency, heard_ms, cadence_ms,
        look_ms),
    relay_state state
    where p.projection_id = wanted.projection_id
    returning p.demo_subject_id, p.incarnation
""")


async def owe(
    transaction: Transaction,
    wanted: Sequence[Chart],
    lease_for: timedelta,
    recent: RecentSnapshots,
    policy: AlarmPolicy,
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
        "heard": [chart.hearing.heard_ms for chart in wanted],
        "cadences": [chart.hearing.cadence_ms for chart in wanted],
        "looks": [look_at_ms(chart, policy) for chart in wanted],
        "lease": lease,
        "lease_for": lease_for,
    }
    rows = await transaction.fetch(OWE, parameters)
    incarnations: dict[str, int] = dict(rows)
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
