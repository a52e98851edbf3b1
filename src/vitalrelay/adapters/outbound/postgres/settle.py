"""Settling, in one statement: a claim that is no longer ours matches no row."""

from collections.abc import Sequence
from datetime import timedelta
from typing import assert_never

from sqlalchemy import text

from vitalrelay.adapters.outbound.postgres.driver import Statements
from vitalrelay.domain.projection import (
    Claim,
    GiveUp,
    HandBack,
    Published,
    RetryLater,
    Verdict,
    projection_id,
)

# Locked in id order, as ingest locks them: an UPDATE alone takes its rows as its plan finds them.
# Half of each delay is drawn by lot, so that what failed together does not return together.
SETTLE = text("""
    with judged as (
        select * from unnest(
            cast(:ids as text[]), cast(:versions as bigint[]), cast(:leases as uuid[]),
            cast(:statuses as text[]), cast(:delays as interval[]), cast(:restored as integer[]),
            cast(:errors as text[])
        ) as judged(projection_id, version, lease_token, status, delay, restored, error)
    ), ours as (
        select judged.*, clock_timestamp() + delay * (0.5 + random() / 2) as next_due_at
        from judged
        join patient_monitoring_snapshot_projections p using (projection_id, version, lease_token)
        order by projection_id
        for update of p
    )
    update patient_monitoring_snapshot_projections p
    set status = ours.status,
        published_version = case ours.status when 'published' then p.version
            else p.published_version end,
        published_at = case ours.status when 'published' then clock_timestamp()
            else p.published_at end,
        pending_since = case ours.status when 'published' then null else p.pending_since end,
        due_at = ours.next_due_at,
        relay_at = least(p.relay_at, ours.next_due_at),
        attempt_count = p.attempt_count - ours.restored,
        last_error = ours.error,
        lease_token = null,
        updated_at = now()
    from ours
    where p.projection_id = ours.projection_id
""")

COLUMNS = ("ids", "versions", "leases", "statuses", "delays", "restored", "errors")


def settlement_of(verdict: Verdict) -> tuple[str, timedelta | None, int, str]:
    """Status, due in how long (None: not due), attempts restored, error."""
    match verdict:
        case Published():
            return "published", None, 0, ""
        case RetryLater(after, reason):
            return "failed", after, 0, reason
        case GiveUp(reason):
            return "failed", None, 0, reason
        case HandBack(after, reason):
            return "failed", after, 1, reason
        case _:
            assert_never(verdict)


async def settle(statements: Statements, judged: Sequence[tuple[Claim, Verdict]]) -> int:
    if not judged:
        return 0
    rows = [
        (projection_id(claim.subject), claim.version, claim.lease, *settlement_of(verdict))
        for claim, verdict in judged
    ]
    columns = dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
    return await statements.run(SETTLE, columns)
