"""
Many packets as one stream of lines, in and out, of any length.

A reader takes lines off the wire and lines them up for the next commits; the answers follow in
the order of the lines, each only once its packet is committed. What is between the two is
bounded, so a fast sender waits for the database and a slow reader slows only itself.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from vitalrelay.adapters.inbound.group_commit import Answer
from vitalrelay.adapters.inbound.http.bodies import (
    DECOMPRESSORS,
    MAX_PACKET_BYTES,
    encoding_of,
    expanded_body,
    require_media_type,
)
from vitalrelay.adapters.inbound.http.documents import json_of
from vitalrelay.adapters.inbound.http.middleware import BodyDeadline
from vitalrelay.adapters.inbound.http.openapi import BATCH_BODY, problems
from vitalrelay.adapters.inbound.http.packet_in import read_packet
from vitalrelay.adapters.inbound.http.problems import OURS, RequestRefused, problem_of, slug_of
from vitalrelay.adapters.inbound.http.services import OfApp, Services
from vitalrelay.domain.errors import PacketConflict
from vitalrelay.domain.receipt import Conflict, Stored

log = structlog.get_logger()
router = APIRouter(tags=["packets"])

NDJSON = "application/x-ndjson"
LINES_UNDERWAY = 1024
PIECE_LINES = 128


@dataclass(frozen=True, slots=True)
class Line:
    """One line and what will become of it: an answer by now, or later."""

    number: int
    answer: Awaitable[Answer] | Exception


@dataclass(slots=True)
class Summary:
    lines: int = 0
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("stored", "duplicates", "conflicts", "rejected"), 0)
    )


class Duplex(StreamingResponse):
    """Answers while it still reads: the stock response would take the body for a hang-up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.stream_response(send)


@router.post(
    "/v1/signal-packets/batch",
    operation_id="postSignalPacketBatch",
    openapi_extra=BATCH_BODY,
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "One line per packet, in their order, and a summary.",
            "content": {NDJSON: {"schema": {"type": "string"}}},
        },
        **problems(408, 415),
    },
)
async def post_batch(request: Request, of: OfApp) -> StreamingResponse:
    """Keep many packets. Each line is answered once its packet is safe; none harms another."""
    require_media_type(request, NDJSON)
    if encoding_of(request) not in ("identity", *DECOMPRESSORS):
        raise RequestRefused(
            "unsupported-media-type", "Send gzip or zstd.", {"Accept-Encoding": "gzip, zstd"}
        )
    minimal = "return=minimal" in request.headers.get("prefer", "")
    return Duplex(answers(request, of, minimal), media_type=NDJSON)


async def answers(request: Request, of: Services, minimal: bool) -> AsyncIterator[bytes]:
    """The answer's pieces; what is known by the time the wire is free goes out together."""
    underway: asyncio.Queue[Line | None] = asyncio.Queue(LINES_UNDERWAY)
    reader = asyncio.create_task(read_lines(request, of, underway), name="batch reader")
    summary = Summary()
    piece: list[bytes] = []
    try:
        while (line := await underway.get()) is not None:
            piece.append(await answer_to(line, of, summary, minimal))
            if underway.empty() or len(piece) >= PIECE_LINES:
                yield b"".join(piece)
                piece.clear()
        broken = await reader
        if broken is not None:
            piece.append(line_of({"problem": problem_of(broken)}))
        piece.append(line_of({"summary": {"lines": summary.lines, **summary.counts}}))
        yield b"".join(piece)
    finally:
        reader.cancel()


async def read_lines(
    request: Request, of: Services, underway: "asyncio.Queue[Line | None]"
) -> Exception | None:
    """Line everything up, then None; returns what broke the body off, if anything did."""
    deadline: BodyDeadline = request.scope["state"]["deadline"]
    number = 0
    try:
        async with aclosing(lines_in(expanded_body(request))) as lines:
            async for number, raw in lines:
                deadline.extend()
                await underway.put(Line(number, await commit_of(raw, of)))
    except RequestRefused as refused:
        return refused
    except ClientDisconnect:
        log.info("batch-cut", count=number)
    finally:
        await underway.put(None)
    return None


async def lines_in(pieces: AsyncIterator[bytes]) -> AsyncGenerator[tuple[int, bytes | None]]:
    """
    The lines of a stream with their numbers; empty ones are counted and left out.

    None for a line that is too long, of which nothing is kept.
    """
    number, rest, skipping = 0, b"", False
    async for piece in pieces:
        if not rest and not skipping and piece.count(b"\n") == len(piece):
            number += len(piece)
            continue
        *complete, rest = (rest + piece).split(b"\n")
        for line in complete:
            number += 1
            if skipping or len(line) > MAX_PACKET_BYTES:
                yield number, None
            elif line.strip():
                yield number, line
            skipping = False
        if len(rest) > MAX_PACKET_BYTES:
            rest, skipping = b"", True
    if skipping or rest.strip():
        yield number + 1, None if skipping else rest


async def commit_of(raw: bytes | None, of: Services) -> Awaitable[Answer] | Exception:
    if raw is None:
        return RequestRefused("too-large", f"A packet has at most {MAX_PACKET_BYTES} bytes.")
    try:
        return await of.commits.enqueue_patiently(read_packet(raw, of.simulated_allowed))
    except OURS as error:
        return error


async def answer_to(line: Line, of: Services, summary: Summary, minimal: bool) -> bytes:
    """One line of the answer; nothing for a success, where failures are all that was asked for."""
    answer = line.answer if isinstance(line.answer, Exception) else await line.answer
    summary.lines += 1
    if isinstance(answer, Stored):
        status, outcome = (200, "duplicate") if answer.duplicate else (201, "stored")
        summary.counts["duplicates" if answer.duplicate else "stored"] += 1
        of.metrics.packets.labels(outcome).inc()
        if minimal:
            return b""
        return (
            f'{{"line":{line.number},"status":{status},"outcome":"{outcome}",'
            f'"packetId":"{answer.packet}"}}\n'
        ).encode()
    error = PacketConflict() if isinstance(answer, Conflict) else answer
    conflict = isinstance(error, PacketConflict)
    summary.counts["conflicts" if conflict else "rejected"] += 1
    of.metrics.packets.labels("conflict" if conflict else slug_of(error)).inc()
    problem = problem_of(error)
    return line_of({"line": line.number, "status": problem["status"], "problem": problem})


def line_of(document: dict[str, Any]) -> bytes:
    return json_of(document).encode() + b"\n"
