"""The five tables of the storage reference, what the design adds to them, and the relay's state."""

from alembic import op

revision = "0001_patient_risk_baseline"
down_revision = None
branch_labels = None
depends_on = None

UPGRADE = (
    """
    create table patient_signal_packets (
        packet_id text collate "C" primary key,
        site_id text collate "C" not null,
        device_id text collate "C" not null,
        demo_subject_id text collate "C" not null,
        encounter_id text collate "C" not null,
        timestamp_ms bigint not null,
        payload jsonb not null,
        content_fingerprint text not null,
        clock_suspect boolean not null,
        received_at timestamptz not null,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now()
    )
    """,
    """
    create index patient_signal_packets_subject_time_idx
        on patient_signal_packets (demo_subject_id, timestamp_ms desc)
    """,
    """
    create table patient_risk_assessments (
        assessment_key text collate "C" primary key,
        encounter_id text collate "C" not null,
        demo_subject_id text collate "C" not null,
        model_name text not null,
        model_version text not null,
        horizon text not null,
        risk_level text not null,
        clinician_review_required boolean not null,
        score integer,
        completeness text not null,
        packet_id text collate "C" not null,
        assessed_at timestamptz not null,
        payload jsonb not null,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint patient_risk_assessments_risk_level_check
            check (risk_level in ('high', 'medium', 'low-medium', 'low', 'unknown')),
        constraint patient_risk_assessments_completeness_check
            check (completeness in ('complete', 'partial', 'unknown'))
    )
    """,
    """
    create index patient_risk_assessments_encounter_idx
        on patient_risk_assessments (encounter_id, updated_at desc)
    """,
    """
    create table patient_review_queue (
        review_item_id text collate "C" primary key,
        demo_subject_id text collate "C" not null,
        encounter_id text collate "C" not null,
        site_id text collate "C" not null,
        priority text not null,
        last_updated_ms bigint not null,
        state text not null,
        resolved_by text,
        payload jsonb not null,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint patient_review_queue_state_check
            check (state in ('open', 'resolved', 'closed'))
    )
    """,
    """
    create index patient_review_queue_priority_time_idx
        on patient_review_queue (priority, last_updated_ms desc)
    """,
    """
    create table patient_alarm_audit_events (
        event_id text collate "C" primary key,
        alarm_id text collate "C" not null,
        demo_subject_id text collate "C" not null,
        site_id text collate "C" not null,
        action text not null,
        actor_ref text not null,
        reason text not null,
        occurred_at_ms bigint not null,
        payload jsonb not null,
        seq bigint not null,
        previous_hash text not null,
        hash text not null,
        created_at timestamptz not null default now(),
        constraint patient_alarm_audit_events_site_id_seq_key unique (site_id, seq)
    )
    """,
    """
    create index patient_alarm_audit_events_alarm_time_idx
        on patient_alarm_audit_events (alarm_id, occurred_at_ms desc)
    """,
    """
    create table patient_alarm_audit_chains (
        site_id text collate "C" primary key,
        seq bigint not null,
        hash text not null
    )
    """,
    """
    create table patient_monitoring_snapshot_projections (
        projection_id text collate "C" primary key,
        demo_subject_id text collate "C" not null,
        snapshot_key text not null,
        latest_key text not null,
        payload_fingerprint text not null,
        payload jsonb not null,
        status text not null,
        attempt_count integer not null,
        last_error text not null default '',
        incarnation bigint not null,
        version bigint not null,
        published_version bigint,
        due_at timestamptz,
        lease_token uuid,
        urgency smallint not null,
        pending_since timestamptz,
        published_at timestamptz,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint patient_monitoring_snapshot_projections_status_check
            check (status in ('pending', 'published', 'failed')),
        constraint patient_monitoring_snapshot_projections_owed_check
            check ((status = 'published') = (pending_since is null))
    ) with (
        fillfactor = 50,
        toast_tuple_target = 8160,
        autovacuum_vacuum_scale_factor = 0.02,
        autovacuum_vacuum_cost_delay = 0
    )
    """,
    """
    create index patient_monitoring_snapshot_projections_owed_idx
        on patient_monitoring_snapshot_projections (urgency desc, due_at)
        where status <> 'published'
    """,
    """
    create table relay_state (
        id smallint primary key default 1,
        incarnation bigint not null default 1,
        sentinel bigint not null default 0,
        last_sweep_at timestamptz,
        constraint relay_state_one_row_check check (id = 1)
    )
    """,
    "insert into relay_state default values",
)

TABLES = (
    "relay_state",
    "patient_monitoring_snapshot_projections",
    "patient_alarm_audit_chains",
    "patient_alarm_audit_events",
    "patient_review_queue",
    "patient_risk_assessments",
    "patient_signal_packets",
)


def upgrade() -> None:
    for statement in UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
