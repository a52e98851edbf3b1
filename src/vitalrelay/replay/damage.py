"""Damaged packets: each of a kind that no API may ever accept, whoever sends it."""

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any, Final

from vitalrelay.replay.packets import WirePacket

Content = dict[str, Any]


def damaged(packet: WirePacket, chance: Random) -> WirePacket:
    """A damaged copy. It goes by the id of the packet it was, which is never to be stored."""
    try:
        body = chance.choice(KINDS)(json.loads(packet.body), chance)
    except (ValueError, LookupError, TypeError, AttributeError):
        body = b""
    return replace(packet, body=body or _cut(packet.body, chance))


def _cut(body: bytes, chance: Random) -> bytes:
    return body[: chance.randint(1, max(1, len(body) - 1))]


def _cut_off(content: Content, chance: Random) -> bytes:
    return _cut(_json(content), chance)


def _more_after_the_end(content: Content, _: Random) -> bytes:
    return _json(content) + b"}"


def _same_key_twice(content: Content, _: Random) -> bytes:
    return b'{"subjectId":"somebody-else",' + _json(content)[1:]


def _missing_field(content: Content, chance: Random) -> bytes:
    del content[chance.choice(("siteId", "deviceId", "subjectId", "timestampMs", "signals"))]
    return _json(content)


def _blank_subject(content: Content, _: Random) -> bytes:
    return _json(content | {"subjectId": " "})


def _time_in_words(content: Content, _: Random) -> bytes:
    return _json(content | {"timestampMs": "2026-02-30T24:00:00Z"})


def _signals_of_wrong_type(content: Content, _: Random) -> bytes:
    return _json(content | {"signals": {"heart_rate": 81}})


def _no_object(content: Content, _: Random) -> bytes:
    return _json([content])


def _with_first_signal(**change: object) -> Callable[[Content, Random], bytes]:
    def change_it(content: Content, _: Random) -> bytes:
        content["signals"][0].update(change)
        return _json(content)

    return change_it


def _json(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


KINDS: Final = (
    _cut_off,
    _more_after_the_end,
    _same_key_twice,
    _missing_field,
    _blank_subject,
    _time_in_words,
    _signals_of_wrong_type,
    _no_object,
    _with_first_signal(value=float("nan")),
    _with_first_signal(value=None),
    _with_first_signal(value=[81]),
    _with_first_signal(code="hart_rate"),
)
