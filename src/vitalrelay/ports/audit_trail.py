"""What was done to one alarm, or to one review item."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from vitalrelay.domain.chain_check import StoredEvent


@dataclass(frozen=True, slots=True)
class AuditPlace:
    """Where a page ended: pages go from new to old."""

    occurred_ms: int
    seq: int


class AuditTrail(Protocol):
    async def of(self, about: str, limit: int, before: AuditPlace | None) -> Sequence[StoredEvent]:
        """Newest first; ties by their place in the chain. Raises StorageUnavailable."""
