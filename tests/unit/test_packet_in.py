"""A packet read from its bytes: quickly where all is as it should be, carefully otherwise."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from vitalrelay.adapters.inbound.http.packet_in import careful_packet, read_packet
from vitalrelay.adapters.inbound.http.quick_packet import number_of, quick_packet
from vitalrelay.adapters.inbound.http.strict_json import MalformedJson, UnusableText, parse
from vitalrelay.domain.errors import InvalidPacket
from vitalrelay.domain.packet import ID, LAST_MS, MAX_SIGNALS, Packet
from vitalrelay.domain.signals import CATALOGUE, Numeric

PACKET: dict[str, Any] = {
    "siteId": "seoul-01",
    "deviceId": "bed-12",
    "subjectId": "p-0042",
    "timestampMs": 1767225600000,
    "sequence": 7,
    "signals": [
        {"code": "heart_rate", "value": 81, "unit": "/min"},
        {"code": "spo2", "value": 96.1, "measuredAtMs": 1767225598000, "quality": "good"},
        {"code": "supplemental_oxygen", "value": False},
        {"code": "consciousness", "value": "A"},
    ],
}
WRITTEN = json.dumps(PACKET).encode()

PIECES = st.sampled_from(
    [
        *(b"NaN", b"-Infinity", b"1e999", b"-0.0", b"1E2", b"01", b"1.", b".5", b"+1", b"true"),
        *(b"1" * 26, b"1" * 25, b"0." + b"1" * 30, b"1" * 5_000, b'"A"', b"null", b"[]", b"{}"),
        *(b'"siteId":"x",', b'"sequence":7,', b'"value":1,', b',"x":1', b'"\\u0073iteId":"x",'),
        *(b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xff", b"\0", b"\\u0000", b"\\ud800", b"\\u003a"),
        *(b"[" * 25, b'{"":' * 25, b"//", b"/**/", b",", b":", b'"', b"\\", b" ", b"\n", b"\x0c"),
    ]
)
EDITS = st.lists(
    st.tuples(st.integers(0, len(WRITTEN)), st.integers(0, 12), PIECES | st.binary(max_size=3)),
    min_size=1,
    max_size=3,
)


def edited(edits: list[tuple[int, int, bytes]]) -> bytes:
    raw = WRITTEN
    for at, gone, instead in edits:
        raw = raw[:at] + instead + raw[at + gone :]
    return raw


def verdict_of(read: Callable[[bytes], object], raw: bytes) -> str:
    try:
        read(raw)
    except MalformedJson as error:
        return f"no JSON: it {error}"
    except (InvalidPacket, UnusableText):
        return "JSON, but no packet"
    return "fine"


@given(EDITS)
@example([(1, 0, b'"siteId":"seoul-01",')])
@example([(WRITTEN.index(b"81"), 2, b"1" * 26)])
@example([(WRITTEN.index(b"96.1"), 4, b"NaN")])
@example([(WRITTEN.index(b"/min"), 4, b"\\ud800")])
@settings(max_examples=400)
def test_a_packet_is_read_quickly_only_where_it_could_be_read_strictly(
    edits: list[tuple[int, int, bytes]],
) -> None:
    raw = edited(edits)

    strictly, quickly = verdict_of(parse, raw), verdict_of(read_packet, raw)

    if strictly == "fine":
        assert quickly in ("fine", "JSON, but no packet")
    else:
        assert quickly == strictly


@given(
    st.integers(-(10**24), 10**24)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9))
)
def test_a_number_is_the_same_quickly_and_strictly(number: int | float | Decimal) -> None:
    raw = WRITTEN.replace(b"81", str(number).encode())
    assume(verdict_of(parse, raw) == "fine")

    [heart_rate, *_] = read_packet(raw).signals

    assert heart_rate.value == Decimal(parse(raw)["signals"][0]["value"])


@given(EDITS)
@example([(WRITTEN.index(b"p-0042"), 6, b"p-0042\\n")])
@example([(WRITTEN.index(b"81"), 2, b"1e999")])
@example([(WRITTEN.index(b"81"), 2, b"1" * 30)])
@settings(max_examples=400)
def test_what_is_read_quickly_is_read_no_differently_with_care(
    edits: list[tuple[int, int, bytes]],
) -> None:
    raw = edited(edits)

    quickly = quick_packet(raw)

    if quickly is not None:
        assert careful_packet(raw) == quickly


ids = st.from_regex(ID, fullmatch=True)
times_ms = st.integers(0, LAST_MS)


def signals_of(code: str) -> st.SearchStrategy[dict[str, Any]]:
    kind = CATALOGUE[code]
    values: st.SearchStrategy[object]
    if not isinstance(kind, Numeric):
        values = st.sampled_from(
            [int(choice) if isinstance(choice, Decimal) else choice for choice in kind.choices]
        )
    elif kind.whole:
        values = st.integers(-99, 99)
    else:
        values = st.integers(-(10**20), 10**20) | st.floats(-1e300, 1e300)
    optional = {
        "measuredAtMs": times_ms,
        "quality": st.sampled_from(["good", "questionable", "invalid"]),
    }
    if kind.units():
        optional["unit"] = st.sampled_from(kind.units())
    return st.fixed_dictionaries({"code": st.just(code), "value": values}, optional=optional)


PACKETS = st.fixed_dictionaries(
    {
        "siteId": ids,
        "deviceId": ids,
        "subjectId": ids.filter(lambda name: name not in ("latest", "events")),
        "timestampMs": times_ms,
        "signals": st.lists(
            st.sampled_from(sorted(CATALOGUE)).flatmap(signals_of), min_size=1, max_size=5
        ),
    },
    optional={"encounterId": ids, "sequence": st.integers(0, 2**53 - 1)},
)


@given(PACKETS)
def test_a_packet_that_is_as_it_should_be_is_read_quickly(sent: dict[str, Any]) -> None:
    raw = json.dumps(sent).encode()

    quickly = quick_packet(raw)

    assert isinstance(quickly, Packet)
    assert quickly == careful_packet(raw)


SIGNAL = PACKET["signals"][0]


@pytest.mark.parametrize(
    "change",
    [
        {"siteId": ""},
        {"siteId": "x" * 65},
        {"deviceId": "bed:12"},
        {"deviceId": "bed-12\n"},
        {"subjectId": "latest"},
        {"subjectId": "é"},
        {"encounterId": None},
        {"encounterId": ""},
        {"timestampMs": -1},
        {"timestampMs": LAST_MS + 1},
        {"timestampMs": 1.0},
        {"timestampMs": "1767225600000"},
        {"sequence": 2**53},
        {"sequence": -1},
        {"sequence": None},
        {"sequence": True},
        {"signals": []},
        {"signals": [SIGNAL] * (MAX_SIGNALS + 1)},
        {"signals": {"code": "heart_rate", "value": 81}},
        {"signals": [SIGNAL | {"code": "heartrate"}]},
        {"signals": [SIGNAL | {"value": "81"}]},
        {"signals": [SIGNAL | {"value": True}]},
        {"signals": [SIGNAL | {"value": None}]},
        {"signals": [SIGNAL | {"unit": "Cel"}]},
        {"signals": [SIGNAL | {"unit": None}]},
        {"signals": [SIGNAL | {"measuredAtMs": None}]},
        {"signals": [SIGNAL | {"measuredAtMs": -1}]},
        {"signals": [SIGNAL | {"quality": "simulated"}]},
        {"signals": [SIGNAL | {"quality": None}]},
        {"signals": [SIGNAL | {"more": 1}]},
        {"more": 1},
    ],
)
def test_whatever_is_doubtful_is_left_to_the_careful_reader(change: dict[str, Any]) -> None:
    assert quick_packet(json.dumps(PACKET | change).encode()) is None


def test_of_what_senders_choose_only_numbers_are_remembered_and_no_long_ones() -> None:
    before = number_of.cache_info().currsize

    for value in ("x" * 100_000, "C", True, 10**300):
        quick_packet(json.dumps(PACKET | {"signals": [SIGNAL | {"value": value}]}).encode())

    assert number_of.cache_info().currsize == before
