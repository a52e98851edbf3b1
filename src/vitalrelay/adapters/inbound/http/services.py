"""What the API is made of: handed in by bootstrap, reached through the application's state."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from vitalrelay.adapters.inbound.admission import Admission
from vitalrelay.adapters.inbound.group_commit import GroupCommit
from vitalrelay.adapters.inbound.metrics import Metrics
from vitalrelay.adapters.inbound.snapshot_feed import SnapshotFeed
from vitalrelay.domain.projection import Claim
from vitalrelay.ports.health import Health
from vitalrelay.usecases.act import Act
from vitalrelay.usecases.inspect_projections import InspectProjections
from vitalrelay.usecases.inspect_records import InspectRecords
from vitalrelay.usecases.inspect_reviews import InspectReviews
from vitalrelay.usecases.read_snapshots import ReadSnapshots
from vitalrelay.usecases.read_trends import ReadTrends


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    admission: Admission
    commits: GroupCommit
    act: Act
    deliver: Callable[[Sequence[Claim]], None]
    reviews: InspectReviews
    longest_mute_s: int
    snapshots: ReadSnapshots
    feed: SnapshotFeed
    trends: ReadTrends
    records: InspectRecords
    projections: InspectProjections
    health: Health
    metrics: Metrics
    simulated_allowed: bool


async def services(request: Request) -> Services:
    """Async, or each request would wait for a thread to look it up."""
    of_app: Services = request.app.state.services
    return of_app


OfApp = Annotated[Services, Depends(services)]
