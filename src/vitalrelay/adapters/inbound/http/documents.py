"""Answers in JSON, with the domain's decimals as numbers."""

import json
from collections.abc import Mapping
from decimal import Decimal

from fastapi import Response


def json_of(document: object) -> str:
    return _ENCODER.encode(document)


def json_response(document: object, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json_of(document), 200, headers, media_type="application/json")


def _number(value: object) -> int | float:
    if not isinstance(value, Decimal):
        raise TypeError
    return int(value) if value == value.to_integral_value() else float(value)


_ENCODER = json.JSONEncoder(separators=(",", ":"), default=_number, check_circular=False)
