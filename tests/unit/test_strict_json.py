"""What is JSON to us, what is not, and that no bytes at all lead anywhere else."""

import json
import time
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vitalrelay.adapters.inbound.http.strict_json import (
    MAX_DEPTH,
    MAX_DIGITS,
    MAX_NODES,
    MalformedJson,
    UnusableText,
    parse,
)

# As many bytes as a packet may have, or more: nothing here may take longer than it may.
A_BODY = 65_536
LONGEST_CPU_S = 0.25

VALUES = [
    (b"null", None),
    (b"true", True),
    (b" [ ] ", []),
    (b"{}\n", {}),
    (b"\t\r\n 1", 1),
    (b"-0", 0),
    (b"-1", -1),
    (b"123456789", 123456789),
    (b"0.1", Decimal("0.1")),
    (b"1E+2", Decimal(100)),
    (b"1e-2", Decimal("0.01")),
    (b"-0.0", Decimal("-0.0")),
    (b"1e-400", Decimal(0)),
    (b'""', ""),
    (b'" "', " "),
    (b'"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\/\b\f\n\r\t'),
    (b'"\\u0041\\u00e9"', "A\u00e9"),
    (b'"\\ud83d\\ude00"', "\U0001f600"),
    ('"\U0001f600 é"'.encode(), "\U0001f600 é"),
    (b'"\\uffff"', "\uffff"),
    (b'{"a":{"a":1}}', {"a": {"a": 1}}),
    (b'{"":0}', {"": 0}),
    (b'{"a":1,"A":2}', {"a": 1, "A": 2}),
    (b'["[[[[[[[[[[[[[[[[[[[[[[[["]', ["[" * 24]),
    (b'["}\\"]"]', ['}"]']),
    (b"[[],[[]],[[[]]]]", [[], [[]], [[[]]]]),
]

NOT_JSON = [
    b"",
    b" ",
    b"nul",
    b"True",
    b"undefined",
    b"NaN",
    b"[NaN]",
    b"Infinity",
    b"[-Infinity]",
    b'{"a":NaN}',
    b"{}x",
    b"{}{}",
    b"1 2",
    b"[1,]",
    b"[,1]",
    b"[1 2]",
    b"[1",
    b"]",
    b"[}",
    b'{"a":1,}',
    b'{"a" 1}',
    b'{"a":}',
    b"{a:1}",
    b"{'a':1}",
    b"{1:1}",
    b'{"a":1 "b":2}',
    b"/* */ 1",
    b"1 // one",
    b"# 1",
    b"+1",
    b"01",
    b"-01",
    b"1.",
    b".1",
    b"1e",
    b"0x10",
    b"1_000",
    b"--1",
    b"1e1.5",
    "\uff11".encode(),
    b'"',
    b'"a',
    b"'a'",
    b'"\\x41"',
    b'"\\u12"',
    b'"\\u00g0"',
    b'"\\',
    b'"a\nb"',
    b'"a\x00b"',
    b'"\x1f"',
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\x00}\x00",
    b"\xfe\xff\x00{\x00}",
    "{}".encode("utf-16-le"),
    "{}".encode("utf-32-be"),
    b'"\xe9"',
    b'"\xed\xa0\x80"',
    b'"\xc0\x80"',
    b'"\xf4\x90\x80\x80"',
    b'"\xe2\x82"',
    b"\xc2\xa01",
    b"\x0b1",
    b"\x0c1",
    "\u2028[]".encode(),
]

KEYS_TWICE = [
    b'{"a":1,"a":1}',
    b'{"a":1,"b":2,"a":3}',
    b'[{"x":{"a":null,"\\u0061":null}}]',
    b'{"":1,"":1}',
]

UNUSABLE = [
    b'"\\u0000"',
    b'{"a\\u0000":1}',
    b'["\\ud800"]',
    b'"\\udc00\\ud800"',
    b'{"\\udfff":1}',
    b'{"a":[{"b":"x\\ud83dx"}]}',
]

HEAVY = [
    pytest.param(b"[" * A_BODY, id="arrays, never closed"),
    pytest.param(b"[" * 30_000 + b"]" * 30_000, id="arrays in arrays"),
    pytest.param(b'{"a":' * 13_000, id="objects in objects"),
    pytest.param(b'[{"a":' * 8_000 + b"1" + b"}]" * 8_000, id="both in turn"),
    pytest.param(b"[" + b"[]," * 20_000 + b"[]]", id="a great many small ones"),
    pytest.param(b"[" + b"1," * 30_000 + b"1]", id="a great many numbers"),
    pytest.param(b"[" + b'"' * 60_000, id="quotation marks"),
    pytest.param(b'["' + b'\\"' * 32_000, id="a string that never ends, full of escapes"),
    pytest.param(b'["' + b"\\" * 65_000, id="backslashes"),
    pytest.param(b'["' + b'[\\"' * 20_000, id="brackets in a string that never ends"),
    pytest.param(b"[" * 25 + b'"' + b'\\"' * 32_000 + b'"' + b"]" * 25, id="deep, and escapes"),
    pytest.param(b'{"' + b"k" * 65_000 + b'":1}{', id="a long key"),
]


@pytest.mark.parametrize(("raw", "value"), VALUES)
def test_what_is_json_is_read(raw: bytes, value: object) -> None:
    assert parse(raw) == value


