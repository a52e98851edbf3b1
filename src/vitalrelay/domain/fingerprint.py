"""
What makes two documents equal: SHA-256 over the canonical form of RFC 8785.

Numbers are ``int`` or ``Decimal``, never ``float``: the canonical form speaks of doubles, and a
Decimal becomes the double nearest to it.
"""

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

import orjson

ALGORITHM = "sha256:"
LARGEST_EXACT = 2**53


def fingerprint(canonical: str) -> str:
    """Of a document in its canonical form."""
    return ALGORITHM + hashlib.sha256(canonical.encode()).hexdigest()


def canonical_json(document: object) -> str:
    """
    A JSON document in the one form that RFC 8785 allows.

    Integers must stay below 2^53, where doubles are exact. Raises ValueError for NaN,
    infinities and lone surrogates.
    """
    try:
        # The fast encoder agrees with RFC 8785 on plain text and on everyday numbers.
        text = orjson.dumps(document, _everyday, orjson.OPT_SORT_KEYS).decode()
        if text.isascii():
            return text
    except orjson.JSONEncodeError:
        pass
    return _careful(document)


@lru_cache(65_536)
def _everyday(value: object) -> int | float:
    if not isinstance(value, Decimal):
        raise TypeError
    number = float(value)
    size = abs(number)
    if size < LARGEST_EXACT and number.is_integer():
        return int(number)
    if 1e-4 <= size < LARGEST_EXACT:
        return number
    raise ValueError("not an everyday number")


def _careful(value: object) -> str:
    match value:
        case None | bool() | str():
            text = json.dumps(value, ensure_ascii=False)
            text.encode()  # a lone surrogate has no UTF-8
            return text
        case int() | Decimal():
            return _number(value)
        case Mapping():
            members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
            return "{" + ",".join(f"{_careful(k)}:{_careful(item)}" for k, item in members) + "}"
        case list() | tuple():
            return "[" + ",".join(map(_careful, value)) + "]"
        case _:
            raise TypeError(f"{type(value).__name__} has no place in a document")


def _number(value: int | Decimal) -> str:
    """As ECMAScript prints a double: the shortest digits that lead back to it."""
    if isinstance(value, int):
        return str(value)
    sign, digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()
    if not isinstance(exponent, int):
        raise ValueError("not a finite number")
    if digits == (0,):
        return "0"
    shown = "".join(map(str, digits))
    point = len(shown) + exponent  # digits before the decimal point
    return "-" * sign + _placed(shown, point)


def _placed(digits: str, point: int) -> str:
    if point > 21 or point <= -6:  # ECMA-262, Number::toString
        rest = f".{digits[1:]}" if digits[1:] else ""
        return f"{digits[0]}{rest}e{point - 1:+d}"
    if point <= 0:
        return "0." + "0" * -point + digits
    if point >= len(digits):
        return digits + "0" * (point - len(digits))
    return f"{digits[:point]}.{digits[point:]}"
