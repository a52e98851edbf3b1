"""Snapshots for screens: the document, whole, with where it came from and how old it is."""

import time
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, TypeAdapter, ValidationError

from vitalrelay.adapters.inbound.http.cursors import next_link, read_cursor, write_cursor
from vitalrelay.adapters.inbound.http.documents import json_of
from vitalrelay.adapters.inbound.http.front_door import JSON, Prepared
from vitalrelay.adapters.inbound.http.openapi import problems
from vitalrelay.adapters.inbound.http.query import only_known_parameters, refused
from vitalrelay.adapters.inbound.http.services import OfApp, services
from vitalrelay.domain.fingerprint import LARGEST_EXACT
from vitalrelay.domain.packet import ID, SubjectId
from vitalrelay.usecases.read_snapshots import Page, Read

router = APIRouter(tags=["snapshots"])
front = APIRouter(tags=["snapshots"])

MANY = 200
CACHE = "private, no-cache"
HAD_ALREADY: dict[int | str, dict[str, Any]] = {
    304: {"description": "The caller has this very document already"}
}

AT_LEAST = TypeAdapter(Annotated[int, Field(ge=0, lt=LARGEST_EXACT)])
PARAMETERS: dict[str, Any] = {
    "parameters": [
        {"name": "subject_id", "in": "path", "required": True, "schema": {"type": "string"}},
        {
            "name": "atLeastVersion",
            "in": "query",
            "required": False,
            "schema": {**AT_LEAST.json_schema(), "default": 0},
        },
    ]
}

Subjects = Annotated[list[str] | None, Query(alias="subjectId", min_length=1, max_length=MANY)]
Site = Annotated[str | None, Query(alias="siteId", pattern=f"^{ID.pattern}$")]
Limit = Annotated[int, Query(ge=1, le=MANY)]
OF_PAGES = {"siteId", "limit", "cursor"}


def now_ms() -> int:
    """By the clock of this API's machine: neither the database's nor any device's."""
    return time.time_ns() // 1_000_000


@front.get(
    "/v1/subjects/{subject_id}/snapshot",
    operation_id="getSnapshot",
    openapi_extra=PARAMETERS,
    responses=HAD_ALREADY | problems(404, 422, 503),
)
async def get_snapshot(request: Request) -> Response:
    """A patient's snapshot, never older than asked for; 304 where the caller has it already."""
    of = await services(request)
    subject = SubjectId(request.path_params["subject_id"])
    return answer(request, await of.snapshots.one(subject, await at_least_version(request)))


@router.get(
    "/v1/snapshots/latest",
    operation_id="getLatestSnapshot",
    responses=HAD_ALREADY | problems(404, 503),
)
async def get_latest(request: Request, of: OfApp) -> Response:
    """The snapshot of the patient who was heard of last."""
    return answer(request, await of.snapshots.latest())


@router.get("/v1/snapshots", operation_id="listSnapshots", responses=problems(422, 503))
async def list_snapshots(
    request: Request,
    of: OfApp,
    subjects: Subjects = None,
    site: Site = None,
    limit: Limit = MANY,
    cursor: str | None = None,
) -> Response:
    """
    Many patients at once, in the order asked for; those that are not known are left out.

    Without a patient: all of them, or those of a site, in order of their ids, a page at a time.
    A page that is not complete has those whom Redis shows, because PostgreSQL does not answer.
    """
    if subjects is None:
        after = SubjectId("") if cursor is None else patient_at(cursor)
        return page_answer(request, await of.snapshots.page(after, limit, site))
    if OF_PAGES & request.query_params.keys():
        raise refused("has subjectId beside what belongs to pages of all patients")
    found = await of.snapshots.many([SubjectId(subject) for subject in dict.fromkeys(subjects)])
    return items_answer(found)


async def at_least_version(request: Request) -> int:
    """Raises RequestRefused, as for any other route."""
    if not request.scope["query_string"]:
        return 0
    await only_known_parameters(request)
    try:
        return AT_LEAST.validate_python(request.query_params.get("atLeastVersion", 0))
    except ValidationError:
        raise refused("is not valid", "/query/atLeastVersion") from None


def patient_at(cursor: str) -> SubjectId:
    [subject] = read_cursor(cursor, str)
    if not ID.fullmatch(subject):
        raise refused("is not valid", "/query/cursor")
    return SubjectId(subject)


def answer(request: Request, read: Read) -> Response:
    """With the age of its newest reading, by our clock: an old number never looks current."""
    shown = read.snapshot
    tag = b'"%b"' % shown.fingerprint.encode()
    headers = [
        (b"etag", tag),
        (b"cache-control", CACHE.encode()),
        (b"vitalrelay-source", read.source.encode()),
        (b"vitalrelay-as-of-ms", b"%d" % shown.as_of_ms),
        (b"vitalrelay-age-ms", b"%d" % read.age_ms(now_ms())),
    ]
    if has_already(request, tag):
        return Prepared(304, headers)
    return Prepared(200, headers + JSON, shown.text.encode())


def has_already(request: Request, tag: bytes) -> bool:
    """The comparison is the weak one, as RFC 9110 has it for reading."""
    for name, value in request.scope["headers"]:
        if name == b"if-none-match":
            known = [one.strip().removeprefix(b"W/") for one in value.split(b",")]
            if tag in known or b"*" in known:
                return True
    return False


def page_answer(request: Request, page: Page) -> Response:
    then = None if page.then is None else write_cursor(page.then)
    more = f',"next":{json_of(then)},"complete":{json_of(page.complete)}'
    return items_answer(page.reads, more, next_link(request, then))


def items_answer(
    reads: Iterable[Read], more: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """Documents are passed on as they are, not parsed and written again."""
    at_ms = now_ms()
    items = ",".join(
        f'{{"source":"{read.source}","ageMs":{read.age_ms(at_ms)},"snapshot":{read.snapshot.text}}}'
        for read in reads
    )
    return Response(
        f'{{"serverTimeMs":{at_ms},"items":[{items}]{more}}}',
        headers={"Cache-Control": CACHE, **(headers or {})},
        media_type="application/json",
    )
