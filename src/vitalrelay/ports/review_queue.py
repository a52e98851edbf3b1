"""The open review items, most urgent first."""

from collections.abc import Sequence
from typing import Protocol

from vitalrelay.domain.review_queue import QueueFilter, QueueItem, QueuePlace


class ReviewQueue(Protocol):
    async def some(
        self, which: QueueFilter, limit: int, after: QueuePlace | None
    ) -> Sequence[QueueItem]:
        """Those after ``after``, in the queue's order. Raises StorageUnavailable."""
