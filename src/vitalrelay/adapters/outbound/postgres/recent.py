"""
Snapshots this process wrote lately, so that neither it nor the database need read them again.

Whether one is still the patient's, its fingerprint says, held against the locked row: whoever else
wrote in between, and whatever a rolled back unit left here.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.snapshot import Snapshot

MOST = 10_000

Known = Mapping[str, Snapshot]  # by fingerprint
NOTHING: Known = {}


class RecentSnapshots:
    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._snapshots: OrderedDict[SubjectId, tuple[str, Snapshot]] = OrderedDict()

    def of(self, subjects: Iterable[SubjectId]) -> Known:
        """What was last written of them; it stays known to whoever asked."""
        return dict([self._snapshots[one] for one in subjects if one in self._snapshots])

    def remember(self, fingerprints: Iterable[str], snapshots: Iterable[Snapshot]) -> None:
        for fingerprint, snapshot in zip(fingerprints, snapshots, strict=True):
            self._snapshots[snapshot.subject] = fingerprint, snapshot
            self._snapshots.move_to_end(snapshot.subject)
        while len(self._snapshots) > self._most:
            self._snapshots.popitem(last=False)
