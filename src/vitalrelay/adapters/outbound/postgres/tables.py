"""The only declaration of tables; the migrations are held against it by a test."""

from collections.abc import Iterable

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Connection,
    DateTime,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    event,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from vitalrelay.adapters.outbound.postgres.append_only import APPEND_ONLY

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
    }
)

# Ids are compared as code points everywhere: in ties, in cursors, and in the order of locks.
ID = Text(collation="C")
MOMENT = DateTime(timezone=True)


def created_at() -> Column[object]:
    return Column("created_at", MOMENT, nullable=False, server_default=func.now())


def updated_at() -> Column[object]:
    return Column("updated_at", MOMENT, nullable=False, server_default=func.now())


packets = Table(
    "patient_signal_packets",
    metadata,
    Column("packet_id", ID, primary_key=True),
    Column("site_id", ID, nullable=False),
    Column("device_id", ID, nullable=False),
    Column("demo_subject_id", ID, nullable=False),
    Column("encounter_id", ID, nullable=False),
    Column("timestamp_ms", BigInteger, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("content_fingerprint", Text, nullable=False),
    Column("clock_suspect", Boolean, nullable=False),
    Column("received_at", MOMENT, nullable=False),
    created_at(),
    updated_at(),
    Index("patient_signal_packets_subject_time_idx", "demo_subject_id", text("timestamp_ms DESC")),
)

assessments = Table(
    "patient_risk_assessments",
    metadata,
    Column("assessment_key", ID, primary_key=True),
    Column("encounter_id", ID, nullable=False),
    Column("demo_subject_id", ID, nullable=False),
    Column("model_name", Text, nullable=False),
    Column("model_version", Text, nullable=False),
    Column("horizon", Text, nullable=False),
    Column("risk_level", Text, nullable=False),
    Column("clinician_review_required", Boolean, nullable=False),
    Column("score", Integer),
    Column("completeness", Text, nullable=False),
    Column("packet_id", ID, nullable=False),
    Column("assessed_at", MOMENT, nullable=False),
    Column("payload", JSONB, nullable=False),
    created_at(),
    updated_at(),
    CheckConstraint(
        "risk_level in ('high', 'medium', 'low-medium', 'low', 'unknown')", name="risk_level"
    ),
    CheckConstraint("completeness in ('complete', 'partial', 'unknown')", name="completeness"),
    Index("patient_risk_assessments_encounter_idx", "encounter_id", text("updated_at DESC")),
)

# The words do not sort by themselves.
URGENCY = """
    case priority when 'high' then 4 when 'medium' then 3 when 'low-medium' then 2 else 0 end
"""
MOST_URGENT_FIRST = (text("urgency DESC"), text("last_updated_ms DESC"), text("review_item_id"))
IS_OPEN = text("state = 'open'")

review_queue = Table(
    "patient_review_queue",
    metadata,
    Column("review_item_id", ID, primary_key=True),
    Column("demo_subject_id", ID, nullable=False),
    Column("encounter_id", ID, nullable=False),
    Column("site_id", ID, nullable=False),
    Column("priority", Text, nullable=False),
    Column("last_updated_ms", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("resolved_by", Text),
    Column("payload", JSONB, nullable=False),
    created_at(),
    updated_at(),
    Column("urgency", SmallInteger, Computed(URGENCY, persisted=True), nullable=False),
    CheckConstraint("state in ('open', 'resolved', 'closed')", name="state"),
    Index("patient_review_queue_priority_time_idx", "priority", text("last_updated_ms DESC")),
    Index("patient_review_queue_open_idx", *MOST_URGENT_FIRST, postgresql_where=IS_OPEN),
    Index(
        "patient_review_queue_open_site_idx",
        "site_id",
        *MOST_URGENT_FIRST,
        postgresql_where=IS_OPEN,
    ),
)

audit_events = Table(
    "patient_alarm_audit_events",
    metadata,
    Column("event_id", ID, primary_key=True),
    Column("alarm_id", ID, nullable=False),
    Column("demo_subject_id", ID, nullable=False),
    Column("site_id", ID, nullable=False),
    Column("action", Text, nullable=False),
    Column("actor_ref", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("occurred_at_ms", BigInteger, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    created_at(),
    UniqueConstraint("site_id", "seq"),
    Index("patient_alarm_audit_events_alarm_time_idx", "alarm_id", text("occurred_at_ms DESC")),
)

audit_chains = Table(
    "patient_alarm_audit_chains",
    metadata,
    Column("site_id", ID, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
)

projections = Table(
    "patient_monitoring_snapshot_projections",
    metadata,
    Column("projection_id", ID, primary_key=True),
    Column("demo_subject_id", ID, nullable=False),
    Column("snapshot_key", Text, nullable=False),
    Column("latest_key", Text, nullable=False),
    Column("payload_fingerprint", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempt_count", Integer, nullable=False),
    Column("last_error", Text, nullable=False, server_default=""),
    Column("incarnation", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("published_version", BigInteger),
    Column("due_at", MOMENT),
    Column("lease_token", UUID),
    Column("urgency", SmallInteger, nullable=False),
    Column("pending_since", MOMENT),
    Column("published_at", MOMENT),
    created_at(),
    updated_at(),
    Column("heard_at", MOMENT),
    Column("cadence_ms", BigInteger),
    Column("look_at", MOMENT),
    Column("relay_at", MOMENT),
    CheckConstraint("status in ('pending', 'published', 'failed')", name="status"),
    CheckConstraint("(status = 'published') = (pending_since is null)", name="owed"),
    CheckConstraint(
        "coalesce("
        "relay_at <= due_at, due_at is null and (status = 'published' or relay_at is not null))",
        name="relay",
    ),
    # All that is owed and what was lately: claims read it from the most urgent end. Like the next
    # one it is written when its date comes closer; everything else about a row is in no index, so
    # that its next state fits beside it on the page and leaves nothing behind for vacuum.
    Index(
        "patient_monitoring_snapshot_projections_relay_idx",
        text("urgency DESC"),
        "relay_at",
        postgresql_where=text("relay_at is not null"),
    ),
    # Whom time concerns.
    Index(
        "patient_monitoring_snapshot_projections_look_idx",
        "look_at",
        postgresql_where=text("look_at is not null"),
    ),
    # A row is rewritten with every version, and what it was may still be seen by somebody: so each
    # has a page to itself, with room for several, and vacuum comes before all of it is dead.
    postgresql_with={
        "fillfactor": 10,
        "autovacuum_vacuum_scale_factor": 0.02,
        "autovacuum_vacuum_cost_delay": 0,
    },
)

action_keys = Table(
    "patient_action_keys",
    metadata,
    Column("action_key", ID, primary_key=True),
    Column("request_fingerprint", Text, nullable=False),
    Column("answer", Text),
    Column("created_at", MOMENT, nullable=False, server_default=func.now()),
    Index("patient_action_keys_created_idx", "created_at"),
)

relay_state = Table(
    "relay_state",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False, server_default=text("1")),
    Column("incarnation", BigInteger, nullable=False, server_default=text("1")),
    Column("sentinel", BigInteger, nullable=False, server_default=text("0")),
    Column("last_sweep_at", MOMENT),
    CheckConstraint("id = 1", name="one_row"),
)


def run_after(table: Table, *statements: str) -> None:
    """What a table cannot say of itself, for whoever creates it without the migrations."""

    @event.listens_for(table, "after_create")
    def run(_target: object, connection: Connection, **_: object) -> None:
        for statement in statements:
            connection.execute(text(statement))


def set_on_columns(table: Table, what: str, columns: Iterable[str]) -> None:
    changes = ", ".join(f"alter {column} set {what}" for column in columns)
    run_after(table, f"alter table {table.name} {changes}")


run_after(relay_state, "insert into relay_state (id) values (1) on conflict (id) do nothing")
run_after(audit_events, *APPEND_ONLY)
for table in (packets, assessments, review_queue, audit_events, projections):
    set_on_columns(table, "statistics 0", ["payload"])
# While ANALYZE samples one table, no row that is replaced in another can be cleared away. A tenth
# of the usual sample takes it a tenth of the time, and is enough for what is planned here.
for table in (packets, assessments, projections):
    known = [column.name for column in table.columns if column.name not in ("payload", "relay_at")]
    set_on_columns(table, "statistics 10", known)
set_on_columns(projections, "statistics 0", ["relay_at"])
# Compressed where it is, and moved elsewhere only if a page cannot hold it.
texts = [column.name for column in projections.columns if isinstance(column.type, Text | JSONB)]
set_on_columns(projections, "storage main", texts)
