"""The open review items, along the index that has them in the queue's order."""

from collections.abc import Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from vitalrelay.adapters.outbound.postgres.connection import statement
from vitalrelay.domain.assessment import RiskLevel
from vitalrelay.domain.document import parse_document
from vitalrelay.domain.review_queue import QueueFilter, QueueItem, QueuePlace

EVER_MS = 2**63 - 1
TOP = QueuePlace(RiskLevel.HIGH.urgency, EVER_MS, "")

# One urgency after the other: within each, a place is where the index is entered. An order that
# goes both down and up is none that rows could be compared in.
OF_EACH_URGENCY = """
    select item.*
    from unnest(cast(:urgencies as smallint[]), cast(:newest as bigint[]))
        as wanted(urgency, newest_ms)
    cross join lateral (
        select demo_subject_id, site_id, urgency, last_updated_ms, review_item_id,
            payload::text as payload
        from patient_review_queue
        where {which} and state = 'open' and urgency = wanted.urgency
            and last_updated_ms <= least(
                wanted.newest_ms,
                floor(extract(epoch from now() - cast(:older_than as interval)) * 1000)::bigint
            )
            and (last_updated_ms < wanted.newest_ms or review_item_id > :item)
        order by last_updated_ms desc, review_item_id
        limit :limit
    ) item
    order by urgency desc, last_updated_ms desc, review_item_id
    limit :limit
"""

OF_ALL = text(OF_EACH_URGENCY.format(which="true"))
OF_SITE = text(OF_EACH_URGENCY.format(which="site_id = :site"))


class PostgresReviewQueue:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def some(
        self, which: QueueFilter, limit: int, after: QueuePlace | None
    ) -> Sequence[QueueItem]:
        parameters = parameters_of(which, limit, after or TOP)
        query = OF_ALL if which.site is None else OF_SITE
        async with statement(self._engine) as connection:
            rows = (await connection.execute(query, parameters)).all()
        return [
            QueueItem(subject, site, QueuePlace(*place), parse_document(payload))
            for subject, site, *place, payload in rows
        ]


def parameters_of(which: QueueFilter, limit: int, start: QueuePlace) -> Mapping[str, object]:
    """What comes after that place: the rest of its urgency, and all of those below."""
    levels = RiskLevel if which.priority is None else [which.priority]
    urgencies = [level.urgency for level in levels if level.urgency <= start.urgency]
    parameters = {
        "urgencies": urgencies,
        "newest": [start.updated_ms if one == start.urgency else EVER_MS for one in urgencies],
        "item": start.item,
        "older_than": which.older_than,
        "limit": limit,
    }
    return parameters if which.site is None else parameters | {"site": which.site}
