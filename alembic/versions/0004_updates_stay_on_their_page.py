"""What the relay finds work by is written when it comes closer, and not with every version: so the
row's other changes stay on their page, and in no index."""

from alembic import op

revision = "0004_updates_stay_on_their_page"
down_revision = "0003_payloads_without_statistics"
branch_labels = None
depends_on = None

UPGRADE = (
    "alter table patient_monitoring_snapshot_projections add relay_at timestamptz",
    """
    update patient_monitoring_snapshot_projections
    set relay_at = coalesce(due_at, 'infinity')
    where status <> 'published'
    """,
    """
    alter table patient_monitoring_snapshot_projections
        add constraint patient_monitoring_snapshot_projections_relay_check
            check (coalesce(
                relay_at <= due_at,
                due_at is null and (status = 'published' or relay_at is not null)
            ))
    """,
    """
    create index patient_monitoring_snapshot_projections_relay_idx
        on patient_monitoring_snapshot_projections (urgency desc, relay_at)
        where relay_at is not null
    """,
    # However many are due by the last statistics, after an outage it is everybody.
    "alter table patient_monitoring_snapshot_projections alter relay_at set statistics 0",
    "drop index patient_monitoring_snapshot_projections_owed_idx",
)

DOWNGRADE = (
    """
    create index patient_monitoring_snapshot_projections_owed_idx
        on patient_monitoring_snapshot_projections (urgency desc, due_at)
        where status <> 'published'
    """,
    "drop index patient_monitoring_snapshot_projections_relay_idx",
    "alter table patient_monitoring_snapshot_projections"
    " drop constraint patient_monitoring_snapshot_projections_relay_check",
    "alter table patient_monitoring_snapshot_projections drop relay_at",
)


def upgrade() -> None:
    for statement in UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWNGRADE:
        op.execute(statement)
