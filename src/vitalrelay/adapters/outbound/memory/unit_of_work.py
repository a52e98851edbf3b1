"""The unit of work as a sheet laid over the database: committing copies it down."""

from collections import ChainMap
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from vitalrelay.adapters.outbound.memory.database import MemoryDatabase, Projection
from vitalrelay.domain.alarms import AlarmPolicy
from vitalrelay.domain.chart import USUAL, Chart
from vitalrelay.domain.document import Document, document_of
from vitalrelay.domain.errors import EncounterOfAnother, KeyReused
from vitalrelay.domain.fingerprint import canonical_json, fingerprint
from vitalrelay.domain.idempotency import ActionKey
from vitalrelay.domain.packet import EncounterId, Packet, Received, SubjectId
from vitalrelay.domain.projection import Claim, Lease
from vitalrelay.domain.receipt import Conflict, Duplicate, New, Recorded, Standing
from vitalrelay.domain.snapshot import Encounter, Snapshot, folded
from vitalrelay.domain.watch import look_at_ms


class MemoryUnitOfWork:
    def __init__(self, database: MemoryDatabase, policy: AlarmPolicy) -> None:
        self._database = database
        self._policy = policy
        self._answers = ChainMap({}, database.answers)
        self._packets = ChainMap({}, database.packets)
        self._projections = ChainMap({}, database.projections)
        self._assessments = ChainMap({}, database.assessments)
        self._reviews = ChainMap({}, database.reviews)
        self._audit = ChainMap({}, database.audit)

    async def record(self, packets: Sequence[Packet]) -> list[Recorded]:
        return [self._record(packet) for packet in packets]

    def _record(self, packet: Packet) -> Recorded:
        kept = self._packets.get(packet.id)
        if kept is None:
            self._packets[packet.id] = Received(packet, self._database.now_ms)
            return New(self._packets[packet.id])
        if canonical_json(kept.packet.content()) != canonical_json(packet.content()):
            return Conflict()
        of_this_unit = packet.id not in self._database.packets
        standing = None if of_this_unit else self._standing(packet.subject)
        return Duplicate(kept.at_ms, kept.clock_suspect, standing)

    def _standing(self, subject: SubjectId) -> Standing:
        row = self._projections[subject]
        assert row.snapshot.assessment is not None, "owed without having been assessed"
        return Standing(row.version, row.fingerprint, row.snapshot.assessment)

    async def lock(self, new: Sequence[Received]) -> list[Chart]:
        charts = [self._chart(subject) for subject in sorted({one.packet.subject for one in new})]
        for chart in charts:
            chart.recall(self._stays(chart.subject, new))
        return charts

    def _chart(self, subject: SubjectId) -> Chart:
        row, now_ms = self._projections.get(subject), self._database.now_ms
        if row is None:
            return Chart(Snapshot(subject=subject), now_ms=now_ms)
        return Chart(row.snapshot, row.hearing, now_ms)

    def _stays(
        self, subject: SubjectId, new: Sequence[Received]
    ) -> Mapping[EncounterId, Encounter]:
        histories: dict[EncounterId, list[Received]] = {}
        for kept in self._packets.values():
            if kept.packet.subject == subject and kept not in new:
                histories.setdefault(kept.packet.encounter, []).append(kept)
        return {encounter: folded(history) for encounter, history in histories.items()}

    async def file(self, charts: Sequence[Chart]) -> None:
        for chart in charts:
            for encounter, assessed in chart.assessed.items():
                owner, _ = self._assessments.get(encounter, (chart.subject, None))
                if owner != chart.subject:
                    raise EncounterOfAnother
                self._assessments[encounter] = chart.subject, assessed
            self._reviews.update({item.id: item for item in chart.reviews.values()})
            self._audit.update({event.event_id: event for event in chart.audit})

    async def owe(self, wanted: Sequence[Chart], lease_for: timedelta) -> list[Claim]:
        lease = Lease(uuid4())
        rows = {chart.subject: self._owed(chart, lease, lease_for) for chart in wanted}
        self._projections.update(rows)
        return [row.claimed() for row in rows.values()]

    def _owed(self, chart: Chart, lease: Lease, lease_for: timedelta) -> Projection:
        snapshot = chart.snapshot
        document = canonical_json(document_of(snapshot))
        return Projection(
            snapshot=snapshot,
            incarnation=self._database.incarnation,
            version=snapshot.version,
            fingerprint=fingerprint(document),
            document=document,
            urgency=snapshot.urgency,
            attempt=1,
            due_at=self._database.now + lease_for,
            lease=lease,
            hearing=chart.hearing,
            look_at_ms=look_at_ms(chart, self._policy),
        )

    async def patient_of(self, about: str) -> SubjectId | None:
        if about in self._reviews:
            owner, _ = self._assessments[self._reviews[about].encounter]
            return owner
        of_it = (event.subject for event in self._audit.values() if event.about == about)
        return next(of_it, None)

    async def lock_patient(self, subject: SubjectId) -> Chart:
        return self._chart(subject)

    async def answered(self, key: ActionKey) -> Document | None:
        before = self._answers.get(key.digest)
        if before is None:
            return None
        request, document = before
        if request != key.request:
            raise KeyReused
        return document

    async def answer(self, key: ActionKey, document: Document) -> None:
        self._answers[key.digest] = key.request, document

    async def forget_answers(self, older_than: timedelta) -> int:
        return 0  # nothing in memory grows old

    async def lock_due(self, limit: int) -> list[Chart]:
        now_ms = self._database.now_ms
        due = [
            (row.look_at_ms, subject)
            for subject, row in self._projections.items()
            if row.look_at_ms is not None and row.look_at_ms <= now_ms
        ]
        return [self._chart(subject) for _, subject in sorted(due)[:limit]]

    async def look_again(self, charts: Sequence[Chart]) -> None:
        for chart in charts:
            row = self._projections[chart.subject]
            look_ms = look_at_ms(chart, self._policy)
            self._projections[chart.subject] = replace(row, look_at_ms=look_ms)

    async def commit(self) -> None:
        self._database.packets.update(self._packets.maps[0])
        self._database.projections.update(self._projections.maps[0])
        self._database.assessments.update(self._assessments.maps[0])
        self._database.reviews.update(self._reviews.maps[0])
        self._database.audit.update(self._audit.maps[0])
        self._database.answers.update(self._answers.maps[0])


class MemoryWork:
    """Opens units of work on one database, one at a time."""

    def __init__(self, database: MemoryDatabase, policy: AlarmPolicy = USUAL) -> None:
        self._database = database
        self._policy = policy

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[MemoryUnitOfWork]:
        async with self._database.one_unit_at_a_time:
            yield MemoryUnitOfWork(self._database, self._policy)
