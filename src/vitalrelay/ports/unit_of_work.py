"""All or nothing: what happens in one unit of work is kept together, or not at all."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Protocol

from vitalrelay.domain.chart import Chart
from vitalrelay.domain.packet import Packet, Received
from vitalrelay.domain.projection import Claim
from vitalrelay.domain.receipt import Recorded


class UnitOfWork(Protocol):
    async def record(self, packets: Sequence[Packet]) -> list[Recorded]:
        """
        Keep what was not kept before; one answer per packet, in their order.

        New, or stored before with the same content, or with other content. The database says
        which, and when the packet came.
        """

    async def lock(self, new: Sequence[Received]) -> list[Chart]:
        """
        The charts of these packets' patients, an empty one for a new patient; ours to change.

        A chart comes with the earlier encounters that the packets belong to. Two units may wait
        for each other, but never both ways.
        """

    async def file(self, charts: Sequence[Chart]) -> None:
        """
        Keep the assessments, review items and audit records that came of the packets.

        Raises EncounterOfAnother if an encounter belongs to another patient.
        """

    async def owe(self, wanted: Sequence[Chart], lease_for: timedelta) -> list[Claim]:
        """Want these shown. Born claimed: ours to publish, and due when the lease lapses."""

    async def commit(self) -> None:
        """Raises OutcomeUnknown if the database went away before it answered."""


class BeginWork(Protocol):
    def __call__(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """
        Open a unit. Leaving it without commit() undoes everything.

        Raises StorageUnavailable while the database does not answer.
        """
