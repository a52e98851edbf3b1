"""However a body is cut into pieces on its way, its lines are the same."""

import gzip
from collections.abc import Sequence

import pytest
from starlette.requests import Request
from starlette.types import Message

from vitalrelay.adapters.inbound.http.bodies import MAX_PACKET_BYTES, expanded_body, zstd
from vitalrelay.adapters.inbound.http.signal_packet_batch import lines_in

BODY = '{"note":"é漢😀"}\n\n{"a":1}\r\n{"last":true}'.encode()
LINES = [(at, line) for at, line in enumerate(BODY.split(b"\n"), 1) if line]
LONG = b"x" * (MAX_PACKET_BYTES + 1)

COMPRESSED = {
    "identity": BODY,
    "gzip": gzip.compress(BODY),
    "gzip, in members": gzip.compress(BODY[:12]) + gzip.compress(b"") + gzip.compress(BODY[12:]),
    "zstd": zstd.compress(BODY),
    "zstd, in frames": zstd.compress(BODY[:12]) + zstd.compress(BODY[12:]),
}


async def lines_of(
    pieces: Sequence[bytes], encoding: str = "identity"
) -> list[tuple[int, bytes | None]]:
    left = list(pieces)

    async def receive() -> Message:
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    headers = [(b"content-encoding", encoding.partition(",")[0].encode())]
    request = Request({"type": "http", "headers": headers}, receive)
    return [numbered async for numbered in lines_in(expanded_body(request))]


@pytest.mark.parametrize("encoding", COMPRESSED)
async def test_a_cut_at_any_byte_changes_nothing(encoding: str) -> None:
    body = COMPRESSED[encoding]

    for at in range(len(body) + 1):
        assert await lines_of([body[:at], body[at:]], encoding) == LINES


@pytest.mark.parametrize("encoding", COMPRESSED)
async def test_cuts_at_all_bytes_change_nothing(encoding: str) -> None:
    body = COMPRESSED[encoding]

    assert await lines_of([body[at : at + 1] for at in range(len(body))], encoding) == LINES


async def test_what_is_too_long_is_none_and_what_follows_is_a_line_again() -> None:
    body = b"a\n" + LONG + b"\nb\n" + LONG + b"\nc"

    for size in (1_000, 65_536, MAX_PACKET_BYTES, len(body)):
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        assert await lines_of(pieces) == [(1, b"a"), (2, None), (3, b"b"), (4, None), (5, b"c")]


@pytest.mark.parametrize("size", [1_000, 65_536, MAX_PACKET_BYTES + 10])
async def test_a_long_last_line_is_told_as_well(size: int) -> None:
    body = b"a\n" + LONG

    pieces = [body[at : at + size] for at in range(0, len(body), size)]

    assert await lines_of(pieces) == [(1, b"a"), (2, None)]


async def test_a_line_of_the_longest_length_is_a_line() -> None:
    longest = b"x" * MAX_PACKET_BYTES

    assert await lines_of([longest[:10], longest[10:] + b"\nb"]) == [(1, longest), (2, b"b")]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
async def test_empty_lines_are_counted_and_left_out(size: int) -> None:
    body = b"\n\na\n \r\n\n\n\nb\n\n"

    pieces = [body[at : at + size] for at in range(0, len(body), size)]

    assert await lines_of(pieces) == [(3, b"a"), (8, b"b")]
