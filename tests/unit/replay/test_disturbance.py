import json
from collections import Counter
from itertools import islice
from random import Random

import pytest

from tests.unit.replay.packets import START_MS, a_packet, a_stream
from vitalrelay.replay.damage import KINDS, damaged
from vitalrelay.replay.disturbance import Disturbance, Part, in_order_of_moments
from vitalrelay.replay.errors import WrongUsage
from vitalrelay.replay.packets import read_packet

ALL = {"duplicates": 0.1, "corrupt": 0.05, "shuffle_s": 30.0}


def sent(disturbance, packets, late_by_s=0.0):
    return list(in_order_of_moments(disturbance.disturb(packets), late_by_s))


def test_the_same_seed_disturbs_in_the_same_way():
    packets = a_stream(500)

    once, again = (sent(Disturbance(**ALL, seed=7), packets) for _ in range(2))

    assert once == again


def test_another_seed_disturbs_in_another_way():
    packets = a_stream(500)

    one, other = (sent(Disturbance(**ALL, seed=seed), packets) for seed in (7, 8))

    assert one != other


def test_one_kind_of_disturbance_does_not_move_another():
    packets = a_stream(500)

    alone = sent(Disturbance(corrupt=0.1), packets)
    beside = sent(Disturbance(corrupt=0.1, duplicates=0.5, shuffle_s=20), packets)

    harmed = [
        sorted(s.packet.body for s in sendings if s.part is Part.DAMAGED)
        for sendings in (alone, beside)
    ]
    assert harmed[0] == harmed[1]


def test_repeats_are_the_same_bytes_and_as_many_as_asked_for():
    packets = a_stream(2000)

    sendings = sent(Disturbance(duplicates=0.25), packets)

    parts = Counter(sending.part for sending in sendings)
    bodies = Counter(sending.packet.body for sending in sendings)
    assert parts[Part.ORIGINAL] == 2000
    assert 400 < parts[Part.REPEAT] < 600
    assert set(bodies.values()) == {1, 2}
    assert sum(bodies.values()) == parts.total()


def test_a_damaged_packet_replaces_the_intact_one_and_is_not_repeated():
    packets = a_stream(2000)

    sendings = sent(Disturbance(corrupt=0.1, duplicates=1.0), packets)

    harmed = {s.packet.packet_id for s in sendings if s.part is Part.DAMAGED}
    intact = {s.packet.packet_id for s in sendings if s.part is not Part.DAMAGED}
    assert 130 < len(harmed) < 270
    assert not harmed & intact
    assert len(harmed | intact) == 2000


def test_shuffling_moves_nothing_by_more_than_its_seconds():
    packets = a_stream(1000)

    sendings = sent(Disturbance(shuffle_s=12), packets)

    times = [sending.happened_ms for sending in sendings]
    newest_before = [max(times[: n + 1]) for n in range(len(times))]
    assert times != sorted(times)
    assert len(times) == 1000
    assert all(newest - own <= 12_000 for newest, own in zip(newest_before, times, strict=True))


def test_shuffling_an_endless_stream_holds_back_only_what_it_must():
    endless = (a_packet(second) for second in iter(int, 1))

    first_ten = list(islice(in_order_of_moments(Disturbance().disturb(endless), 0.0), 10))

    assert len(first_ten) == 10


def test_what_is_out_of_order_within_the_window_is_sorted():
    packets = [a_packet(second) for second in (3, 1, 2, 6, 4, 5, 0)]

    sendings = sent(Disturbance(), packets, late_by_s=3)

    seconds = [(sending.happened_ms - START_MS) // 1000 for sending in sendings]
    assert seconds == [1, 2, 3, 0, 4, 5, 6]


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_damage_leaves_an_acceptable_packet(kind):
    packet = a_packet()

    body = kind(json.loads(packet.body), Random(1))

    assert not acceptable(body)
    assert b"\n" not in body


def test_what_is_no_packet_already_can_still_be_damaged():
    odd = [read_packet(body) for body in (b"nonsense", b"[]", b'{"signals":[]}', b"x")]

    bodies = [damaged(packet, Random(seed)).body for packet in odd for seed in range(20)]

    assert all(body and not acceptable(body) for body in bodies)


@pytest.mark.parametrize("wrong", [{"duplicates": 1.5}, {"corrupt": -0.1}, {"shuffle_s": -1}])
def test_a_share_outside_0_to_1_is_wrong_usage(wrong):
    with pytest.raises(WrongUsage):
        Disturbance(**wrong)


def acceptable(body):
    """As the contract has it: strict JSON, all fields, known codes, values of their type."""
    try:
        packet = json.loads(body, object_pairs_hook=no_key_twice, parse_constant=refuse)
        texts = [packet[name] for name in ("siteId", "deviceId", "subjectId")]
        values = [signal["value"] for signal in packet["signals"]]
        codes = {signal["code"] for signal in packet["signals"]}
    except (ValueError, KeyError, TypeError):
        return False
    return (
        all(isinstance(text, str) and text.strip() for text in texts)
        and isinstance(packet["timestampMs"], int)
        and all(type(value) in (int, float) for value in values)
        and codes <= {"heart_rate", "spo2"}
    )


def no_key_twice(pairs):
    if len(dict(pairs)) < len(pairs):
        raise ValueError
    return dict(pairs)


def refuse(_):
    raise ValueError
