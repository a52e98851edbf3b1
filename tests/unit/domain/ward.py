"""A database of one patient, in memory: what is kept is text, and comes back from it."""

from collections.abc import Sequence
from itertools import permutations

from vitalrelay.domain.alarms import Transition
from vitalrelay.domain.chart import Chart, fold_all
from vitalrelay.domain.document import document_of, parse_document, snapshot_from
from vitalrelay.domain.fingerprint import canonical_json
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.packet import Received, SubjectId
from vitalrelay.domain.snapshot import Snapshot, folded


class Ward:
    """One patient as the database keeps them: packets, and a document that is text."""

    def __init__(self, subject: SubjectId) -> None:
        self.subject = subject
        self.packets: list[Received] = []
        self.text = ""
        self.version = 0
        self.transitions: list[Transition] = []

    def ingest(self, batch: Sequence[Received]) -> None:
        snapshot = self.snapshot()
        current = snapshot.encounter
        elsewhere = {r.packet.encounter for r in batch} - {current.id} if current else set()
        stays = {
            stay: folded(history)
            for stay in elsewhere
            if (history := [r for r in self.packets if r.packet.encounter == stay])
        }
        chart = Chart(snapshot)
        chart.recall(stays)
        fold_all([chart], batch, News2())
        self.text = canonical_json(document_of(chart.snapshot))
        self.version = chart.snapshot.version
        self.packets += batch
        self.transitions += [event.change for event in chart.audit]

    def snapshot(self) -> Snapshot:
        if not self.version:
            return Snapshot(subject=self.subject)
        return snapshot_from(parse_document(self.text), self.version)


def ward_after(*batches: Sequence[Received]) -> Ward:
    ward = Ward(batches[0][0].packet.subject)
    for batch in batches:
        ward.ingest(batch)
    return ward


def shown_after(*packets: Received) -> Snapshot:
    """What is shown when these came one by one."""
    return ward_after(*([packet] for packet in packets)).snapshot()


def in_every_order(*packets: Received) -> Snapshot:
    """What is shown in whatever order these came; fails where two orders can be told apart."""
    results = [shown_after(*arrival) for arrival in permutations(packets)]
    for result in results:
        assert result.encounter == results[0].encounter
        assert result.assessment == results[0].assessment
    return results[0]
