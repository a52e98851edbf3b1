"""Putting off the next look, for patients about whom there was nothing new to show."""

from collections.abc import Sequence

from sqlalchemy import text

from vitalrelay.adapters.outbound.postgres.driver import Transaction
from vitalrelay.domain.alarms import AlarmPolicy
from vitalrelay.domain.chart import Chart
from vitalrelay.domain.projection import projection_id
from vitalrelay.domain.watch import look_at_ms

# The rows are ours already.
LOOK_AGAIN = text("""
    update patient_monitoring_snapshot_projections p
    set look_at = to_timestamp(next.look_ms / 1000.0)
    from unnest(cast(:ids as text[]), cast(:looks as bigint[])) as next(projection_id, look_ms)
    where p.projection_id = next.projection_id
""")


async def look_again(
    transaction: Transaction, charts: Sequence[Chart], policy: AlarmPolicy
) -> None:
    if not charts:
        return
    parameters = {
        "ids": [projection_id(chart.subject) for chart in charts],
        "looks": [look_at_ms(chart, policy) for chart in charts],
    }
    await transaction.run(LOOK_AGAIN, parameters)
