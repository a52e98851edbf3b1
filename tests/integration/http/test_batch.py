"""Many packets as one stream of lines: in and out at the same time, each line on its own."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.integration.http.packets import SESSION_MS, a_packet, id_of, lines, of_line, signals
from tests.integration.http.serving import Api, Connection, connected
from vitalrelay.adapters.inbound.http.bodies import zstd

BATCH = "/v1/signal-packets/batch"
NDJSON = {"Content-Type": "application/x-ndjson"}
GZIP = {**NDJSON, "Content-Encoding": "gzip"}
ZSTD = {**NDJSON, "Content-Encoding": "zstd"}
MEGABYTE = 1 << 20
MEMORY = 20 * MEGABYTE

HEAD = (
    f"POST {BATCH} HTTP/1.1\r\nHost: here\r\nContent-Type: application/x-ndjson\r\n"
    "Transfer-Encoding: chunked\r\n{}\r\n"
)


def answered(answer: httpx2.Response) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The lines and the summary; what stands between them is a problem with the whole."""
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    *told, last = [json.loads(line) for line in answer.text.splitlines()]
    return told, last["summary"]


def summary(lines: int = 0, **counts: int) -> dict[str, int]:
    nothing = {"stored": 0, "duplicates": 0, "conflicts": 0, "rejected": 0}
    return {"lines": lines, **nothing, **counts}


def stored_line(number: int, packet: dict[str, Any]) -> dict[str, Any]:
    return {"line": number, "status": 201, "outcome": "stored", "packetId": id_of(packet)}


async def begin(wire: Connection, *headers: str) -> None:
    await wire.send(HEAD.format("".join(f"{header}\r\n" for header in headers)).encode())


async def told(wire: Connection, count: int) -> list[dict[str, Any]]:
    """So many lines of the answer, however they come."""
    got = b""
    while got.count(b"\n") < count:
        got += await wire.chunk()
    return [json.loads(line) for line in got.splitlines()]


class TestLines:
    async def test_every_line_is_answered_in_its_order(self, client: httpx2.AsyncClient) -> None:
        packets = [a_packet() for _ in range(700)]

        told, counts = answered(await client.post(BATCH, content=lines(packets), headers=NDJSON))

        assert told == [stored_line(at, packet) for at, packet in enumerate(packets, 1)]
        assert counts == summary(700, stored=700)

    async def test_every_kind_of_line_is_told_apart(self, client: httpx2.AsyncClient) -> None:
        known = a_packet(signals=signals(heart_rate=70))
        await client.post("/v1/signal-packets", json=known)
        new = a_packet()
        body = b"".join(
            [
                of_line(new),
                of_line(known),
                of_line(known | {"signals": signals(heart_rate=71)}),
                b"{not json\n",
                of_line(a_packet(signals=signals(hart_rate=1))),
                b'"' + b"x" * 1_100_000 + b'"\n',
                of_line(new),
            ]
        )

        told, counts = answered(await client.post(BATCH, content=body, headers=NDJSON))

        assert [(line["line"], line["status"]) for line in told] == [
            (1, 201),
            (2, 200),
            (3, 409),
            (4, 400),
            (5, 422),
            (6, 413),
            (7, 200),
        ]
        assert told[1] == stored_line(2, known) | {"status": 200, "outcome": "duplicate"}
        assert [slug_of(line) for line in told[2:6]] == [
            "packet-conflict",
            "malformed-json",
            "invalid-packet",
            "too-large",
        ]
        assert "heart_rate" in told[4]["problem"]["errors"][0]["reason"]
        assert counts == summary(7, stored=1, duplicates=2, conflicts=1, rejected=3)

    async def test_duplicates_and_conflicts_within_a_batch_are_found(
        self, client: httpx2.AsyncClient
    ) -> None:
        packet = a_packet(signals=signals(heart_rate=70))
        other = packet | {"signals": signals(heart_rate=71)}

        told, counts = answered(
            await client.post(BATCH, content=lines([packet, packet, other]), headers=NDJSON)
        )

        assert [line["status"] for line in told] == [201, 200, 409]
        assert counts == summary(3, stored=1, duplicates=1, conflicts=1)

    async def test_many_packets_of_a_patient_become_one_snapshot(
        self, client: httpx2.AsyncClient
    ) -> None:
        first = a_packet()
        packets = [first | {"timestampMs": SESSION_MS + at} for at in range(300)]

        await client.post(BATCH, content=lines(packets), headers=NDJSON)

        snapshot = (await client.get(f"/v1/subjects/{first['subjectId']}/snapshot")).json()
        assert snapshot["lastPacketId"] == id_of(packets[-1])

    async def test_only_failures_and_the_summary_are_told_if_that_is_all_one_asked_for(
        self, client: httpx2.AsyncClient
    ) -> None:
        packets = [a_packet() for _ in range(40)]
        body = lines(packets[:20]) + b"{oops\n" + lines(packets[20:])

        answer = await client.post(
            BATCH, content=body, headers={**NDJSON, "Prefer": "return=minimal"}
        )

        told, counts = answered(answer)
        assert [(line["line"], slug_of(line)) for line in told] == [(21, "malformed-json")]
        assert counts == summary(41, stored=40, rejected=1)

    @pytest.mark.parametrize(
        ("body", "count"),
        [
            (b"", 0),
            (b"\n", 0),
            (b"\n\r\n  \n\n", 0),
            (b"\n%b\n\n%b\n", 2),
            (b"%b\r\n%b\r\n", 2),
            (b"%b\n%b", 2),
        ],
    )
    async def test_empty_lines_are_none_and_the_last_one_needs_no_end(
        self, client: httpx2.AsyncClient, body: bytes, count: int
    ) -> None:
        packets = tuple(of_line(a_packet()).strip() for _ in range(count))

        _, counts = answered(await client.post(BATCH, content=body % packets, headers=NDJSON))

        assert counts == summary(count, stored=count)

    async def test_lines_are_counted_as_they_stand_in_the_body(
        self, client: httpx2.AsyncClient
    ) -> None:
        packets = [a_packet(), a_packet()]
        body = b"\n" + of_line(packets[0]) + b"\n\n" + of_line(packets[1])

        told, counts = answered(await client.post(BATCH, content=body, headers=NDJSON))

        assert [line["line"] for line in told] == [2, 5]
        assert counts == summary(2, stored=2)


