"""The first story: record, lock, fold, assess, file, owe, commit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from vitalrelay.domain.alarms import AlarmPolicy
from vitalrelay.domain.breaker import Breaker, BreakerState
from vitalrelay.domain.chart import USUAL, fold_all
from vitalrelay.domain.packet import Packet
from vitalrelay.domain.projection import Claim
from vitalrelay.domain.receipt import New, Receipt, receipts_of, standings_of
from vitalrelay.ports.risk_model import RiskModel
from vitalrelay.ports.unit_of_work import BeginWork


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestPackets:
    """Once this returns, the packets survive any crash and the screens will be told."""

    begin: BeginWork
    assess: RiskModel
    alarms: AlarmPolicy = USUAL
    lease_for: timedelta
    breaker: Breaker | None = None

    async def __call__(self, packets: Sequence[Packet]) -> tuple[list[Receipt], list[Claim]]:
        """
        The claims come leased to the caller: deliver them at once, or another will later.

        While the store is away nobody delivers, and whoever first can may: nothing is leased.
        """
        async with self.begin() as work:
            recorded = await work.record(packets)
            new = [answer.received for answer in recorded if isinstance(answer, New)]
            charts = fold_all(await work.lock(new), new, self.assess, self.alarms)
            await work.file(charts)
            claims = await work.owe(charts, self._lease())
            await work.commit()
        return receipts_of(packets, recorded, standings_of(charts, claims)), claims

    def _lease(self) -> timedelta:
        away = self.breaker is not None and self.breaker.state is not BreakerState.CLOSED
        return timedelta(0) if away else self.lease_for
