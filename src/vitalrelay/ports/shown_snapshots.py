"""What the screens have: documents, the name of the latest, and whether they lost any."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.shown import Damaged, Shown


class ShownSnapshots(Protocol):
    """Every method raises StoreUnreachable while the store does not answer."""

    async def read(self, subjects: Sequence[SubjectId]) -> list[Shown | Damaged | None]:
        """One answer per patient, in their order; None where there is nothing."""

    async def latest(self) -> SubjectId | None:
        """The patient of the most recent snapshot."""

    def subjects(self) -> AsyncIterator[list[SubjectId]]:
        """Every patient who has something in a document's place, some at a time."""

    async def remove(self, subjects: Sequence[SubjectId]) -> None:
        """Take away documents that belong to nobody."""


class Sentinel(Protocol):
    """
    A number that only rises. Gone, or lower than before: the store lost data.

    Every method raises StoreUnreachable while the store does not answer.
    """

    async def read(self) -> int | None:
        """None where it is gone."""

    async def rise(self, to: int) -> None:
        """Raise it, unless it is gone: what was lost must stay visible as lost."""

    async def put_back(self, at: int) -> None:
        """A new era begins; a higher one that stands there already is left alone."""

    async def run(self) -> str:
        """Which run of the store this is: another one may have come back with less."""
