"""Projections as on-call sees them; the content of a snapshot is in none of these statements."""

from collections.abc import Mapping, Sequence

from sqlalchemy import RowMapping, TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from vitalrelay.adapters.outbound.postgres.connection import statement
from vitalrelay.adapters.outbound.postgres.owed import DATED, OWED
from vitalrelay.domain.on_call import ProjectionFilter, ProjectionState, ProjectionSummary
from vitalrelay.domain.projection import ProjectionId, ProjectionStatus

COLUMNS = """
    projection_id, demo_subject_id, status, version, published_version, attempt_count,
    nullif(last_error, '') as last_error, payload_fingerprint,
    floor(extract(epoch from pending_since) * 1000)::bigint as pending_since_ms,
    floor(extract(epoch from due_at) * 1000)::bigint as due_at_ms,
    floor(extract(epoch from updated_at) * 1000)::bigint as updated_at_ms
"""

MATCHING = f"""
    (cast(:status as text) is null
        or status = :status and (:status = 'published' or {DATED}))
    and (cast(:older_than as interval) is null or pending_since <= now() - :older_than)
    and (cast(:subject as text) is null or projection_id = 'monitoring-snapshot:' || :subject)
"""

SOME = text(f"""
    select {COLUMNS}
    from patient_monitoring_snapshot_projections
    where projection_id > :after and {MATCHING}
    order by projection_id
    limit :limit
""")  # noqa: S608 - constants of this file

ONE = text(f"""
    select {COLUMNS}
    from patient_monitoring_snapshot_projections
    where projection_id = :projection
""")  # noqa: S608 - constants of this file

COUNT = text(f"""
    select count(*)
    from patient_monitoring_snapshot_projections
    where {OWED} and {MATCHING}
""")  # noqa: S608 - constants of this file

SUMMARY = text(f"""
    select owed.*, total.n - owed.pending - owed.failed as published,
        state.incarnation,
        floor(extract(epoch from state.last_sweep_at) * 1000)::bigint as last_complete_sweep_ms
    from (
        select count(*) filter (where status = 'pending') as pending,
            count(*) filter (where status = 'failed') as failed,
            count(*) filter (where due_at <= now()) as due,
            count(*) filter (where status = 'failed' and due_at is null) as given_up,
            floor(extract(epoch from clock_timestamp() - min(pending_since)) * 1000)::bigint
                as oldest_unpublished_ms,
            floor(extract(epoch from clock_timestamp() - min(pending_since)
                filter (where urgency >= 4)) * 1000)::bigint as oldest_unpublished_high_ms
        from patient_monitoring_snapshot_projections
        where {OWED}
    ) owed,
    (select count(*) as n from patient_monitoring_snapshot_projections) total,
    relay_state state
""")  # noqa: S608 - constants of this folder

# Anew, not again: a version that was refused or is in conflict cannot win; the next one does.
RETRY = text(f"""
    with ours as (
        select projection_id
        from patient_monitoring_snapshot_projections
        where {OWED} and {MATCHING}
            and (:all or projection_id = any(cast(:ids as text[])))
        order by projection_id
        for update
    )
    update patient_monitoring_snapshot_projections p
    set version = p.version + 1, incarnation = state.incarnation, status = 'pending',
        due_at = moment.now, relay_at = moment.now,
        attempt_count = 0, last_error = '', lease_token = null, updated_at = now()
    from ours, relay_state state, (select clock_timestamp() as now) moment
    where p.projection_id = ours.projection_id
""")  # noqa: S608 - constants of this file


class PostgresOnCall:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def some(
        self, which: ProjectionFilter, limit: int, after: ProjectionId
    ) -> list[ProjectionState]:
        parameters = {**_matching(which), "limit": limit, "after": after}
        return [_state(row) for row in await self._rows(SOME, parameters)]

    async def one(self, projection: ProjectionId) -> ProjectionState | None:
        rows = await self._rows(ONE, {"projection": projection})
        return _state(rows[0]) if rows else None

    async def summary(self) -> ProjectionSummary:
        [row] = await self._rows(SUMMARY, {})
        return ProjectionSummary(**row)

    async def count(self, which: ProjectionFilter) -> int:
        async with statement(self._engine) as connection:
            return int((await connection.execute(COUNT, _matching(which))).scalar_one())

    async def retry(self, which: ProjectionFilter, projections: Sequence[ProjectionId]) -> int:
        ids = list(projections)
        parameters = {**_matching(which), "all": not ids, "ids": ids}
        async with statement(self._engine) as connection:
            return (await connection.execute(RETRY, parameters)).rowcount

    async def _rows(
        self, query: TextClause, parameters: Mapping[str, object]
    ) -> Sequence[RowMapping]:
        async with statement(self._engine) as connection:
            return (await connection.execute(query, parameters)).mappings().all()


def _matching(which: ProjectionFilter) -> Mapping[str, object]:
    return {"status": which.status, "older_than": which.older_than, "subject": which.subject}


def _state(row: RowMapping) -> ProjectionState:
    return ProjectionState(
        projection_id=ProjectionId(row["projection_id"]),
        subject=row["demo_subject_id"],
        status=ProjectionStatus(row["status"]),
        version=row["version"],
        published_version=row["published_version"],
        attempt_count=row["attempt_count"],
        last_error=row["last_error"],
        pending_since_ms=row["pending_since_ms"],
        due_at_ms=row["due_at_ms"],
        updated_at_ms=row["updated_at_ms"],
        fingerprint=row["payload_fingerprint"],
    )
