"""
Claiming, in one statement.

A lease is a due date in the future: what is never settled falls due again by itself, without a
reaper or an "in progress" status. What is published or given up has no due date at all.
"""

from datetime import timedelta
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from vitalrelay.domain.projection import Claim, Lease

# due_at <= now(), not clock_timestamp(): what is volatile cannot be an index condition.
CLAIM_DUE = text("""
    update patient_monitoring_snapshot_projections p
    set due_at = clock_timestamp() + cast(:lease_for as interval),
        lease_token = :lease,
        attempt_count = attempt_count + 1
    where p.projection_id = any(array(
        select projection_id
        from patient_monitoring_snapshot_projections
        where status <> 'published' and due_at <= now()
        order by urgency desc, due_at
        limit :batch_size
        for update skip locked
    ))
    returning p.demo_subject_id as subject, p.incarnation, p.version,
        p.payload_fingerprint as fingerprint, p.payload::text as document,
        p.attempt_count as attempt
""")


async def claim_due(connection: AsyncConnection, limit: int, lease_for: timedelta) -> list[Claim]:
    lease = Lease(uuid4())
    parameters = {"batch_size": limit, "lease_for": lease_for, "lease": lease}
    rows = await connection.execute(CLAIM_DUE, parameters)
    return [Claim(lease=lease, **row) for row in rows.mappings()]
