"""No statistics of documents: nothing is planned by them, and reads would wait for them."""

from alembic import op

revision = "0003_payloads_without_statistics"
down_revision = "0002_actions_and_silence"
branch_labels = None
depends_on = None

TABLES = (
    "patient_signal_packets",
    "patient_risk_assessments",
    "patient_review_queue",
    "patient_alarm_audit_events",
    "patient_monitoring_snapshot_projections",
)


def upgrade() -> None:
    for table in TABLES:
        op.execute(f"alter table {table} alter payload set statistics 0")


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"alter table {table} alter payload set statistics -1")
