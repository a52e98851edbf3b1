import asyncio
import json
from collections import Counter
from pathlib import Path
from time import perf_counter

import pytest

from tests.unit.replay.packets import a_packet, a_plan, a_stream
from tests.unit.replay.scripted_server import (
    first,
    hangs_up_within,
    http,
    receipt,
    refusal,
    says,
    serving,
)
from vitalrelay.replay.answers import Fate
from vitalrelay.replay.disturbance import Disturbance, Part
from vitalrelay.replay.errors import LogNotWritten, NotReached, WrongUsage
from vitalrelay.replay.pacing import Rate, Speed
from vitalrelay.replay.patience import Patience
from vitalrelay.replay.run import replay

STALL_S = 0.3


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


async def looks_elsewhere(_, writer):
    await asyncio.sleep(STALL_S)
    writer.write(receipt())


async def test_a_rate_is_kept_on_the_whole():
    async with serving(says(receipt())) as served:
        began = perf_counter()

        summary = await replay(a_plan(served.url, a_stream(200), Rate(400)))

    assert len(served.requests) == 200
    assert 199 / 400 <= perf_counter() - began < 1.5
    assert summary.tally.slip.percentile(50) < 0.05


async def test_a_speed_divides_event_time():
    async with serving(says(receipt())) as served:
        began = perf_counter()

        await replay(a_plan(served.url, a_stream(5, every_s=3600), Speed(3600 * 20)))

    assert len(served.requests) == 5
    assert 4 / 20 <= perf_counter() - began < 1.2


async def test_a_stall_shows_in_the_latency_of_everything_that_had_to_wait_for_it():
    async with serving(first(looks_elsewhere, says(receipt()))) as served:
        plan = a_plan(served.url, a_stream(200), Rate(400), connections=1)

        summary = await replay(plan)

    latency, service = summary.tally.latency, summary.tally.service
    assert latency.percentile(99) > 0.8 * STALL_S
    assert latency.percentile(85) > 0.3 * STALL_S
    assert service.percentile(99) < 0.3 * STALL_S
    assert summary.tally.slip.longest_s > 0.8 * STALL_S
    assert summary.tally.planned.total() == 200


async def test_no_more_is_in_flight_than_there_are_connections():
    async def slowly(_, writer):
        await asyncio.sleep(0.002)
        writer.write(receipt())

    async with serving(slowly) as served:
        await replay(a_plan(served.url, a_stream(100), connections=5))

    assert served.most_in_flight == 5
    assert served.connections == 5


async def test_overloaded_is_repeated_with_the_same_bytes_after_the_time_asked_for(tmp_path):
    busy = refusal(503, "overloaded", "Retry-After: 1")
    async with serving(says(busy, receipt())) as served:
        began = perf_counter()

        summary = await replay(a_plan(served.url, [a_packet()], ack_log=tmp_path / "log"))

    assert perf_counter() - began >= 1.0
    assert served.bodies == [a_packet().body] * 2
    assert [
        (line["attempt"], line["status"], line["outcome"]) for line in lines(tmp_path / "log")
    ] == [
        (1, 503, "overloaded"),
        (2, 201, "stored"),
    ]
    assert summary.ok
    assert summary.tally.latency.longest_s >= 1.0
    assert summary.tally.service.longest_s < 0.9


async def test_an_answer_cut_in_the_middle_is_no_answer_and_the_packet_is_repeated(tmp_path):
    cut = hangs_up_within(receipt(), len(receipt()) - 3)
    async with serving(first(cut, says(receipt("duplicate")))) as served:
        summary = await replay(a_plan(served.url, [a_packet()], ack_log=tmp_path / "log"))

    assert served.bodies == [a_packet().body] * 2
    assert [
        (line["attempt"], line["status"], line["outcome"]) for line in lines(tmp_path / "log")
    ] == [
        (1, 0, "no-answer"),
        (2, 200, "duplicate"),
    ]
    assert summary.tally.again == 1
    assert summary.ok


