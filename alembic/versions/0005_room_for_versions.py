"""A row's next states find room beside it, and are not seen for longer than need be.

Documents are compressed, each row begins on a page of its own, and ANALYZE, during which nothing
can be cleared away, takes a tenth of the time."""

from collections.abc import Iterable

from alembic import op

revision = "0005_room_for_versions"
down_revision = "0004_updates_stay_on_their_page"
branch_labels = None
depends_on = None

PACKETS, ASSESSMENTS, PROJECTIONS = (
    "patient_signal_packets",
    "patient_risk_assessments",
    "patient_monitoring_snapshot_projections",
)

# All of them: what may be moved out of the row is moved before the document is compressed.
TEXTS = (
    "projection_id",
    "demo_subject_id",
    "snapshot_key",
    "latest_key",
    "payload_fingerprint",
    "payload",
    "status",
    "last_error",
)
SAMPLED = {
    PACKETS: (
        *("packet_id", "site_id", "device_id", "demo_subject_id", "encounter_id", "timestamp_ms"),
        *("content_fingerprint", "clock_suspect", "received_at", "created_at", "updated_at"),
    ),
    ASSESSMENTS: (
        *("assessment_key", "encounter_id", "demo_subject_id", "model_name", "model_version"),
        *("horizon", "risk_level", "clinician_review_required", "score", "completeness"),
        *("packet_id", "assessed_at", "created_at", "updated_at"),
    ),
    PROJECTIONS: (
        *("projection_id", "demo_subject_id", "snapshot_key", "latest_key"),
        *("payload_fingerprint", "status", "attempt_count", "last_error", "incarnation"),
        *("version", "published_version", "due_at", "lease_token", "urgency", "pending_since"),
        *("published_at", "created_at", "updated_at", "heard_at", "cadence_ms", "look_at"),
    ),
}


def set_on_columns(table: str, what: str, columns: Iterable[str]) -> None:
    changes = ", ".join(f"alter {column} set {what}" for column in columns)
    op.execute(f"alter table {table} {changes}")


def upgrade() -> None:
    set_on_columns(PROJECTIONS, "storage main", TEXTS)
    op.execute(f"alter table {PROJECTIONS} reset (toast_tuple_target)")
    op.execute(f"alter table {PROJECTIONS} set (fillfactor = 10)")
    for table, columns in SAMPLED.items():
        set_on_columns(table, "statistics 10", columns)


def downgrade() -> None:
    for table, columns in SAMPLED.items():
        set_on_columns(table, "statistics -1", columns)
    op.execute(f"alter table {PROJECTIONS} set (fillfactor = 50, toast_tuple_target = 8160)")
    set_on_columns(PROJECTIONS, "storage extended", TEXTS)
