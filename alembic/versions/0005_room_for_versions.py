"""Documents compressed, and each row on a page of its own: its next states find room beside it."""

from alembic import op

revision = "0005_room_for_versions"
down_revision = "0004_updates_stay_on_their_page"
branch_labels = None
depends_on = None

TABLE = "patient_monitoring_snapshot_projections"

# All of them: what may be moved out of the row is moved before the document is compressed.
COLUMNS = (
    "projection_id",
    "demo_subject_id",
    "snapshot_key",
    "latest_key",
    "payload_fingerprint",
    "payload",
    "status",
    "last_error",
)


def store(how: str) -> None:
    changes = ", ".join(f"alter {column} set storage {how}" for column in COLUMNS)
    op.execute(f"alter table {TABLE} {changes}")


def upgrade() -> None:
    store("main")
    op.execute(f"alter table {TABLE} reset (toast_tuple_target)")
    op.execute(f"alter table {TABLE} set (fillfactor = 10)")


def downgrade() -> None:
    op.execute(f"alter table {TABLE} set (fillfactor = 50, toast_tuple_target = 8160)")
    store("extended")
