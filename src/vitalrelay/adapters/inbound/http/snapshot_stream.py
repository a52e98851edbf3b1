"""Snapshots as they change: one event for each, server-sent, for as long as somebody listens."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from starlette.types import Receive, Scope, Send

from vitalrelay.adapters.inbound.http.openapi import problems
from vitalrelay.adapters.inbound.http.problems import RequestRefused
from vitalrelay.adapters.inbound.http.services import OfApp
from vitalrelay.adapters.inbound.http.snapshots import Subjects
from vitalrelay.adapters.inbound.snapshot_feed import SnapshotFeed
from vitalrelay.adapters.inbound.snapshot_ring import Wanted
from vitalrelay.domain.errors import Fault
from vitalrelay.domain.packet import SubjectId
from vitalrelay.ports.snapshot_events import Position

router = APIRouter(tags=["snapshots"])

MEDIA_TYPE = "text/event-stream"
ENDLESS = "endless"  # in the request's state: nobody waits for the end of this answer
HEADERS = [
    (b"content-type", MEDIA_TYPE.encode()),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # or a proxy would keep the events to itself
]
DESCRIBED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "hello, snapshot, heartbeat, interrupted, resumed, resync; data is JSON.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
    },
    **problems(422, 503),
}

LastEventId = Annotated[str | None, Header(alias="Last-Event-ID")]
LastEventIdQuery = Annotated[str | None, Query(alias="lastEventId")]


class SnapshotStream(Response):
    """Ends when the caller hangs up, falls too far behind, or the process stops."""

    media_type = MEDIA_TYPE

    def __init__(self, feed: SnapshotFeed, after: Position | None, wanted: Wanted) -> None:
        super().__init__()
        self._feed = feed
        self._after = after
        self._wanted = wanted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises Overloaded before anything is said."""
        while (await receive()).get("more_body"):
            pass
        with self._feed.admitted():
            scope["state"][ENDLESS] = True
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            async with asyncio.TaskGroup() as both:
                telling = both.create_task(self._tell(send))
                # The next that is received is that they hung up, or that we did.
                await receive()
                telling.cancel()

    async def _tell(self, send: Send) -> None:
        async def tell(said: bytes) -> None:
            await send({"type": "http.response.body", "body": said, "more_body": True})

        await self._feed.follow(tell, self._after, self._wanted)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@router.get(
    "/v1/snapshots/stream",
    status_code=200,
    operation_id="streamSnapshots",
    response_class=SnapshotStream,
    responses=DESCRIBED,
)
async def stream_snapshots(
    of: OfApp,
    subjects: Subjects = None,
    last_event_id: LastEventId = None,
    last_event_id_in_query: LastEventIdQuery = None,
) -> Response:
    """
    What changed, as it changes: whose snapshot, and which version it has now.

    - `hello` comes first; its id is the place from which the stream goes on. Open the stream, then
      read the snapshots, and nothing is lost in between.
    - `snapshot`: the patient's snapshot has this version now. Read it by `GET /v1/snapshots`.
    - `resync`: something may have been missed (`trimmed`, `lost`). Read all snapshots again.
    - `heartbeat`: nothing else to say. `interrupted`: what is published is not heard of until
      `resumed`.

    Who comes back with `Last-Event-ID` (or `lastEventId`, which the header overrules) is told
    everything since, or a `resync`; after `0-0` everything that is held.
    """
    after = position_of(last_event_id, "/header/Last-Event-ID")
    if after is None:
        after = position_of(last_event_id_in_query, "/query/lastEventId")
    wanted = None if subjects is None else frozenset(map(SubjectId, subjects))
    return SnapshotStream(of.feed, after, wanted)


def position_of(given: str | None, pointer: str) -> Position | None:
    if given is None:
        return None
    position = Position.from_text(given)
    if position is None:
        raise RequestRefused("invalid-request", "", faults=[Fault(pointer, "is not an id of ours")])
    return position
