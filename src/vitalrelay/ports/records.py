"""What is kept for good, for reading: packets, assessments, snapshots as Postgres wants them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from vitalrelay.domain.audit import Link
from vitalrelay.domain.chain_check import StoredEvent
from vitalrelay.domain.document import Document
from vitalrelay.domain.packet import EncounterId, PacketId, Received, SubjectId
from vitalrelay.domain.shown import Shown


@dataclass(frozen=True, slots=True)
class PacketCursor:
    """Where a page ended: pages go from new to old."""

    timestamp_ms: int
    packet: PacketId


class Records(Protocol):
    """Every method raises StorageUnavailable while the database does not answer."""

    async def packet(self, packet: PacketId) -> Received | None:
        """None where there is no such packet."""

    async def packets_of(
        self, subject: SubjectId, limit: int, before: PacketCursor | None
    ) -> list[Received]:
        """Newest device time first; ties by id."""

    async def assessments_of(self, encounter: EncounterId) -> list[Document]:
        """The current assessment of each model and horizon, newest first."""

    async def snapshots_of(self, subjects: Sequence[SubjectId]) -> list[Shown | None]:
        """What Postgres wants shown; one answer per patient, in their order."""

    async def subjects_after(
        self, subject: SubjectId, limit: int, site: str | None = None
    ) -> list[SubjectId]:
        """Patients in order of their ids; of this site alone, if one is named."""

    async def latest(self) -> SubjectId | None:
        """The patient with the newest snapshot."""


class Evidence(Protocol):
    """Everything that is kept, for whoever checks it. Raises StorageUnavailable."""

    async def present(self, packets: Sequence[PacketId]) -> set[PacketId]:
        """Those of them that are stored."""

    async def subjects_after(self, subject: SubjectId, limit: int) -> list[SubjectId]:
        """Patients in order of their ids."""

    async def stored_twice(self) -> int:
        """Rows too many for one packet id, or under an id that is not made of the row itself."""

    async def unpublished(self) -> set[tuple[SubjectId, int]]:
        """Patients whose wanted version is not the published one, with that version."""

    def history(self, subject: SubjectId) -> AsyncIterator[Received]:
        """Every packet of a patient, in no particular order."""

    async def audit_heads(self) -> dict[str, Link]:
        """Where each site's audit chain says it ends, all at one moment."""

    async def audit_of_alarm(self, alarm: str) -> Sequence[StoredEvent]:
        """One alarm's records, whichever site's chain they are in, in no particular order."""

    def audit_of(self, site: str, until: int = 2**63 - 1) -> AsyncIterator[StoredEvent]:
        """A site's chain from its start to that link: others may be adding to it."""
