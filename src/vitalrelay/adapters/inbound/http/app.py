"""The application: routes, what every request passes through, and what every error becomes."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import structlog
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from vitalrelay.adapters.inbound.http import (
    alarms,
    assessments,
    health,
    projections,
    review_queue,
    signal_packet_batch,
    signal_packets,
    snapshot_stream,
    snapshots,
    trends,
    ward,
)
from vitalrelay.adapters.inbound.http.front_door import FrontDoor, Handlers
from vitalrelay.adapters.inbound.http.middleware import RequestEnvelope
from vitalrelay.adapters.inbound.http.openapi import with_problems
from vitalrelay.adapters.inbound.http.problems import (
    OURS,
    Problem,
    RequestRefused,
    problem_document,
    problem_of,
    problem_response,
)
from vitalrelay.adapters.inbound.http.query import only_known_parameters
from vitalrelay.adapters.inbound.http.services import Services
from vitalrelay.domain.errors import Fault, TryAgain

log = structlog.get_logger()

Open = Callable[[], AbstractAsyncContextManager[Services]]

FRONT = (signal_packets.front, snapshots.front)
ROUTERS = (
    signal_packets.router,
    signal_packet_batch.router,
    snapshot_stream.router,
    snapshots.router,
    trends.router,
    assessments.router,
    alarms.router,
    review_queue.router,
    projections.router,
    health.router,
    ward.router,
)


class Application(FastAPI):
    """Whatever does not go in by the front door takes the framework's way."""

    front_door: FrontDoor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.front_door.is_for(scope):
            scope["app"] = self
            await self.front_door.enter(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(open_services: Open, version: str, body_timeout_s: float) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services() as services:
            app.state.services = services
            yield

    app = Application(
        title="vitalrelay",
        version=version,
        description="A secondary display and notification system; not a medical device.",
        lifespan=lifespan,
        # Its logs would hold what was refused, its spans the ids in a path.
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(only_known_parameters)],
    )
    front = [route for router in FRONT for route in router.routes if isinstance(route, APIRoute)]
    app.router.routes.extend(front)
    for router in ROUTERS:
        app.include_router(router)
    for kind, handler in HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.add_middleware(RequestEnvelope, body_timeout_s=body_timeout_s)
    app.front_door = FrontDoor(
        front, lambda inner: RequestEnvelope(inner, body_timeout_s), HANDLERS
    )
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """Our own schemas join those that the framework finds in the code."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        document = described()
        return with_problems(document)

    app.openapi = openapi  # type: ignore[method-assign]  # the framework's documented way


async def our_error(request: Request, error: Exception) -> Response:
    if isinstance(error, TryAgain):
        request.scope["state"]["reason"] = error.cause
    headers = getattr(error, "headers", None)
    return answer(request, problem_of(error), headers)


async def http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, RequestRefused):  # wrapped by whoever read the body for us
        return await our_error(request, error.__cause__)
    slugs = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}
    slug = slugs.get(error.status_code, "malformed-request")
    return answer(request, problem_document(slug, ""), error.headers)


async def validation_error(request: Request, error: Exception) -> Response:
    """Of a parameter or of a body that is no packet. The framework's own answer would echo it."""
    assert isinstance(error, RequestValidationError)
    faults = []
    malformed = False
    for detail in error.errors():
        place, *path = detail["loc"]
        malformed |= detail["type"] == "json_invalid"
        known = path if detail["type"] != "extra_forbidden" else path[:-1]
        prefix = "" if place == "body" else f"/{place}"
        pointer = prefix + "".join(f"/{part}" for part in known)
        faults.append(
            Fault(pointer, "is required" if detail["type"] == "missing" else "is not valid")
        )
    if malformed:
        return answer(request, problem_document("malformed-json", ""))
    return answer(request, problem_document("invalid-request", "", list(dict.fromkeys(faults))))


async def hung_up(_request: Request, _error: Exception) -> Response:
    """Nobody is there to be answered."""
    return Response(status_code=400)


HANDLERS: Handlers = {
    **dict.fromkeys(OURS, our_error),
    HTTPException: http_error,
    RequestValidationError: validation_error,
    ClientDisconnect: hung_up,
}


def answer(request: Request, problem: Problem, headers: Any = None) -> Response:
    state = request.scope["state"]
    slug = str(problem["type"]).rpartition("/")[2]
    state["problem"] = slug
    request.app.state.services.metrics.problems.labels(slug).inc()
    problem["instance"] = state["request_id"]
    return problem_response(problem, headers)
