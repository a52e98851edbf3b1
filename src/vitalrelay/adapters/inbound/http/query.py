"""Query parameters: a misspelt one must not be lost without a word, nor one said twice."""

from collections import Counter
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import BaseModel

from vitalrelay.adapters.inbound.http.problems import RequestRefused
from vitalrelay.domain.errors import Fault

SEVERAL = {"subjectId"}


async def only_known_parameters(request: Request) -> None:
    """Raises RequestRefused for a name the operation does not know, or knows once and got twice."""
    if not request.scope["query_string"]:
        return
    given = Counter(name for name, _ in request.query_params.multi_items())
    known = names_of(request.scope["route"])
    if given.keys() - known:
        raise refused("has a parameter that is not known here")
    if any(count > 1 for name, count in given.items() if name not in SEVERAL):
        raise refused("has a parameter twice that may stand only once")


def refused(reason: str, pointer: str = "/query") -> RequestRefused:
    return RequestRefused("invalid-request", "", faults=[Fault(pointer, reason)])


def names_of(route: APIRoute) -> frozenset[str]:
    """Looked up once for each operation."""
    if route.operation_id not in _NAMES:
        _NAMES[route.operation_id] = _names_of(route)
    return _NAMES[route.operation_id]


_NAMES: dict[str | None, frozenset[str]] = {}


def _names_of(route: APIRoute) -> frozenset[str]:
    described = (route.openapi_extra or {}).get("parameters", ())
    names = {parameter["name"] for parameter in described if parameter["in"] == "query"}
    for parameter in route.dependant.query_params:
        model: Any = parameter.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            names |= {field.alias or name for name, field in model.model_fields.items()}
        else:
            names.add(parameter.alias)
    return frozenset(names)
