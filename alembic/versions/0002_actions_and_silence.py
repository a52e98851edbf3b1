"""What clinicians do and what time brings: open reviews, silence, repeated actions, and an audit
trail that only grows."""

from alembic import op

revision = "0002_actions_and_silence"
down_revision = "0001_patient_risk_baseline"
branch_labels = None
depends_on = None

ROLE = "vitalrelay_app"

UPGRADE = (
    """
    alter table patient_monitoring_snapshot_projections
        add heard_at timestamptz,
        add cadence_ms bigint,
        add look_at timestamptz
    """,
    """
    create index patient_monitoring_snapshot_projections_look_idx
        on patient_monitoring_snapshot_projections (look_at)
        where look_at is not null
    """,
    """
    alter table patient_review_queue
        add urgency smallint not null generated always as (
            case priority
                when 'high' then 4 when 'medium' then 3 when 'low-medium' then 2 else 0
            end
        ) stored
    """,
    """
    create index patient_review_queue_open_idx
        on patient_review_queue (urgency desc, last_updated_ms desc, review_item_id)
        where state = 'open'
    """,
    """
    create index patient_review_queue_open_site_idx
        on patient_review_queue (site_id, urgency desc, last_updated_ms desc, review_item_id)
        where state = 'open'
    """,
    """
    create table patient_action_keys (
        action_key text collate "C" primary key,
        request_fingerprint text not null,
        answer text,
        created_at timestamptz not null default now()
    )
    """,
    "create index patient_action_keys_created_idx on patient_action_keys (created_at)",
    """
    create function refuse_to_change_audit_events() returns trigger language plpgsql as $$
    begin
        raise exception 'audit events are added, and never changed'
            using errcode = 'insufficient_privilege';
    end
    $$
    """,
    """
    create trigger patient_alarm_audit_events_append_only
        before update or delete or truncate on patient_alarm_audit_events
        for each statement execute function refuse_to_change_audit_events()
    """,
    # Always: also where a session says that it replicates.
    """
    alter table patient_alarm_audit_events
        enable always trigger patient_alarm_audit_events_append_only
    """,
    # A role belongs to the whole cluster, and may be there already, or be somebody else's to make.
    f"""
    do $$
    begin
        if not exists (select from pg_roles where rolname = '{ROLE}') then
            create role {ROLE} nologin;
        end if;
    exception
        when duplicate_object or unique_violation then null;
        when insufficient_privilege then
            raise warning 'role {ROLE} could not be made; see docs/operations.md';
    end
    $$
    """,
    f"""
    do $$
    begin
        if exists (select from pg_roles where rolname = '{ROLE}') then
            grant usage on schema public to {ROLE};
            grant select on alembic_version to {ROLE};
            grant select, insert on patient_signal_packets, patient_alarm_audit_events to {ROLE};
            grant select, insert, update on patient_risk_assessments, patient_review_queue,
                patient_alarm_audit_chains, patient_monitoring_snapshot_projections,
                relay_state to {ROLE};
            grant select, insert, update, delete on patient_action_keys to {ROLE};
        end if;
    end
    $$
    """,
)

# The role stays: other databases of the cluster may need it.
DOWNGRADE = (
    f"""
    do $$
    begin
        if exists (select from pg_roles where rolname = '{ROLE}') then
            revoke all on all tables in schema public from {ROLE};
            revoke usage on schema public from {ROLE};
        end if;
    end
    $$
    """,  # noqa: S608  # the role's name above
    "drop trigger patient_alarm_audit_events_append_only on patient_alarm_audit_events",
    "drop function refuse_to_change_audit_events",
    "drop table patient_action_keys",
    "drop index patient_review_queue_open_site_idx",
    "drop index patient_review_queue_open_idx",
    "alter table patient_review_queue drop urgency",
    "drop index patient_monitoring_snapshot_projections_look_idx",
    """
    alter table patient_monitoring_snapshot_projections
        drop heard_at, drop cadence_ms, drop look_at
    """,
)


def upgrade() -> None:
    for statement in UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWNGRADE:
        op.execute(statement)
