"""The proof: the screens show what Postgres says, and Postgres holds what was acknowledged."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from vitalrelay.domain.chain_check import ChainCheck, joins_up
from vitalrelay.domain.document import assessment_document, parse_document, vital_document
from vitalrelay.domain.fingerprint import canonical_json
from vitalrelay.domain.packet import EncounterId, PacketId, Received, SubjectId
from vitalrelay.domain.shown import Damaged, Shown, shown_from
from vitalrelay.domain.snapshot import Encounter
from vitalrelay.ports.ledger import Ledger
from vitalrelay.ports.records import Evidence, Records
from vitalrelay.ports.risk_model import RiskModel
from vitalrelay.ports.shown_snapshots import ShownSnapshots
from vitalrelay.usecases.reconcile_snapshots import START, ReconcileSnapshots

CHUNK = 2_000


@dataclass(slots=True, kw_only=True)
class Verification:
    """What was looked at, and what was found wrong."""

    acknowledged: int = 0
    lost: int = 0
    duplicated: int = 0
    patients: int = 0
    unpublished: int = 0
    different: int = 0
    orphans: int = 0
    assessments_recomputed: int = 0
    assessments_different: int = 0
    audit_events: int = 0
    audit_broken: int = 0

    @property
    def ok(self) -> bool:
        return not (
            self.lost
            or self.duplicated
            or self.unpublished
            or self.different
            or self.orphans
            or self.assessments_different
            or self.audit_broken
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """Safe against a live system: whatever looks wrong is looked at again before it is counted."""

    records: Records
    evidence: Evidence
    ledger: Ledger
    store: ShownSnapshots
    reconcile: ReconcileSnapshots
    assess: RiskModel

    async def __call__(
        self, acknowledged: Iterable[PacketId] = (), repair: bool = False
    ) -> Verification:
        """``acknowledged``: the packet ids that a client was told are safe, each once."""
        found = Verification()
        await self._acknowledged(found, acknowledged)
        behind = await self.evidence.unpublished()
        await self._documents(found, repair)
        await self._recomputed(found)
        await self._audit(found)
        behind &= await self.evidence.unpublished()
        found.unpublished = len(behind)
        if repair and behind:
            await self.ledger.owe_anew([subject for subject, _ in behind])
        return found

    async def _acknowledged(self, found: Verification, packets: Iterable[PacketId]) -> None:
        for chunk in _chunks(packets):
            present = await self.evidence.present(chunk)
            found.acknowledged += len(chunk)
            found.lost += len(chunk) - len(present)
        found.duplicated = await self.evidence.stored_twice()

    async def _documents(self, found: Verification, repair: bool) -> None:
        async for page in self.reconcile.pages():
            differing = await self.reconcile.differing(page)
            found.different += len(differing)
            if repair:
                await self.reconcile.mend(differing)
        orphans = await self.reconcile.orphans()
        found.orphans = len(orphans)
        if repair and orphans:
            await self.store.remove(orphans)

    async def _recomputed(self, found: Verification) -> None:
        async for subject in self._subjects():
            found.patients += 1
            recomputed = await self._recompute(subject)
            if recomputed.wrong or recomputed.vitals_differ:
                recomputed = await self._recompute(subject)
            found.assessments_recomputed += recomputed.assessments
            found.assessments_different += recomputed.wrong
            found.different += recomputed.vitals_differ

    async def _subjects(self) -> AsyncIterator[SubjectId]:
        after = START
        while subjects := await self.evidence.subjects_after(after, CHUNK):
            for subject in subjects:
                yield subject
            after = subjects[-1]

    async def _recompute(self, subject: SubjectId) -> "_Recomputed":
        stays = await _stays(self.evidence.history(subject))
        wrong = 0
        for stay in stays:
            expected = assessment_document(self.assess(stay))
            stored = await self.records.assessments_of(stay.id)
            wrong += all(not _says(document, expected) for document in stored)
        [shown] = await self.records.snapshots_of([subject])
        current = max(stays, key=lambda stay: stay.newest, default=None)
        if shown is None or current is None or not _whole(shown):
            return _Recomputed(len(stays), wrong, True)
        document = parse_document(shown.text)
        vitals = {code: vital_document(vital) for code, vital in current.vitals.items()}
        same = document["encounterId"] == current.id and _says(document["vitals"], vitals)
        return _Recomputed(len(stays), wrong, not same)

    async def _audit(self, found: Verification) -> None:
        for site, head in (await self.evidence.audit_heads()).items():
            chain = ChainCheck()
            async for event in self.evidence.audit_of(site, head.seq):
                found.audit_events += 1
                chain.follow(event)
            chain.end(head)
            found.audit_broken += chain.broken
            for alarm, count in chain.disjoint.items():
                if joins_up(await self.evidence.audit_of_alarm(alarm)):
                    found.audit_broken -= count


@dataclass(frozen=True, slots=True)
class _Recomputed:
    assessments: int
    wrong: int
    vitals_differ: bool


async def _stays(history: AsyncIterator[Received]) -> Sequence[Encounter]:
    stays: dict[EncounterId, Encounter] = {}
    async for received in history:
        known = stays.get(received.packet.encounter)
        stay = Encounter.begun_by(received) if known is None else known.fold(received)
        stays[stay.id] = stay
    return list(stays.values())


def _whole(wanted: Shown) -> bool:
    """Whether what Postgres wants shown is what its fingerprint was made of."""
    return not isinstance(shown_from(wanted.subject, wanted.text), Damaged)


def _says(document: Mapping[str, object], expected: Mapping[str, object]) -> bool:
    """Whether a stored document holds all of this; it may hold more."""
    held = {name: document.get(name) for name in expected}
    return canonical_json(held) == canonical_json(expected)


def _chunks(packets: Iterable[PacketId]) -> Iterator[list[PacketId]]:
    rest = iter(packets)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
