"""What no packet brings: silence, and mutes that run out. Lock, look, file, owe, commit."""

from dataclasses import dataclass
from datetime import timedelta

from vitalrelay.domain.alarms import AlarmPolicy
from vitalrelay.domain.projection import Claim
from vitalrelay.domain.watch import look
from vitalrelay.ports.unit_of_work import Begin, WatchWork


@dataclass(frozen=True, slots=True)
class WatchReport:
    """``changed`` of those looked at have something new to show; their claims are ours."""

    looked_at: int = 0
    changed: int = 0
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepWatch:
    """One look at everybody whose time has come; nobody else is touched."""

    begin: Begin[WatchWork]
    alarms: AlarmPolicy
    batch_size: int
    lease_for: timedelta

    async def run_once(self) -> WatchReport:
        async with self.begin() as work:
            charts = await work.lock_due(self.batch_size)
            for chart in charts:
                look(chart, self.alarms)
            changed = [chart for chart in charts if chart.changed]
            await work.file(changed)
            claims = await work.owe(changed, self.lease_for)
            await work.look_again([chart for chart in charts if not chart.changed])
            await work.commit()
        return WatchReport(len(charts), len(changed), tuple(claims))
