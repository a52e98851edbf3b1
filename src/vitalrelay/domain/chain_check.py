"""Whether a site's audit chain holds: what was changed, removed, swapped or inserted shows."""

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct

from vitalrelay.domain.audit import CHAIN_START, Link, chain_hash


class StoredEvent(Struct, frozen=True):
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
        self.disjoint = Counter[str]()  # by alarm: of these, what another site may explain
        self._head = CHAIN_START
        self._states: dict[str, object] = {}  # by alarm

    def follow(self, event: StoredEvent) -> None:
        """The next link must continue the one before, and each alarm's states must join up."""
        alarm = event.record.get("alarmId")
        linked = (
            event.seq == self._head.seq + 1
            and event.previous_hash == self._head.hash
            and event.hash == _recomputed(event)
            and event.agrees
        )
        joined = alarm is None or _before(event) == self._states.get(str(alarm))
        self.broken += not (linked and joined)
        if linked and not joined:
            self.disjoint[str(alarm)] += 1
        self._head = Link(event.seq, event.hash)
        self._states[str(alarm)] = _after(event)

    def end(self, head: Link) -> None:
        """Where the chain says it ends: records taken from its end show here."""
        self.broken += head != self._head


def joins_up(events: Iterable[StoredEvent]) -> bool:
    """
    Whether one alarm's records, of whatever sites, tell one story.

    A patient may be heard of at two sites. Each has a chain of its own, and no clock orders the
    two; the versions of the patient's snapshot do.
    """
    state: object = None
    for event in sorted(events, key=_version):
        if _before(event) != state:
            return False
        state = _after(event)
    return True


def _version(event: StoredEvent) -> tuple[int, ...]:
    """The version that the record led to and its place in it, as its id has them."""
    ordinal = str(event.record.get("eventId")).split(":")[1:2]
    return tuple(int(part) for part in "".join(ordinal).split(".") if part.isdecimal())


def _before(event: StoredEvent) -> object:
    return _told(event.record.get("previous"))


def _after(event: StoredEvent) -> object:
    return _told(event.record.get("current"))


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
