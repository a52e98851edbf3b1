"""One look at a patient's alarms: which conditions are true or over, and what people did."""

from collections.abc import Sequence

from msgspec.structs import replace

from vitalrelay.domain.alarms import (
    Alarm,
    AlarmAction,
    AlarmKind,
    Alarms,
    AlarmState,
    Condition,
    Return,
    Transition,
)
from vitalrelay.domain.errors import NotPossible

RETURNED, OVER = "condition-returned", "condition-over"


class Episodes:
    """
    The alarms as they are, and the transitions that made them so.

    ``as_of_ms`` is event time: what flickers in a replay flickers as it did at the bedside.
    """

    def __init__(self, before: Alarms, as_of_ms: int, rearm_ms: int) -> None:
        self._alarms = {alarm.name: alarm for alarm in before}
        self._as_of_ms = as_of_ms
        self._rearm_ms = rearm_ms
        self._transitions: list[Transition] = []
        self._judged: set[str] = set()
        for alarm in before:
            self._settle(alarm)

    def shown(self, name: str) -> Alarm | None:
        alarm = self._alarms.get(name)
        return alarm if alarm is not None and alarm.shown else None

    def true(
        self,
        condition: Condition,
        known: frozenset[str] = frozenset(),
        acknowledged_by: str | None = None,
        since_ms: int | None = None,
    ) -> None:
        """A repeat confirms it. ``since_ms``: true by time alone, and so no flicker."""
        self._judged.add(condition.name)
        alarm = self._alarms.get(condition.name)
        if alarm is not None and alarm.present:
            self._alarms[alarm.name] = replace(alarm, known=known, stale=False)
        elif alarm is not None and alarm.ended_ms is not None and since_ms is None:
            self._alarms[alarm.name] = alarm.back(self._as_of_ms, known, acknowledged_by)
        elif alarm is not None and alarm.shown:
            again = replace(alarm, state=AlarmState.ACTIVE, known=known, muted_until_ms=None)
            self._change(AlarmAction.RAISED, RETURNED, alarm, replace(again, ended_ms=None))
        else:
            new = Alarm(
                condition=condition,
                state=AlarmState.ACKNOWLEDGED if acknowledged_by else AlarmState.ACTIVE,
                since_ms=self._as_of_ms if since_ms is None else since_ms,
                known=known,
                acknowledged_by=acknowledged_by,
            )
            self._change(AlarmAction.RAISED, "condition-true", None, new)

    def over(self, name: str) -> None:
        self._judged.add(name)
        alarm = self._alarms.get(name)
        if alarm is None or not alarm.present:
            return
        ended = alarm.over(self._ended_ms)
        action = AlarmAction.CLEARED if ended.shown else AlarmAction.RESOLVED
        self._end(action, OVER, alarm, ended)

    def resolve(self, name: str, action: AlarmAction, reason: str) -> bool:
        """End it whatever its state; returns whether there was one."""
        self._judged.add(name)
        alarm = self.shown(name)
        if alarm is None:
            return False
        over = replace(alarm.over(self._ended_ms), state=AlarmState.RESOLVED)
        self._end(action, reason, alarm, over)
        return True

    def escalated(self, condition: Condition, known: frozenset[str]) -> None:
        """True, and more than what stood in its place: it calls anew."""
        noted = len(self._transitions)
        self.true(condition, known)
        if len(self._transitions) > noted:
            last = self._transitions[-1]
            self._transitions[-1] = replace(last, action=AlarmAction.ESCALATED)

    def acknowledge(self, name: str, actor: str, reason: str) -> None:
        """Seen, and being acted upon; once is enough. Raises NotPossible for a resolved one."""
        alarm = self._alarms.get(name)
        if alarm is None or (not alarm.shown and alarm.acknowledged_by is None):
            raise NotPossible(AlarmState.RESOLVED)
        if alarm.acknowledged_by is not None:
            return
        told = self._told(alarm)
        state = AlarmState.ACKNOWLEDGED if told.present else AlarmState.RESOLVED
        seen = replace(told, state=state, acknowledged_by=actor)
        self._change(AlarmAction.ACKNOWLEDGED, reason, told, seen)

    def mute(self, name: str, until_ms: int, reason: str) -> None:
        """Quiet until then by the server's clock, and in sight. Raises NotPossible."""
        alarm = self.shown(name)
        if alarm is None:
            raise NotPossible(AlarmState.RESOLVED)
        if alarm.muted_until_ms == until_ms:
            return
        told = self._told(alarm)
        self._change(AlarmAction.MUTED, reason, told, replace(told, muted_until_ms=until_ms))

    def unmute_until(self, now_ms: int) -> None:
        """What was muted until now, or before, is heard again."""
        for alarm in list(self._alarms.values()):
            if alarm.muted_until_ms is None or alarm.muted_until_ms > now_ms:
                continue
            if not alarm.shown:
                self._keep(replace(alarm, muted_until_ms=None))
                continue
            told = self._told(alarm)
            self._change(AlarmAction.UNMUTED, "mute-over", told, replace(told, muted_until_ms=None))

    def tell(self) -> None:
        """Nothing may follow for long: the audit trail is brought up to every alarm."""
        for alarm in list(self._alarms.values()):
            self._told(alarm)

    def mark_stale(self) -> None:
        """Missing data ends nothing: what this look could not judge is kept, and marked."""
        for name, alarm in self._alarms.items():
            physiological = alarm.condition.kind is AlarmKind.PHYSIOLOGICAL
            if physiological and alarm.present and not alarm.stale and name not in self._judged:
                self._alarms[name] = replace(alarm, stale=True)

    def result(self) -> tuple[Alarms, Sequence[Transition]]:
        return tuple(self._alarms.values()), self._transitions

    @property
    def _ended_ms(self) -> int | None:
        return self._as_of_ms if self._rearm_ms else None

    def _settle(self, alarm: Alarm) -> None:
        """What stood for longer than the re-arm time will not be undone in silence."""
        if alarm.returned is not None and self._long_ago(alarm.returned.at_ms):
            alarm = self._told(alarm)
        if alarm.ended_ms is not None and self._long_ago(alarm.ended_ms):
            if alarm.shown:
                self._alarms[alarm.name] = replace(alarm, ended_ms=None)
            else:
                del self._alarms[alarm.name]

    def _long_ago(self, at_ms: int) -> bool:
        return self._as_of_ms - at_ms > self._rearm_ms

    def _told(self, alarm: Alarm) -> Alarm:
        """The same alarm, with the audit trail brought up to it."""
        if alarm.returned is None:
            return alarm
        told = replace(alarm, returned=None)
        back = told if told.present else replace(told, state=AlarmState.ACTIVE, ended_ms=None)
        self._change(AlarmAction.RAISED, RETURNED, alarm.told(), back)
        if back is not told:
            self._change(AlarmAction.CLEARED, OVER, back, told)
        return told

    def _end(self, action: AlarmAction, reason: str, alarm: Alarm, ended: Alarm) -> None:
        told = None if alarm.returned is None else alarm.returned.told
        if told is ended.state:
            self._keep(ended)  # as the audit trail has it: the flicker never was
        elif told is AlarmState.RESOLVED:
            self._keep(replace(ended, returned=Return(self._as_of_ms, told)))
        else:
            self._change(action, reason, self._told(alarm), ended)

    def _change(
        self, action: AlarmAction, reason: str, previous: Alarm | None, current: Alarm
    ) -> None:
        self._keep(current)
        left = current if current.shown else None
        self._transitions.append(Transition(action, reason, previous, left))

    def _keep(self, alarm: Alarm) -> None:
        if alarm.shown or alarm.ended_ms is not None:
            self._alarms[alarm.name] = alarm
        else:
            del self._alarms[alarm.name]


def all_resolved(before: Alarms, as_of_ms: int, reason: str) -> Sequence[Transition]:
    """None of them is left, nor rests."""
    episodes = Episodes(before, as_of_ms, rearm_ms=0)
    for alarm in before:
        episodes.resolve(alarm.name, AlarmAction.RESOLVED, reason)
    return episodes.result()[1]
