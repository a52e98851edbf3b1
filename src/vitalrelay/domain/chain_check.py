"""Whether a site's audit chain holds: what was changed, removed, swapped or inserted shows."""

from collections.abc import Mapping
from dataclasses import dataclass

from vitalrelay.domain.audit import CHAIN_START, Link, chain_hash


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A link as it was found; ``agrees``: what stands beside the record says the same."""

    seq: int
    previous_hash: str
    hash: str
    record: Mapping[str, object]
    agrees: bool = True


class ChainCheck:
    """Follows one site's chain from its start and counts the links that do not hold."""

    def __init__(self) -> None:
        self.broken = 0
        self._head = CHAIN_START
        self._states: dict[str, object] = {}  # by alarm

    def follow(self, event: StoredEvent) -> None:
        """The next link must continue the one before, and each alarm's states must join up."""
        alarm = event.record.get("alarmId")
        before = self._states.get(str(alarm))
        holds = (
            event.seq == self._head.seq + 1
            and event.previous_hash == self._head.hash
            and event.hash == _recomputed(event)
            and event.agrees
            and (alarm is None or _told(event.record.get("previous")) == before)
        )
        self.broken += not holds
        self._head = Link(event.seq, event.hash)
        self._states[str(alarm)] = _told(event.record.get("current"))

    def end(self, head: Link) -> None:
        """Where the chain says it ends: records taken from its end show here."""
        self.broken += head != self._head


def _recomputed(event: StoredEvent) -> str | None:
    """None for what is no record of ours: it has no canonical form."""
    try:
        return chain_hash(event.previous_hash, event.record)
    except ValueError:
        return None


UNTOLD = ("known", "stale", "endedMs", "returned")


def _told(alarm: object) -> object:
    """What of an alarm changes only with a record; being confirmed, or stale, makes none."""
    if not isinstance(alarm, dict):
        return alarm
    return {name: value for name, value in alarm.items() if name not in UNTOLD}
