"""A patient's snapshot for a screen: from Redis, or from Postgres and saying so."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from vitalrelay.domain.document import parse_document
from vitalrelay.domain.errors import (
    NotFound,
    SnapshotBehind,
    StorageUnavailable,
    StoreUnreachable,
)
from vitalrelay.domain.packet import ID, SubjectId
from vitalrelay.domain.shown import Shown
from vitalrelay.ports.records import Records
from vitalrelay.ports.shown_snapshots import ShownSnapshots


class Source(StrEnum):
    REDIS = "redis"
    POSTGRES = "postgres"


@dataclass(frozen=True, slots=True)
class Read:
    snapshot: Shown
    source: Source

    def age_ms(self, now_ms: int) -> int:
        """How old the newest reading in it is at that moment; never negative."""
        return max(0, now_ms - self.snapshot.as_of_ms)


@dataclass(frozen=True, slots=True)
class Page:
    """
    Patients in order of their ids; ``then`` is the last one of a page that is not the last.

    Not ``complete``: somebody may be left out.
    """

    reads: Sequence[Read]
    then: SubjectId | None
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSnapshots:
    store: ShownSnapshots
    records: Records
    longest_wait: timedelta
    look_again_after: timedelta

    async def one(self, subject: SubjectId, at_least_version: int = 0) -> Read:
        """
        The patient's snapshot, of this version or a later one.

        Waits a moment for the version to be published, then reads through to Postgres. Raises
        NotFound, SnapshotBehind where even Postgres does not know that version yet, and
        StorageUnavailable.
        """
        shown = await self._published(subject, at_least_version)
        if shown is not None:
            return Read(shown, Source.REDIS)
        [wanted] = await self.records.snapshots_of([subject])
        if wanted is None:
            raise NotFound
        if wanted.version < at_least_version:
            raise SnapshotBehind
        return Read(wanted, Source.POSTGRES)

    async def many(self, subjects: Sequence[SubjectId]) -> list[Read]:
        """Those that exist, in the order asked for."""
        found = dict(zip(subjects, await self._shown(subjects), strict=True))
        absent = [subject for subject, shown in found.items() if shown is None]
        wanted = await self.records.snapshots_of(absent) if absent else []
        instead = dict(zip(absent, wanted, strict=True))
        reads = []
        for subject, shown in found.items():
            if shown is not None:
                reads.append(Read(shown, Source.REDIS))
            elif (kept := instead[subject]) is not None:
                reads.append(Read(kept, Source.POSTGRES))
        return reads

    async def latest(self) -> Read:
        """The most recent patient's. Raises NotFound while there is no patient."""
        try:
            latest = await self.store.latest()
        except StoreUnreachable:
            latest = None
        latest = latest or await self.records.latest()
        if latest is None:
            raise NotFound
        return await self.one(latest)

    async def page(self, after: SubjectId, limit: int, site: str | None = None) -> Page:
        """
        Those who come after this patient, of one site or of all.

        Postgres says who there is. While it does not answer, Redis does, so that a screen can
        still start: whoever has no whole document there is left out, and the page is not
        complete. Raises StorageUnavailable where neither answers.
        """
        try:
            found = await self.records.subjects_after(after, limit + 1, site)
            reads = await self.many(found[:limit])
            return Page(reads, found[limit - 1] if len(found) > limit else None, complete=True)
        except StorageUnavailable as unavailable:
            try:
                return await self._page_of_shown(after, limit, site)
            except StoreUnreachable:
                raise unavailable from None

    async def _page_of_shown(self, after: SubjectId, limit: int, site: str | None) -> Page:
        """As far as Redis can tell; every page looks through all of its names."""
        names = {name async for some in self.store.subjects() for name in some}
        left = sorted(name for name in names if name > after and ID.fullmatch(name))
        reads: list[Read] = []
        for start in range(0, len(left), limit):
            for shown in await self.store.read(left[start : start + limit]):
                if isinstance(shown, Shown) and site in (None, site_of(shown)):
                    reads.append(Read(shown, Source.REDIS))
            if len(reads) > limit:
                return Page(reads[:limit], reads[limit - 1].snapshot.subject, complete=False)
        return Page(reads, None, complete=False)

    async def _published(self, subject: SubjectId, at_least_version: int) -> Shown | None:
        """What Redis has of that version or later, as soon as it has it."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self.longest_wait.total_seconds()
        while True:
            [shown] = await self._shown([subject])
            if shown is None or shown.version >= at_least_version:
                return shown
            if loop.time() >= until:
                return None
            await asyncio.sleep(self.look_again_after.total_seconds())

    async def _shown(self, subjects: Sequence[SubjectId]) -> list[Shown | None]:
        """What is whole in Redis; what is damaged, or out of reach, is as good as absent."""
        try:
            found = await self.store.read(subjects)
        except StoreUnreachable:
            return [None] * len(subjects)
        return [shown if isinstance(shown, Shown) else None for shown in found]


def site_of(shown: Shown) -> object:
    return parse_document(shown.text).get("siteId")
