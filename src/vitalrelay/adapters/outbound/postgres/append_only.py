"""
The audit trail only grows, whoever asks: a trigger refuses, and the application may not even ask.

The rights of the application's role are in the migrations; here is what the table brings along.
"""

APPEND_ONLY = (
    """
    create or replace function refuse_to_change_audit_events() returns trigger language plpgsql
    as $$
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
    """
    alter table patient_alarm_audit_events
        enable always trigger patient_alarm_audit_events_append_only
    """,
)
