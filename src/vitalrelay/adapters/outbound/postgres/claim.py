"""
Claiming, in one statement.

A lease is a due date in the future: what is never settled falls due again by itself, without a
reaper or an "in progress" status. What is published or given up has no due date at all.

Rows are found by ``relay_at``, which is never later than the due date and is left where it is while
a row is owed, published and owed again. So some that are found are not due: they are put off until
they are, and forgotten where they are published.
"""

from datetime import timedelta
from uuid import uuid4

from asyncpg import Record
from sqlalchemy import text

from vitalrelay.adapters.outbound.postgres.driver import Statements
from vitalrelay.domain.projection import Claim, Lease

# relay_at <= now(), not clock_timestamp(): what is volatile cannot be an index condition.
CLAIM_DUE = text("""
    update patient_monitoring_snapshot_projections p
    set relay_at = case
            when p.due_at <= now() then lease.lapses_at
            when p.status <> 'published' then coalesce(p.due_at, 'infinity')
        end,
        due_at = case when p.due_at <= now() then lease.lapses_at else p.due_at end,
        lease_token = case when p.due_at <= now() then :lease else p.lease_token end,
        attempt_count = attempt_count + case when p.due_at <= now() then 1 else 0 end
    from (select clock_timestamp() + cast(:lease_for as interval) as lapses_at) lease
    where p.projection_id = any(array(
        select projection_id
        from patient_monitoring_snapshot_projections
        where relay_at <= now()
        order by urgency desc, relay_at
        limit :batch_size
        for update skip locked
    ))
    returning p.lease_token = :lease as claimed, p.demo_subject_id as subject, p.incarnation,
        p.version, p.payload_fingerprint as fingerprint, p.attempt_count as attempt,
        case when p.lease_token = :lease then p.payload::text end as document
""")


async def claim_due(statements: Statements, limit: int, lease_for: timedelta) -> list[Claim]:
    """Until there is something due, or nothing more to be found."""
    lease = Lease(uuid4())
    parameters = {"batch_size": limit, "lease_for": lease_for, "lease": lease}
    while True:
        found = await statements.fetch(CLAIM_DUE, parameters)
        claims = [_claim(lease, row) for row in found if row["claimed"]]
        if claims or len(found) < limit:
            return claims


def _claim(lease: Lease, row: Record) -> Claim:
    _claimed, subject, incarnation, version, fingerprint, attempt, document = row
    return Claim(
        subject=subject,
        incarnation=incarnation,
        version=version,
        fingerprint=fingerprint,
        document=document,
        attempt=attempt,
        lease=lease,
    )