@pytest.mark.parametrize("slug", ["outcome-unknown", "storage-unavailable", "something-new"])
async def test_every_other_503_is_repeated(slug):
    async with serving(says(refusal(503, slug), refusal(503, slug), receipt())) as served:
        summary = await replay(a_plan(served.url, [a_packet()]))

    assert len(served.requests) == 3
    assert summary.ok


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        (refusal(422, "invalid-packet"), Fate.REFUSED),
        (refusal(409, "packet-conflict"), Fate.CONFLICT),
        (refusal(401, "unauthenticated"), Fate.REFUSED),
    ],
)
async def test_what_is_final_is_not_repeated_and_not_fine(answer, fate):
    async with serving(says(answer)) as served:
        summary = await replay(a_plan(served.url, [a_packet()]))

    assert len(served.requests) == 1
    assert summary.tally.total(fate) == 1
    assert not summary.ok


async def test_a_packet_is_given_up_when_patience_ends():
    patience = Patience(give_up_after_s=0.3)
    async with serving(says(refusal(503, "overloaded"))) as served:
        summary = await replay(a_plan(served.url, [a_packet()], patience=patience))

    assert len(served.requests) >= 2
    assert summary.tally.gave_up == 1
    assert summary.tally.all_outcomes() == Counter({"overloaded": 1})
    assert not summary.ok


async def test_waiting_for_another_attempt_holds_up_nobody():
    busy = says(refusal(503, "overloaded", "Retry-After: 1"))
    async with serving(first(busy, says(receipt()))) as served:
        summary = await replay(a_plan(served.url, a_stream(50), connections=1))

    assert summary.ok
    assert served.bodies[-1] == a_stream(1)[0].body
    assert summary.tally.latency.percentile(90) < 0.9


async def test_attempts_are_no_repeats_and_repeats_are_as_planned():
    disturbance = Disturbance(duplicates=1.0)
    answers = [refusal(503, "overloaded"), refusal(503, "overloaded"), receipt()]
    async with serving(says(*answers)) as served:
        summary = await replay(a_plan(served.url, a_stream(10), disturbance=disturbance))

    assert summary.tally.planned == Counter({Part.ORIGINAL: 10, Part.REPEAT: 10})
    assert summary.tally.attempts.total() == len(served.requests) == 22
    assert summary.tally.again == 2
    assert summary.ok


async def test_damaged_packets_are_expected_to_be_refused():
    async def judge(request, writer):
        intact = request.body in known
        writer.write(receipt() if intact else refusal(400, "malformed-json"))

    known = {packet.body for packet in a_stream(300)}
    async with serving(judge) as served:
        disturbance = Disturbance(corrupt=0.2)
        summary = await replay(a_plan(served.url, a_stream(300), disturbance=disturbance))

    refused = summary.tally.outcomes[Part.DAMAGED]["malformed-json"]
    assert summary.ok
    assert refused == summary.tally.planned[Part.DAMAGED] > 30
    assert summary.tally.total(Fate.ACKNOWLEDGED) == 300 - refused


async def test_a_damaged_packet_that_is_accepted_is_not_fine():
    async with serving(says(receipt())) as served:
        plan = a_plan(served.url, a_stream(10), disturbance=Disturbance(corrupt=1.0))

        summary = await replay(plan)

    assert list(summary.problems()) == ["damaged packets not refused: 10"]


async def test_nothing_counts_as_acknowledged_before_it_is_in_the_log(tmp_path):
    looks = []

    def look(summary):
        acknowledged = summary.tally.total(Fate.ACKNOWLEDGED)
        logged = (tmp_path / "log").read_bytes().count(b'"stored"')
        looks.append((acknowledged, logged))

    async def slowly(_, writer):
        await asyncio.sleep(0.005)
        writer.write(receipt())

    async with serving(slowly) as served:
        await replay(a_plan(served.url, a_stream(300), ack_log=tmp_path / "log"), look)

    assert looks[-1] == (300, 300)
    assert len(looks) > 2
    assert all(acknowledged <= logged for acknowledged, logged in looks)


async def test_when_the_log_cannot_be_written_nothing_counts_and_nothing_more_is_sent():
    looks = []
    async with serving(says(receipt())) as served:
        plan = a_plan(served.url, a_stream(1000), connections=2, ack_log=Path("/dev/full"))

        with pytest.raises(LogNotWritten, match="No space left"):
            await replay(plan, lambda summary: looks.append(summary.tally.total(Fate.ACKNOWLEDGED)))

    assert len(served.requests) <= 4
    assert not any(looks)


async def test_a_log_is_added_to(tmp_path):
    async with serving(says(receipt(), receipt("duplicate"))) as served:
        for _ in range(2):
            await replay(a_plan(served.url, [a_packet()], ack_log=tmp_path / "log"))

    assert [line["outcome"] for line in lines(tmp_path / "log")] == ["stored", "duplicate"]


