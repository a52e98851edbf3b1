"""What the doctor finds in PostgreSQL: its promises, our schema, and what is owed."""

import time
from datetime import timedelta

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from vitalrelay.adapters.outbound.diagnosis.finding import Finding, judged, skipped
from vitalrelay.adapters.outbound.postgres.connection import lent
from vitalrelay.adapters.outbound.postgres.on_call import PostgresOnCall
from vitalrelay.adapters.outbound.postgres.schema import SchemaMismatch, check_revision
from vitalrelay.domain.errors import TryAgain
from vitalrelay.domain.on_call import ProjectionSummary

OLDEST_VERSION = 150_000
CLOCK_OFF_S = 1.0
OLD_TRANSACTION_S = 600.0
UNPUBLISHED_S = 30.0
SWEEPS_MISSED = 3

AFTER_CONNECTING = ("durability", "connections", "clock", "oldest-transaction", "schema")
AFTER_SCHEMA = ("audit-guard", "unpublished", "sweep")

# Others' transactions show their start only to those who may see it: null, and left out.
FACTS = text("""
    select
        current_setting('server_version') as version,
        current_setting('server_version_num')::int as version_number,
        current_setting('fsync') as fsync,
        current_setting('full_page_writes') as full_page_writes,
        current_setting('synchronous_commit') as synchronous_commit,
        current_setting('max_connections')::int
            - current_setting('superuser_reserved_connections')::int as connections,
        pg_is_in_recovery() as is_standby,
        extract(epoch from clock_timestamp())::float8 as now_s,
        coalesce((
            select extract(epoch from max(now() - xact_start))::float8
            from pg_stat_activity
            where pid <> pg_backend_pid() and backend_type = 'client backend'
        ), 0) as oldest_transaction_s
""")


# Enabled always, that is 'A': also where a session says that it replicates.
GUARDED = text("""
    select exists (
        select from pg_trigger
        where tgrelid = to_regclass('patient_alarm_audit_events')
            and tgname = 'patient_alarm_audit_events_append_only' and tgenabled = 'A'
    )
""")


async def of_postgres(engine: AsyncEngine, connections_each: int) -> list[Finding]:
    """``connections_each``: how many one process of ours may take."""
    try:
        async with lent(engine) as connection:
            asked_s = time.time()
            facts = (await connection.execute(FACTS)).mappings().one()
            answered_s = time.time()
            schema = await _schema(connection)
    except TryAgain as error:
        fix = "see that it runs, that DATABASE_URL leads to it, and that the login is right"
        away = Finding("postgres", "fail", f"does not answer: {error.cause}", fix)
        return [away, *skipped("PostgreSQL does not answer", *AFTER_CONNECTING)]
    return [
        _server(facts),
        _durability(facts),
        _connections(facts, connections_each),
        _clock(facts, (asked_s + answered_s) / 2),
        _oldest_transaction(facts),
        schema,
    ]


async def of_relay(engine: AsyncEngine, sweep_period: timedelta) -> list[Finding]:
    """What is owed, and whether anybody looks after it; needs the schema."""
    try:
        summary = await PostgresOnCall(engine).summary()
        async with lent(engine) as connection:
            guarded: bool = (await connection.execute(GUARDED)).scalar_one()
    except TryAgain as error:
        return skipped(f"cannot be read: {error.cause}", *AFTER_SCHEMA)
    return [_audit_guard(guarded), _unpublished(summary), _sweep(summary, sweep_period)]


async def _schema(connection: AsyncConnection) -> Finding:
    try:
        await check_revision(connection)
    except SchemaMismatch as error:
        detail, _, fix = (type(error).__doc__ or "").partition("; ")
        return Finding("schema", "fail", detail, fix)
    return Finding("schema", "pass", "at the revision that this release speaks")


def _server(facts: RowMapping) -> Finding:
    if facts["is_standby"]:
        fix = "let DATABASE_URL lead to the primary"
        return Finding("postgres", "fail", "it is a standby: nothing can be written", fix)
    recent = facts["version_number"] >= OLDEST_VERSION
    return judged("postgres", recent, facts["version"], "use PostgreSQL 15 or newer")


def _durability(facts: RowMapping) -> Finding:
    names = ("fsync", "full_page_writes", "synchronous_commit")
    off = [name for name in names if facts[name] == "off"]
    detail = ", ".join(f"{name} {facts[name]}" for name in names)
    fix = f"turn {' and '.join(off)} on: without, acknowledged packets can be lost"
    return judged("durability", not off, detail, fix)


def _connections(facts: RowMapping, each: int) -> Finding:
    processes = facts["connections"] // each
    detail = f"{facts['connections']} connections: room for {processes} processes of {each} each"
    fix = "raise max_connections, or lower VITALRELAY_POOL_SIZE"
    return judged("connections", processes > 1, detail, fix)


def _clock(facts: RowMapping, our_s: float) -> Finding:
    ahead_s = facts["now_s"] - our_s
    detail = f"PostgreSQL's clock is {abs(ahead_s):.1f} s {'ahead' if ahead_s > 0 else 'behind'}"
    return judged("clock", abs(ahead_s) < CLOCK_OFF_S, detail, "synchronise both clocks", "warn")


def _oldest_transaction(facts: RowMapping) -> Finding:
    age_s = facts["oldest_transaction_s"]
    fix = "find it in pg_stat_activity and end it: while it lasts, dead rows stay"
    fine = age_s < OLD_TRANSACTION_S
    return judged("oldest-transaction", fine, f"{age_s:.0f} s old", fix, "warn")


def _audit_guard(guarded: bool) -> Finding:
    detail = "the audit trail refuses changes" if guarded else "the audit trail can be changed"
    fix = "enable its trigger always, and run: vitalrelay verify; docs/operations.md"
    return judged("audit-guard", guarded, detail, fix)


def _unpublished(summary: ProjectionSummary) -> Finding:
    age_s = (summary.oldest_unpublished_ms or 0) / 1000
    owed = summary.pending + summary.failed
    detail = f"{owed} patients owed, the oldest for {age_s:.0f} s, {summary.given_up} given up"
    fix = "see whether a worker runs and Redis answers; vitalrelay projections list"
    fine = age_s < UNPUBLISHED_S and not summary.given_up
    return judged("unpublished", fine, detail, fix, "warn")


def _sweep(summary: ProjectionSummary, period: timedelta) -> Finding:
    fix = "see that a worker runs: vitalrelay worker"
    if summary.last_complete_sweep_ms is None:
        return Finding("sweep", "warn", "nobody has ever compared Redis with PostgreSQL", fix)
    age_s = time.time() - summary.last_complete_sweep_ms / 1000
    fine = age_s < SWEEPS_MISSED * period.total_seconds()
    return judged("sweep", fine, f"the last one was {max(age_s, 0):.0f} s ago", fix, "warn")
