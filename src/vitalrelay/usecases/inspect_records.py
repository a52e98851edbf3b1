"""Reading what is kept: packets as they were sent, assessments as they stand."""

from collections.abc import Sequence
from dataclasses import dataclass

from vitalrelay.domain.document import Document
from vitalrelay.domain.errors import NotFound
from vitalrelay.domain.packet import EncounterId, PacketId, Received, SubjectId
from vitalrelay.ports.records import PacketCursor, Records


@dataclass(frozen=True, slots=True)
class PacketPage:
    """``then`` leads to the next page; None on the last one."""

    packets: Sequence[Received]
    then: PacketCursor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectRecords:
    records: Records

    async def packet(self, packet: PacketId) -> Received:
        """Raises NotFound."""
        found = await self.records.packet(packet)
        if found is None:
            raise NotFound
        return found

    async def packets_of(
        self, subject: SubjectId, limit: int, before: PacketCursor | None
    ) -> PacketPage:
        """Newest first. Raises NotFound for somebody who is no patient here."""
        packets = await self.records.packets_of(subject, limit + 1, before)
        if not packets and before is None:
            raise NotFound
        page = packets[:limit]
        if len(packets) <= limit:
            return PacketPage(page, None)
        last = page[-1].packet
        return PacketPage(page, PacketCursor(last.timestamp_ms, last.id))

    async def assessments_of(self, encounter: EncounterId) -> list[Document]:
        """Raises NotFound for an encounter without one."""
        found = await self.records.assessments_of(encounter)
        if not found:
            raise NotFound
        return found
