"""Canonical JSON is RFC 8785 to the byte, and the fingerprint depends on nothing else."""

import hashlib
import json
import struct
from decimal import Decimal

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.domain.strategies import often
from vitalrelay.domain.fingerprint import canonical_json, fingerprint

# RFC 8785, appendix B: the bits of a double, and how ECMAScript prints it.
PRINTED = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]

# RFC 8785, section 3.2.3: in the order of UTF-16, where an emoji stands before a Hebrew letter.
MIXED = ["\r", "1", "\x80", "\xf6", "\u20ac", "\U0001f600", "\ufb33"]


def as_decimals(value: object) -> object:
    """A document as the domain holds it: no floats."""
    match value:
        case float():
            return Decimal(repr(value))
        case list():
            return [as_decimals(item) for item in value]
        case dict():
            return {name: as_decimals(item) for name, item in value.items()}
        case _:
            return value


finite = st.floats(allow_nan=False, allow_infinity=False)
# Where doubles change how they are printed.
edges = st.sampled_from([1e-7, 1e-6, 1e-5, 1e-4, 0.1, 2.0**53, 1e15, 1e16, 1e20, 1e21, 1e22, -0.0])
integers = st.integers(-(2**53) + 1, 2**53 - 1)
texts = st.text() | st.text(st.characters(max_codepoint=0x9F)) | st.sampled_from(MIXED)
documents = st.recursive(
    st.none() | st.booleans() | integers | finite | edges | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@often
@given(documents)
@example(dict.fromkeys(MIXED, 1.5))
@example(["\x00\x08\t\n\x0b\x0c\r\x1f\x7f\"\\/<>'\u2028"])
def test_the_canonical_form_is_that_of_rfc_8785(document):
    expected = rfc8785.dumps(document).decode()

    ours = canonical_json(as_decimals(document))

    assert ours == expected


@pytest.mark.parametrize(("bits", "printed"), PRINTED)
def test_a_double_is_printed_as_ecmascript_prints_it(bits, printed):
    [number] = struct.unpack(">d", bytes.fromhex(bits))

    alone = canonical_json(Decimal(repr(number)))
    beside_a_word = canonical_json(["é", Decimal(repr(number))])

    assert alone == printed
    assert beside_a_word == f'["é",{printed}]'


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("96.10", "96.1"),
        ("81.000", "81"),
        ("9.6E+1", "96"),
        ("-0.0", "0"),
        ("0.1000000000000000055511151231257827", "0.1"),
        ("9007199254740993", "9007199254740992"),
        ("1e-400", "0"),
    ],
)
def test_a_decimal_becomes_the_nearest_double(written, canonical):
    number = Decimal(written)

    text = canonical_json({"value": number})

    assert text == f'{{"value":{canonical}}}'


def test_members_stand_in_the_order_of_utf_16():
    names = reversed(MIXED)

    text = canonical_json(dict.fromkeys(names, True))

    assert list(json.loads(text)) == MIXED


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ('"\\/', '"\\"\\\\/"'),
        ("\b\t\n\f\r", '"\\b\\t\\n\\f\\r"'),
        ("\x00\x01\x1f", '"\\u0000\\u0001\\u001f"'),
        ("\x7f", '"\x7f"'),
        ("é😀", '"é😀"'),
    ],
)
def test_a_text_is_escaped_no_more_than_it_has_to_be(text, canonical):
    alone = canonical_json(text)

    beside_a_word = canonical_json([text, "é"])

    assert alone == canonical
    assert beside_a_word == f'[{canonical},"é"]'


@pytest.mark.parametrize(
    "document",
    [
        "\ud800",
        ["\udfff"],
        {"\ud83d": 1},
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        Decimal("-Infinity"),
        Decimal("1e400"),
        [Decimal("NaN"), "é"],
    ],
)
def test_what_rfc_8785_cannot_write_is_refused(document):
    with pytest.raises(ValueError):  # noqa: PT011 - the codec's error is one, with its own words
        canonical_json(document)


@pytest.mark.parametrize("document", [object(), {"a": {1, 2}}, b"bytes", ["é", object()]])
def test_what_is_no_json_is_refused(document):
    with pytest.raises(TypeError):
        canonical_json(document)


@often
@given(documents)
def test_the_fingerprint_survives_json(document):
    canonical = canonical_json(as_decimals(document))

    read_again = json.loads(canonical, parse_float=Decimal)

    assert canonical_json(read_again) == canonical
    assert fingerprint(canonical_json(read_again)) == fingerprint(canonical)


@often
@given(st.dictionaries(texts, documents, min_size=2, max_size=5))
def test_the_fingerprint_does_not_depend_on_the_order_of_members(document):
    backwards = dict(reversed(document.items()))

    texts_of_both = [canonical_json(as_decimals(one)) for one in (document, backwards)]

    assert texts_of_both[0] == texts_of_both[1]


def test_the_fingerprint_is_sha_256_of_the_bytes():
    canonical = canonical_json({"subjectId": "é"})

    ours = fingerprint(canonical)

    assert ours == "sha256:" + hashlib.sha256('{"subjectId":"é"}'.encode()).hexdigest()
    assert ours != fingerprint(canonical_json({"subjectId": "e"}))
