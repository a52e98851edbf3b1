"""What the API description says beyond the code: bodies we read ourselves, problems by status."""

from typing import Any

from vitalrelay.adapters.inbound.http.packet_in import PacketIn
from vitalrelay.adapters.inbound.http.problems import BASE, KINDS, MEDIA_TYPE

PACKET_SCHEMA = PacketIn.model_json_schema(ref_template="#/components/schemas/{model}")
SCHEMAS = {**PACKET_SCHEMA.pop("$defs", {}), "PacketIn": PACKET_SCHEMA}

PACKET_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PacketIn"}}},
    }
}
BATCH_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One packet a line; gzip or zstd by Content-Encoding.",
        "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
    }
}

PROBLEM_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "reason"],
                "properties": {"pointer": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem types an operation may answer with, by status."""
    return {
        status: {
            "description": " · ".join(
                BASE + kind.slug for kind in KINDS.values() if kind.status == status
            ),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def with_problems(document: dict[str, Any]) -> dict[str, Any]:
    """The framework's description, with our schemas, and our 422 where it puts in its own."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas |= {**SCHEMAS, "Problem": PROBLEM_SCHEMA}
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for operations in document["paths"].values():
        for operation in operations.values():
            if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                operation["responses"]["422"] = problems(422)[422]
    return document