async def test_a_log_that_cannot_be_opened_is_wrong_usage(tmp_path):
    async with serving(says(receipt())) as served:
        with pytest.raises(WrongUsage, match="No such file"):
            await replay(a_plan(served.url, [a_packet()], ack_log=tmp_path / "no" / "log"))

    assert served.requests == []


async def test_a_line_of_the_log_says_who_what_when(tmp_path):
    async with serving(says(receipt())) as served:
        summary = await replay(a_plan(served.url, [a_packet()], ack_log=tmp_path / "log"))

    [line] = lines(tmp_path / "log")
    began_ms = summary.tally.clock.began_at_ms
    assert line["packetId"] == a_packet().packet_id
    assert line["subjectId"] == "p-1"
    assert line["part"] == "original"
    assert began_ms <= line["sentAtMs"] <= line["answeredAtMs"] < began_ms + 5000


async def test_batches_are_answered_line_by_line_and_only_the_rest_is_sent_again(tmp_path):
    async def store_some(request, writer):
        """The whole of a batch but its last line, and then nothing more."""
        answered = len(request.lines) - (len(served.requests) == 1)
        text = "".join(
            json.dumps({"line": n + 1, "status": 201, "outcome": "stored"}) + "\n"
            for n in range(answered)
        ).encode()
        whole = http(200, text)
        writer.write(whole if answered == len(request.lines) else whole[:-1])
        if answered < len(request.lines):
            await writer.drain()
            writer.close()

    async with serving(store_some) as served:
        packets = a_stream(5)
        plan = a_plan(served.url, packets, batch=5, ack_log=tmp_path / "log")
        summary = await replay(plan)

    bodies = [packet.body for packet in packets]
    assert [request.path for request in served.requests] == ["/v1/signal-packets/batch"] * 2
    assert [request.lines for request in served.requests] == [bodies, bodies[3:]]
    assert Counter(line["outcome"] for line in lines(tmp_path / "log")) == {
        "stored": 5,
        "no-answer": 2,
    }
    assert summary.ok


async def test_nobody_there_to_begin_with_is_an_error_at_once():
    async with serving(says(receipt())) as served:
        pass

    with pytest.raises(NotReached):
        await replay(a_plan(served.url, [a_packet()]))


async def test_a_server_that_goes_away_and_comes_back_costs_nothing():
    hang_up = hangs_up_within(b"", 0)
    async with serving(first(hang_up, first(hang_up, says(receipt())))) as served:
        summary = await replay(a_plan(served.url, a_stream(20), connections=4))

    assert summary.ok
    assert summary.tally.attempts["no-answer"] == 2


async def test_a_stop_ends_an_endless_stream_and_lets_what_is_open_settle():
    stop = asyncio.Event()

    def endless():
        second = 0
        while True:
            second += 1
            yield a_packet(second)

    def look(summary):
        if summary.tally.total(Fate.ACKNOWLEDGED) > 50:
            stop.set()

    async with serving(says(receipt())) as served:
        summary = await replay(a_plan(served.url, endless(), Rate(1000)), look, stop)

    assert summary.interrupted
    assert summary.tally.open == 0
    assert summary.tally.total(Fate.ACKNOWLEDGED) == summary.tally.planned.total() > 50


async def test_a_duration_bounds_what_is_due_and_a_number_what_is_read():
    async with serving(says(receipt())) as served:
        timed = await replay(a_plan(served.url, a_stream(1000), Rate(100), duration_s=0.2))
        counted = await replay(a_plan(served.url, a_stream(1000), packets=7))

    assert timed.tally.planned.total() == 20
    assert counted.tally.planned.total() == 7


async def test_nothing_to_send_is_not_fine():
    async with serving(says(receipt())) as served:
        summary = await replay(a_plan(served.url, []))

    assert list(summary.problems()) == ["there was nothing to send"]


async def test_a_threshold_is_met_or_missed():
    async with serving(says(receipt())) as served:
        met, missed = [
            await replay(a_plan(served.url, a_stream(20), max_p99_ms=limit))
            for limit in (10_000.0, 0.000_001)
        ]

    assert met.ok
    assert not missed.ok
    assert "limit" in next(missed.problems())