@pytest.mark.parametrize("raw", [b"[1]", b"[1.0]", b"[1e3]", b"[true]"])
def test_numbers_are_int_or_decimal_and_never_float(raw: bytes) -> None:
    [value] = parse(raw)

    assert type(value) in (int, Decimal, bool)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (b"0.1", "0.1"),
        (b"0.30000000000000004", "0.30000000000000004"),
        (b"0.1000000000000000055511", "0.1"),
        (b"9007199254740993.0", "9007199254740992.0"),
        (b"5e-324", "5e-324"),
        (b"1e22", "1e+22"),
    ],
)
def test_a_fraction_is_the_double_nearest_to_it(written: bytes, kept: str) -> None:
    assert parse(written) == Decimal(kept)


@pytest.mark.parametrize("raw", NOT_JSON)
def test_what_is_no_json_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedJson):
        parse(raw)


@pytest.mark.parametrize("raw", KEYS_TWICE)
def test_a_key_stands_once(raw: bytes) -> None:
    with pytest.raises(MalformedJson, match=r"^has the same key twice$"):
        parse(raw)


@pytest.mark.parametrize("raw", UNUSABLE)
def test_nul_and_half_a_surrogate_pair_are_told_apart_from_no_json(raw: bytes) -> None:
    with pytest.raises(UnusableText):
        parse(raw)


def test_a_number_has_so_many_digits_and_no_more() -> None:
    longest = b"1" * MAX_DIGITS

    assert parse(longest) == int(longest)
    for number in (longest + b"1", b"-" + longest, b"0." + longest, b"1" * 4_300, b"1" * 5_000):
        with pytest.raises(MalformedJson, match=r"^has a number with too many digits$"):
            parse(number)


@pytest.mark.parametrize("raw", [b"1e309", b"-1e309", b"[1E999999]"])
def test_a_number_that_no_double_can_hold_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedJson, match=r"^has a number that is too large$"):
        parse(raw)


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_ends_at_a_depth_and_says_the_same_beyond_it(
    opening: bytes, closing: bytes
) -> None:
    parse(opening * MAX_DEPTH + b"1" + closing * MAX_DEPTH)

    for depth in (MAX_DEPTH + 1, 150, 400, 900, 1_001, 100_000):
        with pytest.raises(MalformedJson, match=r"^is nested too deeply or too large$"):
            parse(opening * depth + b"1" + closing * depth)


def test_brackets_within_strings_are_no_nesting() -> None:
    text = "[{" * (MAX_DEPTH + 5)

    assert parse(json.dumps([text]).encode()) == [text]


def test_depth_behind_escaped_quotation_marks_is_found() -> None:
    deep = b'["\\"",' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"]"

    with pytest.raises(MalformedJson, match=r"^is nested too deeply or too large$"):
        parse(deep)


def test_a_document_has_so_many_members_and_no_more() -> None:
    parse(b"[" + b",".join([b"1"] * MAX_NODES) + b"]")

    with pytest.raises(MalformedJson, match=r"^is nested too deeply or too large$"):
        parse(b"[" + b",".join([b"1"] * (MAX_NODES + 2)) + b"]")


@pytest.mark.parametrize("raw", HEAVY)
def test_no_body_keeps_the_processor_busy(raw: bytes) -> None:
    began = time.process_time()

    with pytest.raises(MalformedJson):
        parse(raw)

    assert time.process_time() - began < LONGEST_CPU_S


@pytest.mark.parametrize("raw", [*NOT_JSON, *KEYS_TWICE, b'["PHI-CANARY-7f3a", oops]'])
def test_the_reason_quotes_nothing(raw: bytes) -> None:
    with pytest.raises(MalformedJson) as refused:
        parse(raw)

    assert str(refused.value) in {
        "must be UTF-8",
        "is not valid JSON",
        "has the same key twice",
        "is nested too deeply or too large",
        "has a number with too many digits",
        "has a number that is too large",
    }


ANY_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text() | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
ALMOST_JSON = st.lists(
    st.sampled_from(
        [*b'[]{}",:\\0123456789.eE+-ntfulrase \n\x00\x80\xed\xa0\xff', b"\\u", b"NaN", b'"a":']
    ).map(lambda part: bytes([part]) if isinstance(part, int) else part),
    max_size=60,
).map(b"".join)


@given(st.binary(max_size=200) | ALMOST_JSON)
@example(b'"\\ud800')
@example(b'{"a":1,"a":\\ud800}')
def test_whatever_comes_is_a_value_or_refused(raw: bytes) -> None:
    try:
        parse(raw)
    except (MalformedJson, UnusableText):
        return


@given(ANY_VALUE)
def test_what_python_writes_is_read_back_or_refused(value: object) -> None:
    written = json.dumps(value).encode()

    try:
        found = parse(written)
    except (MalformedJson, UnusableText):
        return
    assert found == json.loads(written, parse_float=lambda digits: Decimal(repr(float(digits))))


@given(st.text())
def test_text_is_read_unchanged_or_refused(text: str) -> None:
    try:
        found = parse(json.dumps([text], ensure_ascii=True).encode())
    except UnusableText:
        assert "\x00" in text or any("\ud800" <= one <= "\udfff" for one in text)
    else:
        assert found == [text]
