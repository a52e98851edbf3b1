"""Snapshots for screens: the document, whole, with where it came from."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from vitalrelay.adapters.inbound.http.openapi import problems
from vitalrelay.adapters.inbound.http.services import OfApp
from vitalrelay.domain.fingerprint import LARGEST_EXACT
from vitalrelay.domain.packet import SubjectId
from vitalrelay.usecases.read_snapshots import Read

router = APIRouter(tags=["snapshots"])

MANY = 200
CACHE = "private, no-cache"
AtLeast = Annotated[int, Query(alias="atLeastVersion", ge=0, lt=LARGEST_EXACT)]
Subjects = Annotated[list[str], Query(alias="subjectId", min_length=1, max_length=MANY)]


@router.get(
    "/v1/subjects/{subject_id}/snapshot",
    operation_id="getSnapshot",
    responses=problems(404, 422, 503),
)
async def get_snapshot(
    request: Request, subject_id: str, of: OfApp, at_least_version: AtLeast = 0
) -> Response:
    """A patient's snapshot, never older than asked for; 304 where the caller has it already."""
    return answer(request, await of.snapshots.one(SubjectId(subject_id), at_least_version))


@router.get("/v1/snapshots/latest", operation_id="getLatestSnapshot", responses=problems(404, 503))
async def get_latest(request: Request, of: OfApp) -> Response:
    """The snapshot of the patient who was heard of last."""
    return answer(request, await of.snapshots.latest())


@router.get("/v1/snapshots", operation_id="listSnapshots", responses=problems(422, 503))
async def get_many(of: OfApp, subjects: Subjects) -> Response:
    """Many patients at once; those that are not known are left out."""
    reads = await of.snapshots.many([SubjectId(subject) for subject in dict.fromkeys(subjects)])
    items = ",".join(
        f'{{"source":"{read.source}","snapshot":{read.snapshot.text}}}' for read in reads
    )
    return Response(
        f'{{"items":[{items}]}}', headers={"Cache-Control": CACHE}, media_type="application/json"
    )


def answer(request: Request, read: Read) -> Response:
    tag = f'"{read.snapshot.fingerprint}"'
    headers = {"ETag": tag, "Cache-Control": CACHE, "Vitalrelay-Source": read.source.value}
    # The comparison is the weak one, as RFC 9110 has it for reading.
    given = request.headers.get("if-none-match", "").split(",")
    known = [one.strip().removeprefix("W/") for one in given]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(read.snapshot.text, headers=headers, media_type="application/json")
