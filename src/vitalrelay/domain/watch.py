"""What time alone brings: mutes run out, silence is noticed, and in the end nobody listens."""

from msgspec.structs import replace

from vitalrelay.domain.alarms import AlarmAction, AlarmPolicy
from vitalrelay.domain.chart import Chart
from vitalrelay.domain.conditions import NO_DATA

NOT_MONITORED = "not-monitored"


def look(chart: Chart, policy: AlarmPolicy) -> None:
    """Bring the alarms up to the moment the chart became ours."""
    episodes = chart.episodes(policy)
    episodes.unmute_until(chart.now_ms)
    if _past(chart, chart.hearing.ended_ms(policy)):
        episodes.tell()
        episodes.resolve(NO_DATA.name, AlarmAction.RESOLVED, NOT_MONITORED)
        chart.snapshot = replace(chart.snapshot, monitored=False)
    elif _past(chart, chart.hearing.silent_ms(policy)):
        episodes.tell()
        episodes.true(NO_DATA, since_ms=chart.now_ms)
    chart.take(episodes)


def look_at_ms(chart: Chart, policy: AlarmPolicy) -> int | None:
    """When to look next, should nothing come until then; None where time brings nothing."""
    every, alarms = chart.snapshot.every_alarm, chart.snapshot.alarms
    times = [alarm.muted_until_ms for alarm in every if alarm.muted_until_ms is not None]
    silent_ms, ended_ms = chart.hearing.silent_ms(policy), chart.hearing.ended_ms(policy)
    if silent_ms is not None and ended_ms is not None and chart.snapshot.monitored:
        noticed = any(alarm.condition == NO_DATA and alarm.present for alarm in alarms)
        times.append(ended_ms if noticed else min(silent_ms, ended_ms))
    return min(times, default=None)


def _past(chart: Chart, at_ms: int | None) -> bool:
    return at_ms is not None and at_ms <= chart.now_ms and chart.snapshot.monitored
