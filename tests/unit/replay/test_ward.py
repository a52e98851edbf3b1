import json
from collections import defaultdict
from functools import cache
from itertools import islice, pairwise

import pytest

from tests.unit.replay.packets import START_MS
from vitalrelay.replay.disturbance import Disturbance
from vitalrelay.replay.errors import WrongUsage
from vitalrelay.replay.pacing import AsFastAsPossible, Rate, Speed
from vitalrelay.replay.sources.catalogue import Format, Wanted, guess, open_source
from vitalrelay.replay.sources.ward import Ward, moments_from


@cache
def a_ward(patients=24, seed=1, packets=1000):
    moments = moments_from(START_MS, 2000 / patients)
    return list(islice(Ward("ward", patients).packets(moments, seed), packets))


def by_patient(packets):
    found = defaultdict(list)
    for packet in packets:
        found[packet.subject_id].append(json.loads(packet.body))
    return found


def seen(packets):
    """Every value that was sent, by code."""
    found = defaultdict(list)
    for packet in packets:
        for signal in json.loads(packet.body)["signals"]:
            found[signal["code"]].append(signal["value"])
    return found


def test_the_same_seed_makes_the_same_ward():
    once, again, another = a_ward(seed=5), a_ward(seed=5), a_ward(seed=6)

    assert once == again
    assert once != another


def test_a_patient_is_the_same_in_a_larger_ward():
    small, large = by_patient(a_ward(8, packets=800)), by_patient(a_ward(16, packets=1600))

    first_patient = [ward["ward-0001"] for ward in (small, large)]

    assert [packet["signals"] for packet in first_patient[0]] == [
        packet["signals"] for packet in first_patient[1]
    ]


def test_every_patient_is_heard_every_two_seconds():
    patients = by_patient(a_ward(24, packets=240))

    times = [packet["timestampMs"] for packet in patients["ward-0007"]]

    assert len(patients) == 24
    assert {later - earlier for earlier, later in pairwise(times)} == {2000}


def test_within_seconds_everything_a_score_needs_was_said_of_everybody():
    patients = by_patient(a_ward(24, packets=24 * 12))

    needed = {
        "heart_rate",
        "respiratory_rate",
        "spo2",
        "systolic_bp",
        "temperature",
        "consciousness",
        "supplemental_oxygen",
    }
    for packets in patients.values():
        said = {signal["code"] for packet in packets for signal in packet["signals"]}
        assert said >= needed


def test_patients_get_worse_and_better_and_probes_slip():
    packets = a_ward(24, packets=24 * 900)

    values = seen(packets)

    assert set(values["consciousness"]) >= {"A", "C"}
    assert set(values["supplemental_oxygen"]) == {True, False}
    assert min(values["systolic_bp"]) < 95
    assert max(values["heart_rate"]) > 125
    assert max(values["temperature"]) > 38.5
    assert values["spo2"].count(0) > 10
    assert sum(b'"questionable"' in packet.body for packet in packets) > 10


def test_most_patients_are_well_most_of_the_time():
    values = seen(a_ward(24, packets=24 * 900))

    alert = values["consciousness"].count("A") / len(values["consciousness"])
    calm = sum(50 < rate < 111 for rate in values["heart_rate"]) / len(values["heart_rate"])

    assert alert > 0.85
    assert calm > 0.75


def test_two_packets_of_one_millisecond_have_different_ids():
    packets = list(islice(Ward("ward", 2).packets(moments_from(START_MS, 0.1), 1), 100))

    ids = {packet.packet_id for packet in packets}

    assert len(ids) == 100


def test_a_clock_that_is_set_back_does_not_turn_time_around():
    moments = iter([START_MS, START_MS + 5, START_MS, START_MS])

    packets = list(Ward("ward", 1).packets(moments, 1))

    assert [packet.timestamp_ms for packet in packets] == [START_MS] + [START_MS + 5] * 3
    assert len({packet.packet_id for packet in packets}) == 4


@pytest.mark.parametrize("name", ["24", "ward:24", "icu-2:8"])
def test_a_number_with_or_without_a_name_is_a_ward(name):
    assert guess(name) is Format.SYNTHETIC


@pytest.mark.parametrize("name", ["ward", "ward:0", "ward:-1", "a b:3", "ward:1:2", ""])
def test_anything_else_is_none(name):
    with pytest.raises(WrongUsage):
        Ward.named(name)


def test_a_live_ward_is_measured_as_often_as_it_is_to_be_sent():
    wanted = Wanted(name="ward:10", pace=Rate(100))

    source = open_source(wanted, Disturbance(duplicates=0.25))

    times = [packet.timestamp_ms for packet in islice(source.packets, 81)]
    assert source.pace == Speed(1)
    assert times[-1] - times[0] == 1000


def test_a_ward_with_a_start_is_paced_like_a_file():
    wanted = Wanted(name="ward:10", pace=AsFastAsPossible(), start_ms=START_MS)

    source = open_source(wanted, Disturbance(shuffle_s=10))

    assert source.pace == AsFastAsPossible()
    assert next(source.packets).timestamp_ms == START_MS


def test_a_live_ward_as_fast_as_possible_cannot_be_shuffled():
    wanted = Wanted(name="ward:10", pace=AsFastAsPossible())

    with pytest.raises(WrongUsage, match="--start"):
        open_source(wanted, Disturbance(shuffle_s=10))


def test_what_a_directory_is_shows_in_its_files(tmp_path):
    for year, ending in (("2019", "psv"), ("2012", "txt")):
        (tmp_path / year).mkdir()
        (tmp_path / year / f"a.{ending}").touch()

    kinds = [guess(str(tmp_path / year)) for year in ("2019", "2012")]

    assert kinds == [Format.PHYSIONET2019, Format.PHYSIONET2012]
    assert guess("stream.ndjson") is guess("-") is Format.NDJSON


def test_a_start_is_only_for_wards(tmp_path):
    (tmp_path / "a.ndjson").touch()

    with pytest.raises(WrongUsage, match="--start"):
        open_source(Wanted(name=str(tmp_path / "a.ndjson"), start_ms=START_MS), Disturbance())
