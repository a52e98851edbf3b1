"""Opaque cursors for keyset pages, and the link to the next one."""

import base64
import binascii
import json
from typing import Any

from fastapi import Request

from vitalrelay.adapters.inbound.http.problems import RequestRefused

LONGEST = 512


def write_cursor(*key: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def read_cursor(cursor: str, *types: type) -> list[Any]:
    """The key that a page ended with. Raises RequestRefused for what is no cursor of ours."""
    try:
        if len(cursor) > LONGEST:
            raise ValueError
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        key = None
    if not isinstance(key, list) or [type(part) for part in key] != list(types):
        raise RequestRefused("invalid-request", "The cursor is not one of ours.")
    return key


def next_link(request: Request, cursor: str | None) -> dict[str, str]:
    if cursor is None:
        return {}
    url = request.url.include_query_params(cursor=cursor)
    return {"Link": f'<{url.path}?{url.query}>; rel="next"'}
