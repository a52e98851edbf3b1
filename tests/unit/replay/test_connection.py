from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from time import perf_counter

import pytest

from tests.unit.replay.scripted_server import (
    first,
    hangs_up_within,
    http,
    receipt,
    says,
    serving,
)
from vitalrelay.replay.connection import Lane
from vitalrelay.replay.errors import NotReached
from vitalrelay.replay.lanes import Lanes
from vitalrelay.replay.target import ONE_PACKET, Target

CHUNKED = (
    b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n"
)
UNTIL_THE_END = b"HTTP/1.1 201 Created\r\n\r\nhello"


def a_request(served):
    return Target.at(served.url).head(ONE_PACKET) + b"2\r\n\r\n{}"


def a_lane(served, patience_s=2.0):
    return Lane(Target.at(served.url), patience_s)


async def test_answers_with_a_length_and_in_chunks_are_read_over_one_connection():
    async with serving(says(http(200, b"first"), CHUNKED, http(204, b""))) as served:
        lane = a_lane(served)

        answers = [await lane.exchange(a_request(served)) for _ in range(3)]
        lane.close()

    assert [answer.body for answer in answers] == [b"first", b"hello world", b""]
    assert [answer.status for answer in answers] == [200, 201, 204]
    assert all(answer.complete for answer in answers)
    assert served.connections == 1


async def test_a_request_says_whom_it_is_for_and_from():
    async with serving(says(receipt())) as served:
        target = Target.at(f"{served.url}/behind/a/proxy/", "secret")
        lane = Lane(target, 2.0)

        await lane.exchange(target.head(ONE_PACKET) + b"2\r\n\r\n{}")
        lane.close()

    [request] = served.requests
    assert request.path == "/behind/a/proxy/v1/signal-packets"
    assert request.headers["authorization"] == "bearer secret"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["host"] in served.url


@pytest.mark.parametrize("after", [0, 10, len(receipt()) - 1])
async def test_an_answer_that_was_cut_is_not_complete_and_the_next_one_is(after):
    async with serving(first(hangs_up_within(receipt(), after), says(receipt()))) as served:
        lane = a_lane(served)

        cut, whole = [await lane.exchange(a_request(served)) for _ in range(2)]
        lane.close()

    assert (cut.status, cut.complete) == (0, False)
    assert (whole.status, whole.complete) == (201, True)
    assert served.connections == 2


async def test_an_answer_that_ends_only_with_the_connection_is_not_complete():
    answer_bytes = UNTIL_THE_END
    async with serving(hangs_up_within(answer_bytes, len(answer_bytes))) as served:
        lane = a_lane(served)

        answer = await lane.exchange(a_request(served))

    assert not answer.complete
    assert answer.body == b"hello"


async def test_a_connection_the_server_is_done_with_is_not_used_again():
    async with serving(says(http(200, b"bye", "Connection: close"))) as served:
        lane = a_lane(served)

        answers = [await lane.exchange(a_request(served)) for _ in range(2)]

    assert all(answer.complete for answer in answers)
    assert served.connections == 2


async def test_an_interim_answer_is_not_the_answer():
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    async with serving(says(interim + receipt())) as served:
        lane = a_lane(served)

        answer = await lane.exchange(a_request(served))
        lane.close()

    assert (answer.status, answer.complete) == (201, True)


async def test_what_is_no_http_is_no_answer():
    async with serving(says(b"220 mail.example ESMTP\r\n")) as served:
        lane = a_lane(served)

        answer = await lane.exchange(a_request(served))

    assert (answer.status, answer.complete) == (0, False)


async def test_two_answers_to_one_request_end_the_connection():
    async with serving(first(says(receipt() + receipt()), says(http(200, b"new")))) as served:
        lane = a_lane(served)

        answers = [await lane.exchange(a_request(served)) for _ in range(2)]
        lane.close()

    assert [answer.status for answer in answers] == [201, 200]
    assert served.connections == 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("Retry-After: 7", 7.0), ("retry-after: 0", 0.0), ("Retry-After: soon", None)],
)
async def test_retry_after_is_told_in_seconds(header, seconds):
    async with serving(says(http(503, b"", header))) as served:
        lane = a_lane(served)

        answer = await lane.exchange(a_request(served))
        lane.close()

    assert answer.retry_after_s == seconds


async def test_retry_after_may_be_a_date():
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    async with serving(says(http(503, b"", f"Retry-After: {date}"))) as served:
        lane = a_lane(served)

        answer = await lane.exchange(a_request(served))
        lane.close()

    assert 25 < answer.retry_after_s <= 30


async def test_silence_is_an_answer_that_did_not_come():
    async with serving(says(b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhel")) as served:
        lanes = Lanes(Target.at(served.url), 1, silence_s=0.1)
        began = perf_counter()

        async with lanes.opened():
            lane = await lanes.take()
            answer = await lane.exchange(a_request(served))

    assert not answer.complete
    assert 0.1 <= perf_counter() - began < 2.0


async def test_nobody_at_the_target_is_said_at_once():
    async with serving(says(receipt())) as served:
        gone = Target.at(served.url)
    lanes = Lanes(gone, 1, silence_s=1.0)

    with pytest.raises(NotReached, match="cannot connect"):
        async with lanes.opened():
            pass


async def test_a_lane_whose_target_is_gone_has_no_answer_and_does_not_raise():
    async with serving(says(receipt())) as served:
        request = a_request(served)

    answer = await a_lane(served).exchange(request)

    assert (answer.status, answer.complete) == (0, False)
