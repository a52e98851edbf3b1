"""RFC 9457: the only place where an error meets a status code."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from vitalrelay.adapters.inbound.http.strict_json import MalformedJson
from vitalrelay.domain.errors import (
    CountChanged,
    Fault,
    InvalidPacket,
    InvalidRequest,
    KeyReused,
    NotFound,
    NotPossible,
    OutcomeUnknown,
    Overloaded,
    PacketConflict,
    SnapshotBehind,
    StorageUnavailable,
    TryAgain,
    VitalrelayError,
)

BASE = "/problems/"
MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = "1"


@dataclass(frozen=True, slots=True)
class Kind:
    slug: str
    status: int
    meaning: str

    @property
    def title(self) -> str:
        return self.slug.replace("-", " ").capitalize()


KINDS = {
    slug: Kind(slug, status, meaning)
    for slug, status, meaning in (
        ("malformed-json", 400, "The body is not JSON as we read it. Nothing was stored."),
        ("malformed-request", 400, "The request's framing or headers cannot be read."),
        ("not-found", 404, "There is no such thing here, or no such page."),
        ("method-not-allowed", 405, "This address does not take this method; see Allow."),
        ("request-timeout", 408, "The request did not arrive in time. Send it again."),
        (
            "packet-conflict",
            409,
            "A packet with this id and other content is stored already. It was left as it is.",
        ),
        (
            "count-changed",
            409,
            "Another number of projections matches by now. Nothing was changed.",
        ),
        ("not-possible", 409, "This is not possible in the state it is in."),
        (
            "too-large",
            413,
            "The body, a line of it, or what it expands to is too large. Nothing of it was stored.",
        ),
        (
            "unsupported-media-type",
            415,
            "The media type, character set or encoding is not one we read.",
        ),
        (
            "invalid-packet",
            422,
            "The packet cannot be a reading; errors says which field and why. Nothing was stored.",
        ),
        (
            "idempotency-key-reused",
            422,
            "This Idempotency-Key came with another request before. Nothing was changed.",
        ),
        ("invalid-request", 422, "A parameter or body is not what belongs here."),
        ("internal-error", 500, "A mistake of ours. The log knows more under the request id."),
        (
            "overloaded",
            503,
            "Too much is waiting. Nothing was stored; come back after Retry-After seconds.",
        ),
        (
            "outcome-unknown",
            503,
            "The database went away before it confirmed. Repeat the same request: a packet, or an "
            "action under its Idempotency-Key, is kept once.",
        ),
        (
            "storage-unavailable",
            503,
            "The database does not answer. Nothing was stored; come back after Retry-After "
            "seconds.",
        ),
        (
            "snapshot-behind",
            503,
            "That version is not known here yet; come back after Retry-After seconds.",
        ),
    )
}


class RequestRefused(Exception):
    """What only HTTP knows: a media type, a size, a time limit."""

    def __init__(
        self,
        slug: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        faults: Sequence[Fault] = (),
    ) -> None:
        super().__init__(detail)
        self.slug = slug
        self.faults = tuple(faults)
        self.headers = dict(headers or {})


SLUGS: dict[type[Exception], str] = {
    MalformedJson: "malformed-json",
    InvalidPacket: "invalid-packet",
    InvalidRequest: "invalid-request",
    PacketConflict: "packet-conflict",
    CountChanged: "count-changed",
    NotFound: "not-found",
    NotPossible: "not-possible",
    KeyReused: "idempotency-key-reused",
    Overloaded: "overloaded",
    OutcomeUnknown: "outcome-unknown",
    StorageUnavailable: "storage-unavailable",
    SnapshotBehind: "snapshot-behind",
}

Problem = dict[str, object]


def slug_of(error: Exception) -> str:
    if isinstance(error, RequestRefused):
        return error.slug
    return next(SLUGS[kind] for kind in type(error).__mro__ if kind in SLUGS)


def problem_of(error: Exception) -> Problem:
    """The document for an error of ours; it never holds what was sent."""
    detail = f"The body {error}." if isinstance(error, MalformedJson) else str(error)
    with_faults = InvalidPacket | InvalidRequest | RequestRefused
    faults = error.faults if isinstance(error, with_faults) else ()
    problem = problem_document(slug_of(error), detail, faults)
    if isinstance(error, CountChanged):
        problem["matching"] = error.matching
    if isinstance(error, NotPossible):
        problem["state"] = error.state
    return problem


def problem_document(slug: str, detail: str, faults: Sequence[Fault] = ()) -> Problem:
    kind = KINDS[slug]
    problem: Problem = {
        "type": BASE + slug,
        "title": kind.title,
        "status": kind.status,
        "detail": detail or kind.meaning,
    }
    if faults:
        problem["errors"] = [{"pointer": fault.pointer, "reason": fault.reason} for fault in faults]
    return problem


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    status = problem["status"]
    assert isinstance(status, int)
    retry = {"Retry-After": RETRY_AFTER_S} if status == 503 else {}
    return Response(
        json.dumps(problem), status, {**retry, **(headers or {})}, media_type=MEDIA_TYPE
    )


def response_of(error: Exception) -> Response:
    headers = error.headers if isinstance(error, RequestRefused) else None
    return problem_response(problem_of(error), headers)


OURS: tuple[type[Exception], ...] = (VitalrelayError, MalformedJson, RequestRefused)
OUTAGES: tuple[type[Exception], ...] = (TryAgain,)
