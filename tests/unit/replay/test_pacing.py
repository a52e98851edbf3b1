import pytest

from tests.unit.replay.packets import a_packet, a_stream
from vitalrelay.replay.disturbance import Disturbance
from vitalrelay.replay.errors import WrongUsage
from vitalrelay.replay.pacing import AsFastAsPossible, Rate, Speed, due_times
from vitalrelay.replay.shipment import in_batches


def due(pace, packets):
    return [due_s for due_s, _ in due_times(pace, Disturbance().disturb(packets))]


def test_a_rate_spaces_packets_evenly_whatever_their_times():
    packets = [a_packet(second) for second in (0, 3600, 3601, 10)]

    times = due(Rate(10), packets)

    assert times == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_a_speed_divides_the_time_between_packets():
    packets = [a_packet(second) for second in (0, 60, 180)]

    times = due(Speed(60), packets)

    assert times == [0.0, 1.0, 3.0]


def test_what_comes_late_is_due_at_once():
    packets = [a_packet(second) for second in (0, 60, 30, 90)]

    times = due(Speed(1), packets)

    assert times == [0.0, 60.0, 60.0, 90.0]


def test_as_fast_as_possible_nothing_is_due():
    packets = a_stream(3)

    times = due(AsFastAsPossible(), packets)

    assert times == [None, None, None]


def test_a_batch_is_due_with_its_last_packet():
    timed = due_times(Rate(10), Disturbance().disturb(a_stream(5)))

    batches = list(in_batches(timed, 2))

    assert [batch.due_s for batch in batches] == pytest.approx([0.1, 0.3, 0.4])
    assert [len(batch.sendings) for batch in batches] == [2, 2, 1]
    assert batches[0].body.count(b"\n") == 2


@pytest.mark.parametrize("wrong", [0, -1, float("nan")])
@pytest.mark.parametrize("pace", [Rate, Speed])
def test_a_pace_that_stands_still_is_wrong_usage(pace, wrong):
    with pytest.raises(WrongUsage):
        pace(wrong)
