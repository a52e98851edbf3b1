"""One alarm's records, newest first, along its index."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from vitalrelay.adapters.outbound.postgres.connection import statement
from vitalrelay.domain.chain_check import StoredEvent
from vitalrelay.domain.document import parse_document
from vitalrelay.ports.audit_trail import AuditPlace

NEWEST = AuditPlace(2**63 - 1, 0)

OF_ONE = text("""
    select seq, previous_hash, hash, payload::text as payload
    from patient_alarm_audit_events
    where alarm_id = :about and occurred_at_ms <= :occurred_ms
        and (occurred_at_ms, seq) < (:occurred_ms, :seq)
    order by occurred_at_ms desc, seq desc
    limit :limit
""")


class PostgresAuditTrail:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def of(self, about: str, limit: int, before: AuditPlace | None) -> Sequence[StoredEvent]:
        start = before or NEWEST
        parameters = {
            "about": about,
            "occurred_ms": start.occurred_ms,
            "seq": start.seq,
            "limit": limit,
        }
        async with statement(self._engine) as connection:
            rows = (await connection.execute(OF_ONE, parameters)).all()
        return [
            StoredEvent(row.seq, row.previous_hash, row.hash, parse_document(row.payload))
            for row in rows
        ]
