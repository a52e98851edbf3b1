"""What the API is made of: handed in by bootstrap, reached through the application's state."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from vitalrelay.adapters.inbound.group_commit import GroupCommit
from vitalrelay.adapters.inbound.metrics import Metrics
from vitalrelay.ports.health import Health
from vitalrelay.usecases.inspect_projections import InspectProjections
from vitalrelay.usecases.inspect_records import InspectRecords
from vitalrelay.usecases.read_snapshots import ReadSnapshots


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    commits: GroupCommit
    snapshots: ReadSnapshots
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
