"""Does it live, is it ready, and what do its numbers say."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse
from prometheus_client import CONTENT_TYPE_LATEST

from vitalrelay.adapters.inbound.http.documents import json_of, json_response
from vitalrelay.adapters.inbound.http.openapi import problems
from vitalrelay.adapters.inbound.http.problems import KINDS
from vitalrelay.adapters.inbound.http.services import OfApp
from vitalrelay.domain.errors import NotFound
from vitalrelay.ports.health import Checked, Purpose, Readiness

router = APIRouter(tags=["health"])

SERVICE_NAME = "vitalrelay-api"
STORAGE_BACKEND = "postgres-redis"


@router.get("/healthz", operation_id="getHealth")
async def get_health() -> Response:
    """The process lives. It touches nothing."""
    return json_response({"status": "ok"})


@router.get("/readyz", operation_id="getReadiness", responses={503: {"description": "Not ready."}})
async def get_readiness(
    of: OfApp, purpose: Annotated[Purpose, Query(alias="for")] = Purpose.ALL
) -> Response:
    """Every check that this purpose needs, each with its own deadline."""
    readiness = await of.health.check(purpose)
    status = 503 if readiness.failed else 200
    return Response(json_of(readiness_out(readiness)), status, media_type="application/json")


def readiness_out(readiness: Readiness) -> dict[str, Any]:
    failed = readiness.failed
    total = len(readiness.checks)
    document: dict[str, Any] = {
        "status": "not-ready" if failed else "ready",
        "serviceName": SERVICE_NAME,
        "storageBackend": STORAGE_BACKEND,
    }
    if failed:
        document["failedCheck"] = failed[0].name
        document["failureType"] = failed[0].failure
    document["failedChecks"] = [
        {"name": checked.name, "failureType": checked.failure} for checked in failed
    ]
    document["dependencySummary"] = {
        "total": total,
        "ready": total - len(failed),
        "failed": len(failed),
    }
    document["durationMs"] = readiness.duration_ms
    document["checks"] = [check_out(checked) for checked in readiness.checks]
    return document


def check_out(checked: Checked) -> dict[str, Any]:
    document: dict[str, Any] = {"name": checked.name, "status": "ready"}
    if checked.failure is not None:
        document |= {"status": "failed", "failureType": checked.failure}
    return {**document, "durationMs": checked.duration_ms}


@router.get("/metrics", operation_id="getMetrics")
async def get_metrics(of: OfApp) -> Response:
    """Prometheus. Gauges of the database are the same whichever process is asked."""
    exposition = await of.metrics.exposition(of.projections.summary)
    return Response(exposition, media_type=CONTENT_TYPE_LATEST)


@router.get(
    "/problems/{slug}",
    operation_id="getProblemPage",
    response_class=HTMLResponse,
    responses=problems(404),
)
async def get_problem_page(slug: str) -> HTMLResponse:
    """What a problem type means: the page that its ``type`` leads to."""
    if slug not in KINDS:
        raise NotFound
    kind = KINDS[slug]
    return HTMLResponse(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{kind.title}</title>"
        f"<h1>{kind.title}</h1><p>Status {kind.status}. {kind.meaning}</p></html>"
    )
