"""
What we refuse, and what we could not do.

    VitalrelayError
    ├── Refused                  final: the same request is refused again
    │   ├── InvalidPacket
    │   │   └── EncounterOfAnother
    │   ├── InvalidRequest
    │   ├── PacketConflict
    │   ├── NotFound
    │   ├── NotPossible
    │   ├── KeyReused
    │   └── CountChanged
    └── TryAgain                 nobody's mistake: the same request may succeed later
        ├── Overloaded
        │   └── Contention
        ├── StorageUnavailable
        ├── OutcomeUnknown
        ├── StoreUnreachable
        └── SnapshotBehind
"""

from collections.abc import Sequence

from msgspec import Struct


class Fault(Struct, frozen=True):
    """One thing wrong with a request: where (a JSON Pointer) and why, never what was sent."""

    pointer: str
    reason: str


class VitalrelayError(Exception):
    """Something did not go as asked."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or (type(self).__doc__ or "").strip())


class Refused(VitalrelayError):
    """The request can never be accepted as it is."""


class InvalidPacket(Refused):
    """The packet cannot be a reading."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        super().__init__()
        self.faults = tuple(faults)


class EncounterOfAnother(InvalidPacket):
    """The encounter belongs to another patient."""

    def __init__(self) -> None:
        super().__init__([Fault("/encounterId", "this encounter belongs to another patient")])


class InvalidRequest(Refused):
    """A parameter is not what belongs here."""

    def __init__(self, parameter: str, reason: str) -> None:
        super().__init__()
        self.faults = (Fault(f"/query/{parameter}", reason),)


class PacketConflict(Refused):
    """A packet with this id and other content is stored; it was left as it is."""


class NotFound(Refused):
    """There is no such thing here."""


class NotPossible(Refused):
    """This is not possible in the state it is in."""

    def __init__(self, state: str) -> None:
        super().__init__()
        self.state = state


class KeyReused(Refused):
    """This Idempotency-Key came with another request before."""


class CountChanged(Refused):
    """Another number of projections matches by now; nothing was changed."""

    def __init__(self, matching: int) -> None:
        super().__init__()
        self.matching = matching


class TryAgain(VitalrelayError):
    """Not now; the same request may succeed later."""

    def __init__(self, cause: str = "") -> None:
        super().__init__()
        self.cause = cause  # for the log: a code or a class, never a text from a driver


class Overloaded(TryAgain):
    """Too much is waiting already; nothing was stored."""


class Contention(Overloaded):
    """The database was busy with others and chose not to go on; nothing was stored."""


class StorageUnavailable(TryAgain):
    """The database does not answer; nothing was stored."""


class OutcomeUnknown(TryAgain):
    """The database went away before it confirmed; repeat the same request to find out."""


class StoreUnreachable(TryAgain):
    """The store of the screens does not answer."""


class SnapshotBehind(TryAgain):
    """That version of the snapshot is not known here yet."""
