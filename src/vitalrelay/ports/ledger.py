"""What is wanted on the screens, and how far that was once achieved."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.shown import Wanted


class Ledger(Protocol):
    """Every method raises StorageUnavailable while the database does not answer."""

    async def published_after(self, subject: SubjectId, limit: int) -> list[Wanted]:
        """Patients whose wanted version was published, in order of their ids; "" is the start."""

    async def published(self, subjects: Sequence[SubjectId]) -> list[Wanted]:
        """Those of them whose wanted version was published, as of now."""

    async def known(self, subjects: Sequence[SubjectId]) -> set[SubjectId]:
        """Those of them who are patients at all."""

    async def take_back(self) -> int:
        """
        End every lease: what is being published now is due again, and cannot be settled.

        Returns how many were in somebody's hand.
        """

    async def owe_again(self, wanted: Sequence[Wanted]) -> int:
        """Owe these very versions once more, due at once; versions that moved on are left alone."""

    async def owe_anew(self, subjects: Sequence[SubjectId]) -> int:
        """Owe the same content as the next version, due at once: it wins over what is there."""

    async def sentinel(self) -> int:
        """The highest number the sentinel is known to have had."""

    async def sentinel_rose(self, to: int) -> None:
        """It has this number at least."""

    async def sweep_is_due(self, period: timedelta) -> bool:
        """Whether nobody completed a sweep within the period."""

    async def swept(self) -> None:
        """A sweep over every patient is complete, now."""
