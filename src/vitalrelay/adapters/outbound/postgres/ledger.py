"""What is wanted, page by page, and owing it once more."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from vitalrelay.adapters.outbound.postgres.connection import statement
from vitalrelay.adapters.outbound.postgres.owed import OWED
from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.projection import projection_id
from vitalrelay.domain.shown import Wanted

PUBLISHED_AFTER = text("""
    select demo_subject_id, incarnation, version, payload_fingerprint
    from patient_monitoring_snapshot_projections
    where projection_id > :after and status = 'published'
    order by projection_id
    limit :limit
""")

PUBLISHED = text("""
    select demo_subject_id, incarnation, version, payload_fingerprint
    from patient_monitoring_snapshot_projections
    where projection_id = any(cast(:ids as text[])) and status = 'published'
    order by projection_id
""")

KNOWN = text("""
    select demo_subject_id
    from patient_monitoring_snapshot_projections
    where projection_id = any(cast(:ids as text[]))
""")

# Due at once, all of them; a row that moved on to another version is owed by whoever moved it.
OWE_AGAIN = text("""
    with ours as (
        select projection_id
        from patient_monitoring_snapshot_projections
        join unnest(cast(:ids as text[]), cast(:versions as bigint[]))
            as wanted(projection_id, version) using (projection_id, version)
        where status = 'published'
        order by projection_id
        for update of patient_monitoring_snapshot_projections
    )
    update patient_monitoring_snapshot_projections p
    set status = 'pending', published_version = null, pending_since = clock_timestamp(),
        due_at = moment.now, relay_at = moment.now,
        attempt_count = 0, last_error = '', lease_token = null, updated_at = now()
    from ours, (select clock_timestamp() as now) moment
    where p.projection_id = ours.projection_id
""")

# Whoever publishes one of these just now cannot settle it any more; given up ones are in no hand.
TAKE_BACK = text(f"""
    with ours as (
        select projection_id
        from patient_monitoring_snapshot_projections
        where {OWED} and lease_token is not null
        order by projection_id
        for update
    )
    update patient_monitoring_snapshot_projections p
    set due_at = moment.now, relay_at = moment.now, lease_token = null, updated_at = now()
    from ours, (select clock_timestamp() as now) moment
    where p.projection_id = ours.projection_id
""")  # noqa: S608 - constants of this folder

OWE_ANEW = text("""
    with ours as (
        select projection_id
        from patient_monitoring_snapshot_projections
        where projection_id = any(cast(:ids as text[]))
        order by projection_id
        for update
    )
    update patient_monitoring_snapshot_projections p
    set version = p.version + 1, incarnation = state.incarnation, status = 'pending',
        pending_since = coalesce(p.pending_since, clock_timestamp()),
        due_at = moment.now, relay_at = moment.now,
        attempt_count = 0, last_error = '', lease_token = null, updated_at = now()
    from ours, relay_state state, (select clock_timestamp() as now) moment
    where p.projection_id = ours.projection_id
""")

SENTINEL = text("select sentinel from relay_state")
SENTINEL_ROSE = text("update relay_state set sentinel = :to where sentinel < :to")
SWEEP_IS_DUE = text("""
    select last_sweep_at is null or last_sweep_at <= now() - cast(:period as interval)
    from relay_state
""")
SWEPT = text("update relay_state set last_sweep_at = clock_timestamp()")


class PostgresLedger:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def published_after(self, subject: SubjectId, limit: int) -> list[Wanted]:
        after = projection_id(subject)
        return await self._wanted(PUBLISHED_AFTER, {"after": after, "limit": limit})

    async def published(self, subjects: Sequence[SubjectId]) -> list[Wanted]:
        return await self._wanted(PUBLISHED, {"ids": _ids(subjects)})

    async def known(self, subjects: Sequence[SubjectId]) -> set[SubjectId]:
        async with statement(self._engine) as connection:
            rows = await connection.scalars(KNOWN, {"ids": _ids(subjects)})
            return set(rows)

    async def take_back(self) -> int:
        return await self._change(TAKE_BACK, {})

    async def owe_again(self, wanted: Sequence[Wanted]) -> int:
        ids = _ids([one.subject for one in wanted])
        return await self._change(
            OWE_AGAIN, {"ids": ids, "versions": [one.version for one in wanted]}
        )

    async def owe_anew(self, subjects: Sequence[SubjectId]) -> int:
        return await self._change(OWE_ANEW, {"ids": _ids(subjects)})

    async def sentinel(self) -> int:
        async with statement(self._engine) as connection:
            return int((await connection.execute(SENTINEL)).scalar_one())

    async def sentinel_rose(self, to: int) -> None:
        await self._change(SENTINEL_ROSE, {"to": to})

    async def sweep_is_due(self, period: timedelta) -> bool:
        async with statement(self._engine) as connection:
            return bool((await connection.execute(SWEEP_IS_DUE, {"period": period})).scalar_one())

    async def swept(self) -> None:
        await self._change(SWEPT, {})

    async def _wanted(self, query: TextClause, parameters: Mapping[str, object]) -> list[Wanted]:
        async with statement(self._engine) as connection:
            rows = await connection.execute(query, parameters)
            return [Wanted(*row) for row in rows]

    async def _change(self, change: TextClause, parameters: Mapping[str, object]) -> int:
        async with statement(self._engine) as connection:
            return (await connection.execute(change, parameters)).rowcount


def _ids(subjects: Sequence[SubjectId]) -> list[str]:
    return [projection_id(subject) for subject in subjects]
