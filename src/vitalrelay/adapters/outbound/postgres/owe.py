"""Owing, in one statement: the next version, born claimed."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import text

from vitalrelay.adapters.outbound.postgres.driver import Transaction
from vitalrelay.adapters.outbound.postgres.recent import RecentSnapshots
from vitalrelay.domain.alarms import AlarmPolicy
from vitalrelay.domain.chart import Chart
from vitalrelay.domain.document import document_of
from vitalrelay.domain.fingerprint import canonical_json, fingerprint
from vitalrelay.domain.projection import Claim, Lease, projection_id
from vitalrelay.domain.watch import look_at_ms

# The rows are ours already, locked in id order. A patient who is still owed an older version
# has been waiting since then. An earlier date to look again stays, for the relay and for time: what
# is looked at too soon is looked at once more, and no index changes with every packet.
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
        due_at = lease.lapses_at,
        relay_at = least(p.relay_at, lease.lapses_at),
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
    relay_state state,
    (select clock_timestamp() + cast(:lease_for as interval) as lapses_at) lease
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
    documents = [canonical_json(document_of(chart.snapshot)) for chart in wanted]
    fingerprints = [fingerprint(document) for document in documents]
    recent.remember(fingerprints, [chart.snapshot for chart in wanted])
    lease = Lease(uuid4())
    parameters = {
        **_columns(wanted, policy),
        "fingerprints": fingerprints,
        "documents": documents,
        "lease": lease,
        "lease_for": lease_for,
    }
    incarnations: dict[str, int] = dict(await transaction.fetch(OWE, parameters))
    return [
        Claim(
            subject=chart.subject,
            incarnation=incarnations[chart.subject],
            version=chart.snapshot.version,
            fingerprint=of_document,
            document=document,
            attempt=1,
            lease=lease,
        )
        for chart, document, of_document in zip(wanted, documents, fingerprints, strict=True)
    ]


def _columns(wanted: Sequence[Chart], policy: AlarmPolicy) -> Mapping[str, object]:
    return {
        "ids": [projection_id(chart.subject) for chart in wanted],
        "versions": [chart.snapshot.version for chart in wanted],
        "urgencies": [chart.snapshot.urgency for chart in wanted],
        "heard": [chart.hearing.heard_ms for chart in wanted],
        "cadences": [chart.hearing.cadence_ms for chart in wanted],
        "looks": [look_at_ms(chart, policy) for chart in wanted],
    }
