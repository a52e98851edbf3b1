"""
Reading JSON strictly: UTF-8 only, no key twice, no NaN, bounded in depth, size and digits.

The standard parser would keep the last of two equal keys, guess UTF-16, and take NaN.
"""

import json
import re
from decimal import Decimal
from typing import Any

MAX_DEPTH = 20
MAX_NODES = 2_000
MAX_DIGITS = 25

# Possessive, and content with a string that never ends: no body can make it start over.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_UNPAIRED = re.compile("[\ud800-\udfff\x00]")
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class MalformedJson(Exception):
    """The body is not JSON as we read it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class UnusableText(Exception):
    """JSON, but with text that cannot be kept: NUL, or half of a surrogate pair."""


def parse(raw: bytes) -> Any:
    """
    The document; its numbers are ``int`` or ``Decimal``.

    Raises MalformedJson with a reason that quotes nothing, and UnusableText.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise MalformedJson("must be UTF-8") from None
    _bound(raw, text)
    try:
        document = _DECODER.decode(text)
    except json.JSONDecodeError:
        raise MalformedJson("is not valid JSON") from None
    except RecursionError:
        raise MalformedJson("is nested too deeply or too large") from None
    if "\\u" in text and _has_unusable_text(document):
        raise UnusableText
    return document


def _bound(raw: bytes, text: str) -> None:
    """Depth and size, before any object is built."""
    brackets = raw.translate(None, _ALL_BUT_BRACKETS)
    if len(brackets) > 2 * MAX_NODES or raw.count(b",") > MAX_NODES:
        raise MalformedJson("is nested too deeply or too large")
    for _ in range(MAX_DEPTH):
        if not brackets:
            return
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
    if brackets and _depth(text) > MAX_DEPTH:
        raise MalformedJson("is nested too deeply or too large")


def _depth(text: str) -> int:
    """Exact, with an eye for brackets within strings."""
    depth = deepest = 0
    for token in _TOKEN.finditer(text):
        match token.group()[0]:
            case "[" | "{":
                depth += 1
                deepest = max(deepest, depth)
            case "]" | "}":
                depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedJson("has the same key twice")
    return members


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise MalformedJson("has a number with too many digits")
    return int(digits)


def _decimal(digits: str) -> Decimal:
    """Of the double nearest to it: the canonical form knows no other numbers."""
    if len(digits) > MAX_DIGITS:
        raise MalformedJson("has a number with too many digits")
    nearest = float(digits)
    if nearest in (float("inf"), float("-inf")):
        raise MalformedJson("has a number that is too large")
    return Decimal(repr(nearest))


def _no_constant(_: str) -> None:
    raise MalformedJson("is not valid JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_decimal,
    parse_constant=_no_constant,
)


def _has_unusable_text(document: Any) -> bool:
    if isinstance(document, str):
        return _UNPAIRED.search(document) is not None
    if isinstance(document, dict):
        return any(map(_has_unusable_text, (*document.keys(), *document.values())))
    return isinstance(document, list) and any(map(_has_unusable_text, document))
