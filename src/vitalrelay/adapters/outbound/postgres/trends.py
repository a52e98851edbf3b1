"""Trends of patients: which time is meant, then one statement; few at the same time."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from vitalrelay.adapters.outbound.postgres.connection import statement
from vitalrelay.adapters.outbound.postgres.trend_statement import TREND, parameters_of
from vitalrelay.domain.errors import InvalidRequest, Overloaded
from vitalrelay.domain.packet import PacketId, SubjectId
from vitalrelay.domain.trend import (
    MOST_PACKETS,
    Asked,
    Bucket,
    Outlier,
    Summary,
    Trend,
    Window,
    numeric,
)

NEWEST = text("""
    select (payload #>> '{newestPacket,atMs}')::bigint
    from patient_monitoring_snapshot_projections
    where projection_id = 'monitoring-snapshot:' || :subject
""")


class PostgresTrends:
    """Few at once: others need connections too, not least who asks whether we are ready."""

    def __init__(
        self,
        engine: AsyncEngine,
        at_once: int,
        patience: timedelta,
        most_packets: int = MOST_PACKETS,
    ) -> None:
        self._engine = engine
        self._turns = asyncio.Semaphore(at_once)
        self._patience = patience
        self._most_packets = most_packets

    async def trend(self, subject: SubjectId, code: str, asked: Asked) -> Trend | None:
        async with self._turn(), statement(self._engine) as connection:
            newest_ms = await connection.scalar(NEWEST, {"subject": subject})
            if newest_ms is None:
                return None
            window = asked.window(newest_ms)
            return await read_trend(connection, subject, code, window, self._most_packets)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                await self._turns.acquire()
        except TimeoutError:
            raise Overloaded("trends") from None
        try:
            yield
        finally:
            self._turns.release()


async def read_trend(
    connection: AsyncConnection,
    subject: SubjectId,
    code: str,
    window: Window,
    most_packets: int = MOST_PACKETS,
) -> Trend:
    """Raises InvalidRequest where more packets than these would have to be looked at."""
    asked = {**parameters_of(subject, code, window), "most_packets": most_packets}
    row = (await connection.execute(TREND, asked)).mappings().one()
    if row["packets"] > most_packets:
        raise InvalidRequest("from", "leaves too many packets to look at; ask for less time")
    return _trend(numeric(code).unit, window, row)


def _trend(unit: str, window: Window, row: RowMapping) -> Trend:
    whole, *buckets = [_bucket(one) for one in json.loads(row["summaries"])]
    return Trend(
        unit=unit,
        window=window,
        summary=whole.summary,
        excluded=row["excluded"],
        outlier_count=row["outlier_count"],
        outliers=[_outlier(one) for one in json.loads(row["outliers"] or "[]")],
        buckets=buckets,
    )


def _bucket(row: dict[str, Any]) -> Bucket:
    start_ms = row.pop("bucket_ms")
    return Bucket(start_ms, Summary(**row))


def _outlier(row: Mapping[str, Any]) -> Outlier:
    return Outlier(row["at_ms"], row["value"], row["z"], PacketId(row["packet"]))
