"""What a clinician's action brings along: who, why, when by their clock, and under which key."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import structlog
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from vitalrelay.adapters.inbound.http.bodies import (
    require_identity,
    require_media_type,
    whole_body,
)
from vitalrelay.adapters.inbound.http.middleware import request_id
from vitalrelay.adapters.inbound.http.problems import RequestRefused
from vitalrelay.adapters.inbound.http.services import Services
from vitalrelay.adapters.inbound.http.strict_json import UnusableText, parse
from vitalrelay.domain.actions import Acknowledge, Action, Mute, ResolveReview
from vitalrelay.domain.audit import Signature
from vitalrelay.domain.document import Document
from vitalrelay.domain.errors import Fault, Refused
from vitalrelay.domain.fingerprint import LARGEST_EXACT, canonical_json
from vitalrelay.domain.idempotency import ActionKey
from vitalrelay.domain.packet import ID

log = structlog.get_logger()

MAX_BODY_BYTES = 65_536
LONGEST_KEY = 255
ROLE = "clinician"
WORDS: dict[type[Action], str] = {
    Acknowledge: "acknowledge",
    Mute: "mute",
    ResolveReview: "resolve-review",
}
UNUSABLE = Fault("", "has text with NUL or half a surrogate pair")

Words = Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]


class ActorIn(BaseModel):
    """Who acts. ``clientTimeMs`` is kept, and decides nothing."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)

    actor_ref: Annotated[str, Field(pattern=f"^{ID.pattern}$")]
    client_time_ms: Annotated[int, Field(ge=0, lt=LARGEST_EXACT)] | None = None


In = TypeVar("In", bound=ActorIn)


def body_of(kind: type[In]) -> Callable[[Request], Awaitable[In]]:
    """A dependency that reads the body as this, as strictly as a packet's."""

    async def read(request: Request) -> In:
        require_media_type(request, "application/json")
        require_identity(request)
        try:
            return kind.model_validate(parse(await whole_body(request, MAX_BODY_BYTES)))
        except UnusableText:
            raise RequestRefused("invalid-request", "", faults=[UNUSABLE]) from None
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False, include_context=False)
            raise RequestValidationError(
                [{**detail, "loc": ("body", *detail["loc"])} for detail in details]
            ) from None

    return read


def described(kind: type[ActorIn]) -> dict[str, Any]:
    """What such an action takes, for the API's description."""
    return {
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "The same key, address and body: the first answer again.",
                "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
                "example": "6f1d2c0e-0d6c-4c1c-9d55-0f6b1f4d7a11",
            }
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": kind.model_json_schema()}},
        },
    }


def answered_with(
    example: object, description: str = "Done, or unchanged: it is so now."
) -> dict[int | str, dict[str, Any]]:
    content = {"application/json": {"example": example}}
    return {200: {"description": description, "content": content}}


async def act(of: Services, request: Request, action: Action, actor: ActorIn) -> Document:
    """Do it, once for each key, and see that the screens are told."""
    key = key_of(request, actor)
    signed = Signature(
        actor_ref=actor.actor_ref,
        actor_role=ROLE,
        client_ms=actor.client_time_ms,
        request_id=request_id.get(),
        key=None if key is None else key.digest,
    )
    word = WORDS[type(action)]
    try:
        answer, claims = await of.act(action, signed, key)
    except Refused:
        of.metrics.actions.labels(word, "refused").inc()
        raise
    of.deliver(claims)
    of.metrics.actions.labels(word, answer["outcome"]).inc()
    log.info("acted", operation=word, outcome=answer["outcome"], actorRef=actor.actor_ref)
    return answer


def answer_response(document: object) -> Response:
    """In canonical form: whether it is told for the first time or again cannot be seen."""
    return Response(canonical_json(document), media_type="application/json")


def key_of(request: Request, actor: ActorIn) -> ActionKey | None:
    """Raises RequestRefused for a key that is none."""
    given = request.headers.getlist("idempotency-key")
    if not given:
        return None
    [key, *more] = given
    if more or not 0 < len(key) <= LONGEST_KEY or not (key.isascii() and key.isprintable()):
        fault = Fault("/header/Idempotency-Key", "must be one line of 1 to 255 ASCII characters")
        raise RequestRefused("invalid-request", "", faults=[fault])
    return ActionKey.of(key, f"{request.method} {request.url.path}", actor.model_dump())