class TestStreaming:
    async def test_answers_arrive_before_the_body_is_complete(self, api: Api) -> None:
        packets = [a_packet() for _ in range(3)]
        async with connected(api) as wire:
            await begin(wire)

            for at, packet in enumerate(packets, 1):
                await wire.send_chunk(of_line(packet))
                if at == 1:
                    assert (await wire.head()).status == 200
                assert await told(wire, 1) == [stored_line(at, packet)]

            await wire.send(b"0\r\n\r\n")
            assert await told(wire, 1) == [{"summary": summary(3, stored=3)}]
            assert await wire.chunk() == b""

    @pytest.mark.parametrize("size", [1, 2, 7, 100_000])
    async def test_how_the_body_is_cut_makes_no_difference(self, api: Api, size: int) -> None:
        packets = [a_packet(), a_packet(), a_packet()]
        unknown = json.dumps(a_packet() | {"note": "é漢😀"}, ensure_ascii=False).encode()
        body = lines(packets[:2]) + unknown + b"\r\n{oops\n\n" + of_line(packets[2])
        async with connected(api) as wire:
            await begin(wire)
            for at in range(0, len(body), size):
                await wire.send_chunk(body[at : at + size])
            await wire.send(b"0\r\n\r\n")
            answer = await wire.answer()

        *told, last = map(json.loads, answer.body.splitlines())
        assert [(line["line"], line["status"]) for line in told] == [
            (1, 201),
            (2, 201),
            (3, 422),
            (4, 400),
            (6, 201),
        ]
        assert last["summary"] == summary(5, stored=3, rejected=2)

    async def test_a_refused_line_is_told_at_once_as_well(self, api: Api) -> None:
        async with connected(api) as wire:
            await begin(wire, "Prefer: return=minimal")
            await wire.send_chunk(b"{oops\n")

            assert (await wire.head()).status == 200
            [line] = await told(wire, 1)

        assert (line["line"], line["status"]) == (1, 400)

    async def test_a_sender_who_does_not_listen_yet_is_answered_in_the_end(
        self, client: httpx2.AsyncClient
    ) -> None:
        """More answers than all buffers hold: the sender is made to wait, and nothing is lost."""
        packets = [a_packet() for _ in range(3_000)]

        told, counts = answered(await client.post(BATCH, content=lines(packets), headers=NDJSON))

        assert [line["line"] for line in told] == list(range(1, 3_001))
        assert counts["stored"] == 3_000

    async def test_a_connection_cut_in_the_middle_stored_every_line_it_answered(
        self, api: Api, client: httpx2.AsyncClient, database: AsyncEngine
    ) -> None:
        packets = [a_packet() for _ in range(50)]
        async with connected(api) as wire:
            await begin(wire)
            await wire.send_chunk(lines(packets))
            await wire.head()
            acknowledged = [line["packetId"] for line in await told(wire, 20)]

        async with database.connect() as connection:
            present = await connection.scalar(
                text("select count(*) from patient_signal_packets where packet_id = any(:ids)"),
                {"ids": acknowledged},
            )
        assert len(acknowledged) >= 20
        assert present == len(acknowledged)
        assert (await client.post("/v1/signal-packets", json=a_packet())).status_code == 201

    async def test_others_are_served_while_a_batch_stands_open(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        async with connected(api) as wire:
            await begin(wire)
            await wire.send_chunk(of_line(a_packet())[:20])

            answer = await client.post("/v1/signal-packets", json=a_packet())

        assert answer.status_code == 201


class TestEncodings:
    @pytest.mark.parametrize(
        ("headers", "compress"), [(GZIP, gzip.compress), (ZSTD, zstd.compress)]
    )
    async def test_a_compressed_body_is_read(
        self, client: httpx2.AsyncClient, headers: dict[str, str], compress: Any
    ) -> None:
        packets = [a_packet() for _ in range(30)]

        _, counts = answered(
            await client.post(BATCH, content=compress(lines(packets)), headers=headers)
        )

        assert counts == summary(30, stored=30)

    @pytest.mark.parametrize(
        ("headers", "compress"), [(GZIP, gzip.compress), (ZSTD, zstd.compress)]
    )
    async def test_every_member_is_read_also_where_a_line_goes_on_in_the_next(
        self, client: httpx2.AsyncClient, headers: dict[str, str], compress: Any
    ) -> None:
        body = lines(a_packet() for _ in range(30))
        members = [compress(body[at : at + 999]) for at in range(0, len(body), 999)]

        _, counts = answered(await client.post(BATCH, content=b"".join(members), headers=headers))

        assert len(members) > 3
        assert counts == summary(30, stored=30)

    @pytest.mark.parametrize(
        ("headers", "compress"), [(GZIP, gzip.compress), (ZSTD, zstd.compress)]
    )
    @pytest.mark.parametrize("cut", [1, 5, -1, -9])
    async def test_what_breaks_off_is_told_last_and_harms_no_line_before(
        self, client: httpx2.AsyncClient, headers: dict[str, str], compress: Any, cut: int
    ) -> None:
        whole = compress(lines([a_packet()]))
        broken = whole + compress(lines([a_packet()]))[:cut]

        *told, last = answered(await client.post(BATCH, content=broken, headers=headers))[0]

        assert told[0]["status"] == 201
        assert slug_of(last) == "malformed-request"

    @pytest.mark.parametrize("headers", [GZIP, ZSTD])
    async def test_what_is_not_compressed_at_all_is_told(
        self, client: httpx2.AsyncClient, headers: dict[str, str]
    ) -> None:
        [problem], counts = answered(
            await client.post(BATCH, content=lines([a_packet()]), headers=headers)
        )

        assert slug_of(problem) == "malformed-request"
        assert counts == summary()

    async def test_a_damaged_member_is_told(self, client: httpx2.AsyncClient) -> None:
        body = bytearray(gzip.compress(lines([a_packet()])))
        body[-5] ^= 0xFF

        told, _ = answered(await client.post(BATCH, content=bytes(body), headers=GZIP))

        assert slug_of(told[-1]) == "malformed-request"

    @pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "compress", "x"])
    async def test_other_encodings_are_refused_and_ours_named(
        self, client: httpx2.AsyncClient, encoding: str
    ) -> None:
        answer = await client.post(
            BATCH, content=b"", headers={**NDJSON, "Content-Encoding": encoding}
        )

        assert answer.status_code == 415
        assert answer.json()["type"] == "/problems/unsupported-media-type"
        assert answer.headers["accept-encoding"] == "gzip, zstd"

    async def test_a_window_larger_than_eight_megabytes_is_not_opened(
        self, client: httpx2.AsyncClient
    ) -> None:
        """RFC 9659: nobody has to have more memory than that for a body."""
        options = {
            zstd.CompressionParameter.window_log: 27,
            zstd.CompressionParameter.content_size_flag: 0,
        }
        compressor = zstd.ZstdCompressor(options=options)
        body = compressor.compress(lines([a_packet()])) + compressor.flush()

        told, counts = answered(await client.post(BATCH, content=body, headers=ZSTD))

        assert [slug_of(line) for line in told] == ["malformed-request"]
        assert counts == summary()


