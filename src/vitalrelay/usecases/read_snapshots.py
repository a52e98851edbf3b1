"""A patient's snapshot for a screen: from Redis, or from Postgres and saying so."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from vitalrelay.domain.errors import NotFound, SnapshotBehind, StoreUnreachable
from vitalrelay.domain.packet import SubjectId
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
