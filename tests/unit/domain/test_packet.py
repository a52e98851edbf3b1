"""A packet's identity, its content, and how its times stand against the receipt."""

from decimal import Decimal

import pytest

from tests.support import DAY_MS, HOUR_MS, NOW_MS, a_packet, a_signal, received
from vitalrelay.domain.fingerprint import canonical_json
from vitalrelay.domain.packet import ID, Quality, packet_id

FIRST_OF_2020_MS = 1_577_836_800_000
YEAR_2036_MS = 2_082_758_400_000


@pytest.mark.parametrize(
    ("sequence", "expected"),
    [
        (None, "seoul-01:bed-12:1767225600000"),
        (0, "seoul-01:bed-12:1767225600000:0"),
        (4711, "seoul-01:bed-12:1767225600000:4711"),
    ],
)
def test_a_packet_is_known_by_site_device_time_and_sequence(sequence, expected):
    site, device = "seoul-01", "bed-12"

    name = packet_id(site, device, NOW_MS, sequence)

    assert name == expected


@pytest.mark.parametrize("name", ["p-0042", "A", "0015ACFFFE00A1B2", "a._-", "x" * 64])
def test_an_id_is_made_of_letters_digits_and_a_few_signs(name):
    assert ID.fullmatch(name)


@pytest.mark.parametrize("name", ["", "a:b", "-a", ".a", "a b", "a/b", "é", "x" * 65, "a\n"])
def test_an_id_has_no_colon_so_that_two_packets_never_share_theirs(name):
    assert not ID.fullmatch(name)


def test_the_content_is_what_was_sent_without_the_defaults():
    packet = a_packet(
        a_signal("temperature", 99.5, "[degF]", NOW_MS - 2000, Quality.QUESTIONABLE),
        heart_rate=81,
        encounter="e-0042-1",
    )

    content = packet.content()

    assert content == {
        "siteId": "seoul-01",
        "deviceId": "bed-12",
        "subjectId": "p-0042",
        "encounterId": "e-0042-1",
        "timestampMs": NOW_MS,
        "signals": [
            {
                "code": "temperature",
                "value": Decimal("99.5"),
                "unit": "[degF]",
                "measuredAtMs": NOW_MS - 2000,
                "quality": "questionable",
            },
            {"code": "heart_rate", "value": Decimal(81)},
        ],
    }


@pytest.mark.parametrize(
    "other",
    [
        {"heart_rate": 82},
        {"heart_rate": 81, "spo2": 96},
        {"heart_rate": 81, "encounter": "e-2"},
        {"heart_rate": 81, "subject": "p-0043"},
        {"heart_rate": 81, "sequence": 1},
        {"heart_rate": 81, "at_ms": NOW_MS + 1},
    ],
)
def test_other_content_is_told_apart(other):
    one, another = a_packet(heart_rate=81), a_packet(**other)

    contents = [canonical_json(packet.content()) for packet in (one, another)]

    assert contents[0] != contents[1]


def test_a_number_written_another_way_is_the_same_content():
    written = [a_packet(a_signal("spo2", Decimal(text))) for text in ("96", "96.0", "9.6e1")]

    contents = {canonical_json(packet.content()) for packet in written}

    assert len(contents) == 1


@pytest.mark.parametrize(
    ("sent_ms", "effective_ms"),
    [(NOW_MS - 3 * HOUR_MS, NOW_MS - 3 * HOUR_MS), (NOW_MS, NOW_MS), (YEAR_2036_MS, NOW_MS)],
)
def test_no_packet_is_in_effect_later_than_it_was_received(sent_ms, effective_ms):
    packet = received(at_ms=sent_ms, received_ms=NOW_MS, heart_rate=81)

    assert packet.effective_ms == effective_ms
    assert packet.packet.timestamp_ms == sent_ms


@pytest.mark.parametrize(
    ("packet_ms", "signal_ms", "ahead_ms"),
    [
        (NOW_MS, NOW_MS, 0),
        (NOW_MS - DAY_MS, NOW_MS - DAY_MS, 0),
        (NOW_MS + 5, NOW_MS, 5),
        (NOW_MS, NOW_MS + 7, 7),
        (NOW_MS + 5, NOW_MS + 7, 7),
    ],
)
def test_a_clock_is_ahead_by_its_newest_time(packet_ms, signal_ms, ahead_ms):
    signal = a_signal(measured_ms=signal_ms)

    packet = received(signal, at_ms=packet_ms, received_ms=NOW_MS)

    assert packet.ahead_ms == ahead_ms


@pytest.mark.parametrize(
    ("time_ms", "suspect"),
    [
        (NOW_MS + 2000, False),
        (NOW_MS + 2001, True),
        (YEAR_2036_MS, True),
        (NOW_MS - DAY_MS, False),
        (FIRST_OF_2020_MS, False),
        (FIRST_OF_2020_MS - 1, True),
        (0, True),
    ],
)
def test_a_clock_is_suspect_when_ahead_or_never_set_and_not_when_late(time_ms, suspect):
    by_packet = received(a_signal(), at_ms=time_ms, received_ms=NOW_MS)
    by_signal = received(a_signal(measured_ms=time_ms), at_ms=NOW_MS, received_ms=NOW_MS)

    suspicions = [by_packet.clock_suspect, by_signal.clock_suspect]

    assert suspicions == [suspect, suspect]


def test_a_packet_without_signals_has_a_clock_too():
    empty = received(at_ms=NOW_MS + 5, received_ms=NOW_MS)  # a message of nothing but NAV

    assert (empty.effective_ms, empty.ahead_ms, empty.clock_suspect) == (NOW_MS, 5, False)
