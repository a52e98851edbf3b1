"""All or nothing: what happens in one unit of work is kept together, or not at all."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Protocol, TypeVar

from vitalrelay.domain.chart import Chart
from vitalrelay.domain.document import Document
from vitalrelay.domain.idempotency import ActionKey
from vitalrelay.domain.packet import Packet, Received, SubjectId
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


class ClinicalWork(UnitOfWork, Protocol):
    """What a person's action needs besides: whose it is, and whether it came before."""

    async def answered(self, key: ActionKey) -> Document | None:
        """
        What this very action was answered before; None the first time, and it is ours then.

        Waits for whoever acts under the same key now. Raises KeyReused if the key came with
        another request.
        """

    async def patient_of(self, about: str) -> SubjectId | None:
        """Whose alarm or review item this is; None where there never was one."""

    async def lock_patient(self, subject: SubjectId) -> Chart:
        """A known patient's chart; ours to change, in turn with whoever takes in packets."""

    async def answer(self, key: ActionKey, document: Document) -> None:
        """Answer the same whenever this action comes again."""

    async def forget_answers(self, older_than: timedelta) -> int:
        """Some of those that are older; returns how many."""


class WatchWork(UnitOfWork, Protocol):
    """What keeping watch needs besides: whom time concerns."""

    async def lock_due(self, limit: int) -> list[Chart]:
        """
        Charts whose time to be looked at has come, the longest overdue first.

        Charts that are in somebody's hand are left out: they are brought up to date there.
        """

    async def look_again(self, charts: Sequence[Chart]) -> None:
        """Nothing new to show of these; the next look is when time may bring something."""


Work_co = TypeVar("Work_co", bound=UnitOfWork, covariant=True)


class Begin(Protocol[Work_co]):
    def __call__(self) -> AbstractAsyncContextManager[Work_co]:
        """
        Open a unit. Leaving it without commit() undoes everything.

        Raises StorageUnavailable while the database does not answer.
        """


BeginWork = Begin[UnitOfWork]
