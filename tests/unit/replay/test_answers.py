import json

import pytest

from vitalrelay.replay.answers import Fate, Reply, replies_to_batch, reply_to_one
from vitalrelay.replay.connection import Answer

ACKNOWLEDGED = [(201, "stored"), (200, "duplicate")]
REFUSED = [(status, "any") for status in (400, 401, 403, 404, 405, 411, 413, 414, 415, 422, 431)]
NOT_NOW = [(503, "overloaded"), (503, "storage-unavailable"), (429, "rate-limited")]
UNKNOWN = [
    (0, "no-answer"),
    (503, "outcome-unknown"),
    (503, "http-503"),
    (500, "any"),
    (502, "any"),
    (504, "any"),
    (408, "request-timeout"),
    (409, "something-else"),
    (201, "no-receipt"),
    (200, "no-receipt"),
    (302, "http-302"),
]
FATES = [
    *((answer, Fate.ACKNOWLEDGED) for answer in ACKNOWLEDGED),
    *((answer, Fate.REFUSED) for answer in REFUSED),
    ((409, "packet-conflict"), Fate.CONFLICT),
    *((answer, Fate.NOT_NOW) for answer in NOT_NOW),
    *((answer, Fate.UNKNOWN) for answer in UNKNOWN),
]


@pytest.mark.parametrize(("answer", "fate"), FATES)
def test_the_fate_of_a_packet_follows_from_the_answer(answer, fate):
    reply = Reply(*answer, at=0.0)

    assert reply.fate is fate


def test_only_what_is_unknown_or_not_stored_for_now_is_worth_another_attempt():
    again = {fate for fate in Fate if not fate.final}

    assert again == {Fate.NOT_NOW, Fate.UNKNOWN}


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (201, b'{"outcome":"stored"}', "stored"),
        (200, b'{"outcome":"duplicate"}', "duplicate"),
        (422, b'{"type":"/problems/invalid-packet"}', "invalid-packet"),
        (422, b'{"type":"https://api.example/problems/invalid-packet"}', "invalid-packet"),
        (400, b"Invalid HTTP request received.", "http-400"),
        (201, b"thank you", "no-receipt"),
        (500, b'{"type":7}', "http-500"),
        (503, b"[]", "http-503"),
    ],
)
def test_the_outcome_is_the_receipts_or_the_problems_slug(status, body, outcome):
    answer = Answer(0.0, 1.0, status, complete=True, pieces=[(1.0, body)])

    reply = reply_to_one(answer)

    assert reply == Reply(status, outcome, 1.0)


def test_a_cut_answer_is_none():
    answer = Answer(0.0, 1.0, 201, complete=False, pieces=[(0.5, b'{"outcome":"stored"}')])

    reply = reply_to_one(answer)

    assert reply == Reply(0, "no-answer", 1.0)


LINES = [
    {"line": 1, "status": 201, "outcome": "stored", "packetId": "a"},
    {"line": 2, "status": 422, "problem": {"type": "/problems/invalid-packet", "status": 422}},
    {"line": 3, "status": 200, "outcome": "duplicate", "packetId": "c"},
    {"summary": {"lines": 3, "stored": 1, "duplicates": 1, "conflicts": 0, "rejected": 1}},
]
BODY = b"".join(json.dumps(line).encode() + b"\n" for line in LINES)
OUTCOMES = ["stored", "invalid-packet", "duplicate"]


def test_a_batch_is_read_the_same_wherever_it_is_split():
    splits = [[(1.0, BODY[:at]), (2.0, BODY[at:])] for at in range(len(BODY))]

    for pieces in splits:
        answer = Answer(0.0, 3.0, 200, complete=True, pieces=pieces)
        replies = replies_to_batch(answer, 3)

        assert [reply.outcome for reply in replies] == OUTCOMES


def test_a_line_was_answered_when_its_end_came():
    first_end = BODY.index(b"\n") + 1
    pieces = [(1.0, BODY[: first_end - 1]), (2.0, BODY[first_end - 1 : first_end])]
    answer = Answer(0.0, 9.0, 200, complete=True, pieces=[*pieces, (3.0, BODY[first_end:])])

    replies = replies_to_batch(answer, 3)

    assert [reply.at for reply in replies] == [2.0, 3.0, 3.0]


def test_a_batch_that_was_cut_acknowledges_exactly_the_lines_that_came():
    cuts = [BODY[:at] for at in range(len(BODY))]

    for body in cuts:
        answer = Answer(0.0, 9.0, 200, complete=False, pieces=[(1.0, body)])
        replies = replies_to_batch(answer, 3)

        came = OUTCOMES[: body.count(b"\n")]
        assert [reply.outcome for reply in replies] == (came + ["no-answer"] * 3)[:3]


def test_a_batch_refused_as_a_whole_is_refused_line_by_line():
    body = b'{"type":"/problems/overloaded"}'
    answer = Answer(0.0, 1.0, 503, complete=True, pieces=[(1.0, body)])

    replies = replies_to_batch(answer, 2)

    assert replies == [Reply(503, "overloaded", 1.0)] * 2


def test_lines_that_were_never_sent_are_no_answers():
    body = b'{"line":0,"status":201}\n{"line":9,"status":201}\n{"line":"1","status":201}\nnoise\n'
    answer = Answer(0.0, 1.0, 200, complete=True, pieces=[(1.0, body)])

    replies = replies_to_batch(answer, 2)

    assert [reply.outcome for reply in replies] == ["no-answer", "no-answer"]