def zeros(count: int, compressor: Any) -> bytes:
    piece = bytes(MEGABYTE)
    return b"".join([*(compressor.compress(piece) for _ in range(count)), compressor.flush()])


def gzipped(pieces: Iterable[bytes]) -> bytes:
    compressor = zlib.compressobj(9, wbits=31)
    return b"".join([*map(compressor.compress, pieces), compressor.flush()])


BOMBS = [
    pytest.param(gzipped([bytes(MEGABYTE)] * 128), GZIP, id="130 kB of gzip to 128 MB"),
    pytest.param(gzipped([b"\n" * MEGABYTE] * 128), GZIP, id="130 kB of gzip to empty lines"),
    pytest.param(zeros(1024, zstd.ZstdCompressor(19)), ZSTD, id="some kB of zstd to 1 GB"),
    pytest.param(zstd.compress(bytes(MEGABYTE)) * 1024, ZSTD, id="frame after frame of zstd"),
    pytest.param(gzip.compress(bytes(MEGABYTE)) * 128, GZIP, id="member after member of gzip"),
]


class TestBombs:
    @pytest.mark.parametrize(("bomb", "headers"), BOMBS)
    async def test_a_bomb_goes_off_outside(
        self, api: Api, client: httpx2.AsyncClient, bomb: bytes, headers: dict[str, str]
    ) -> None:
        """Little memory, an answer that says so, and nobody else waits for it."""
        await client.post("/v1/signal-packets", json=a_packet())
        before = api.memory("VmRSS")
        api.forget_highest_memory()

        sent = asyncio.create_task(
            client.post(BATCH, content=bomb, headers={**headers, "Prefer": "return=minimal"})
        )
        waits = [await waited(client) async for _ in while_running(sent)]

        told, _ = answered(await sent)
        assert slug_of(told[-1]) == "too-large"
        assert api.memory("VmHWM") - before < MEMORY
        assert max(waits, default=0) < 1

    async def test_what_expands_in_proportion_may_be_large(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        packets = [
            a_packet(signals=[a_long_signal(at, of) for of in range(64)]) for at in range(1_400)
        ]
        body = lines(packets)
        before = api.memory("VmRSS")
        api.forget_highest_memory()

        answer = await client.post(
            BATCH, content=gzip.compress(body), headers={**GZIP, "Prefer": "return=minimal"}
        )

        assert len(body) > 8 * MEGABYTE
        assert answered(answer) == ([], summary(1_400, stored=1_400))
        assert api.memory("VmHWM") - before < 3 * MEMORY

    async def test_a_great_many_bad_lines_keep_nobody_waiting(
        self, client: httpx2.AsyncClient
    ) -> None:
        sent = asyncio.create_task(client.post(BATCH, content=b"x\n" * 20_000, headers=NDJSON))
        waits = [await waited(client) async for _ in while_running(sent)]

        assert answered(await sent)[1] == summary(20_000, rejected=20_000)
        assert max(waits, default=0) < 1


def a_long_signal(at: int, of: int) -> dict[str, Any]:
    quality = {"quality": "questionable", "measuredAtMs": SESSION_MS - of}
    return {"code": "heart_rate", "value": 60 + (at * of) % 97, "unit": "{beats}/min", **quality}


async def waited(client: httpx2.AsyncClient) -> float:
    """How long somebody waits who asks for nothing much."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await client.get("/healthz")
    return loop.time() - began


async def while_running(task: "asyncio.Task[Any]") -> AsyncIterator[None]:
    while not task.done():
        yield
        await asyncio.sleep(0)


def slug_of(line: dict[str, Any]) -> str:
    return str(line["problem"]["type"]).rpartition("/")[2]


class TestWholeRequests:
    @pytest.mark.parametrize(
        "media_type", ["application/json", "text/plain", "application/x-ndjson; charset=utf-16"]
    )
    async def test_other_media_types_are_refused(
        self, client: httpx2.AsyncClient, media_type: str
    ) -> None:
        answer = await client.post(BATCH, content=b"", headers={"Content-Type": media_type})

        assert answer.status_code == 415
        assert answer.json()["type"] == "/problems/unsupported-media-type"

    async def test_an_empty_body_is_an_empty_batch(self, client: httpx2.AsyncClient) -> None:
        assert answered(await client.post(BATCH, headers=NDJSON)) == ([], summary())
