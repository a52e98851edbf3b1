"""
Snapshots this process wrote lately, so that it need not read its own documents.

The key is the fingerprint, which the locked row says: what is found under it is that content,
whoever else wrote in between. What a rolled back unit left here is never asked for.
"""

from collections import OrderedDict
from collections.abc import Sequence

from msgspec.structs import replace

from vitalrelay.domain.document import parse_document, snapshot_from
from vitalrelay.domain.snapshot import Snapshot

MOST = 10_000


class RecentSnapshots:
    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._snapshots: OrderedDict[str, Snapshot] = OrderedDict()

    def read(self, fingerprint: str, version: int, document: str) -> Snapshot:
        """The snapshot of a row: remembered, or read from its document."""
        known = self._snapshots.pop(fingerprint, None)
        if known is None:
            return snapshot_from(parse_document(document), version)
        return known if known.version == version else replace(known, version=version)

    def remember(self, fingerprints: Sequence[str], snapshots: Sequence[Snapshot]) -> None:
        self._snapshots.update(zip(fingerprints, snapshots, strict=True))
        while len(self._snapshots) > self._most:
            self._snapshots.popitem(last=False)
