"""Notice what the store lost or got wrong, and owe it again. A rebuild is nothing else."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.shown import Difference, Wanted, difference
from vitalrelay.ports.ledger import Ledger
from vitalrelay.ports.shown_snapshots import Sentinel, ShownSnapshots

START = SubjectId("")


@dataclass(frozen=True, slots=True)
class SweepReport:
    compared: int
    differences: Mapping[Difference, int]


@dataclass(frozen=True, slots=True)
class Watched:
    """``lost``: how many patients were owed again because of it; None when nothing was lost."""

    lost: int | None
    restarted: bool


@dataclass(slots=True, kw_only=True)
class ReconcileSnapshots:
    ledger: Ledger
    store: ShownSnapshots
    sentinel: Sentinel
    page_size: int
    _run: str | None = field(default=None, init=False)

    async def watch(self) -> Watched:
        """
        A look at the sentinel: what is gone or older is lost data, and everything is owed again.

        Postgres is asked first: the sentinel only rises, so one below what Postgres knew before
        it was read cannot be anything but a loss. It is put back last, after all are owed.
        """
        known = await self.ledger.sentinel()
        found = await self.sentinel.read()
        restarted = await self._another_run()
        if found is not None and found >= known:
            await self.sentinel.rise(found + 1)
            await self.ledger.sentinel_rose(found + 1)
            return Watched(None, restarted)
        # Number 0 was never written anywhere: a first start has nothing to lose.
        lost = await self.rebuild() if known else None
        await self.ledger.sentinel_rose(known + 1)
        await self.sentinel.put_back(known + 1)
        return Watched(lost, restarted)

    async def rebuild(self) -> int:
        """
        Owe every patient again; the claims take the most urgent first.

        What is in somebody's hand comes first: published before the loss and settled after it,
        it would pass for shown.
        """
        owed = await self.ledger.take_back()
        async for page in self.pages():
            owed += await self.ledger.owe_again(page)
        return owed

    async def sweep_is_due(self, period: timedelta) -> bool:
        return await self.ledger.sweep_is_due(period)

    async def sweep(self) -> SweepReport:
        """Compare every published patient with the store, and owe again what differs."""
        compared, found = 0, Counter[Difference]()
        async for page in self.pages():
            compared += len(page)
            differing = await self.differing(page)
            await self.mend(differing)
            found.update(kind for _, kind in differing)
        found[Difference.ORPHAN] = len(await self.orphans())
        await self.ledger.swept()
        return SweepReport(compared, found)

    async def orphans(self) -> list[SubjectId]:
        """Documents of nobody. The store is read first: a patient is there before the document."""
        orphans: list[SubjectId] = []
        async for subjects in self.store.subjects():
            known = await self.ledger.known(subjects)
            orphans += [subject for subject in subjects if subject not in known]
        return orphans

    async def _another_run(self) -> bool:
        before, self._run = self._run, await self.sentinel.run()
        return before != self._run

    async def pages(self) -> AsyncIterator[list[Wanted]]:
        """Every published patient, some at a time."""
        page = await self.ledger.published_after(START, self.page_size)
        while page:
            yield page
            page = await self.ledger.published_after(page[-1].subject, self.page_size)

    async def differing(self, page: Sequence[Wanted]) -> list[tuple[Wanted, Difference]]:
        """What differs twice: between the first two looks both sides may have moved on."""
        suspects = [wanted for wanted, _ in await self._compared(page)]
        if not suspects:
            return []
        still = await self.ledger.published([wanted.subject for wanted in suspects])
        return await self._compared([wanted for wanted in still if wanted in suspects])

    async def _compared(self, page: Sequence[Wanted]) -> list[tuple[Wanted, Difference]]:
        shown = await self.store.read([wanted.subject for wanted in page])
        kinds = [difference(wanted, one) for wanted, one in zip(page, shown, strict=True)]
        return [(wanted, kind) for wanted, kind in zip(page, kinds, strict=True) if kind]

    async def mend(self, differing: Sequence[tuple[Wanted, Difference]]) -> None:
        """Owe what differs; where the version has other content, the next version wins over it."""
        other = [wanted.subject for wanted, kind in differing if kind is Difference.DIFFERENT]
        behind = [wanted for wanted, kind in differing if kind is not Difference.DIFFERENT]
        if other:
            await self.ledger.owe_anew(other)
        if behind:
            await self.ledger.owe_again(behind)
