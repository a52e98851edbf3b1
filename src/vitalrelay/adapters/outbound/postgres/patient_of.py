"""Whose alarm or review item an id names: what was ever raised is in the audit trail."""

from sqlalchemy import text

from vitalrelay.adapters.outbound.postgres.driver import Transaction
from vitalrelay.domain.packet import SubjectId

PATIENT_OF = text("""
    (select demo_subject_id from patient_alarm_audit_events where alarm_id = :about limit 1)
    union all
    (select demo_subject_id from patient_review_queue where review_item_id = :about)
    limit 1
""")


async def patient_of(transaction: Transaction, about: str) -> SubjectId | None:
    rows = await transaction.fetch(PATIENT_OF, {"about": about})
    return SubjectId(rows[0][0]) if rows else None
